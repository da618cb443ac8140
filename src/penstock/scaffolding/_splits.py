"""Choose how a table is split by splitting it: what cannot work is found now, not at the first run."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from penstock.core import DataError
from penstock.data import Finding, Split, guess_task, split_table

if TYPE_CHECKING:
    import polars as pl

_SEEDS = range(20)
_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class SplitChoice:
    """How to split.

    Attributes:
        target: The column to predict.
        by_time: Time column, or a date column and an hour column; None to ignore time.
        by_group: Column whose values stay whole; None if rows stand for themselves.
        drop: Columns that are no features.
        seed: Seed of a random split.
        distinct: Whether copies of rows are dropped first.
    """

    target: str
    by_time: str | tuple[str, str] | None = None
    by_group: str | None = None
    drop: tuple[str, ...] = ()
    seed: int = 0
    distinct: bool = False

    def apply(self, table: "pl.DataFrame") -> Split:
        """Split a table.

        Raises:
            DataError: If the table cannot be split so.
        """
        return split_table(
            drop_copies(table, self.drop) if self.distinct else table,
            target=self.target,
            by_time=self.by_time,
            by_group=self.by_group,
            drop=self.drop,
            seed=self.seed,
        )


def drop_copies(table: "pl.DataFrame", drop: Sequence[str]) -> "pl.DataFrame":
    """Keep the first of rows that are equal in all columns but those dropped."""
    import polars as pl

    subset = [name for name in table.columns if name not in drop]
    return table.unique(pl.col(subset), keep="first", maintain_order=True)


def choose_split(
    table: "pl.DataFrame", wish: SplitChoice
) -> tuple[SplitChoice, Split, tuple[Finding, ...], tuple[str, ...]]:
    """Find a split that works and that its own checks for leaks pass.

    Columns that give the target away are left out one round after the other, and copies of rows
    are dropped where they stand on both sides more often than by chance.

    Args:
        table: The rows.
        wish: How the user wants to split.

    Returns:
        The choice, the split, the leaks found on the way, and sentences on what had to change.

    Raises:
        DataError: If no split works: too few rows, or one class.
    """
    choice, split, warnings = _first_that_works(table, wish)
    leaks: list[Finding] = []
    for _ in range(_ROUNDS):
        failed = [finding for finding in split.leakage if finding.level == "fail"]
        leaking = tuple(finding.column for finding in failed if finding.column)
        copies = any(finding.rule == "L1" for finding in failed) and not choice.distinct
        if not leaking and not copies:
            break
        leaks += failed
        choice = replace(
            choice, drop=(*choice.drop, *leaking), distinct=choice.distinct or copies
        )
        split = choice.apply(table)
    leaks += [finding for finding in split.leakage if finding.level == "warn"]
    return choice, split, tuple(leaks), warnings


def _first_that_works(
    table: "pl.DataFrame", wish: SplitChoice
) -> tuple[SplitChoice, Split, tuple[str, ...]]:
    guess_task(table[wish.target])  # A target that cannot be predicted fails here, once.
    first: DataError | None = None
    for choice, instead in _alternatives(wish):
        try:
            split = choice.apply(table)
        except DataError as error:
            first = first or error
        else:
            warnings = (f"{first.what} {instead}",) if first is not None else ()
            return choice, split, warnings
    assert first is not None
    raise first


def _alternatives(wish: SplitChoice) -> list[tuple[SplitChoice, str]]:
    plain = replace(wish, by_time=None, by_group=None)
    found = [(wish, "")]
    if wish.by_time and wish.by_group:
        found.append((replace(wish, by_time=None), "So rows are split by group only."))
        found.append((replace(wish, by_group=None), "So rows are split by time only."))
    return found + [
        (replace(plain, seed=seed), "So rows are split at random, with a seed that works.")
        for seed in _SEEDS
    ]
