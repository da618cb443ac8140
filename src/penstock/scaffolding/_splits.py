"""Choice of a split by trying splits: a failure is found now, not at the first run."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from penstock.core import DataError
from penstock.data import Finding, Split, split_table

if TYPE_CHECKING:
    import polars as pl

Task: TypeAlias = Literal["binary", "multiclass", "regression"]

_SEEDS = range(20)
_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class SplitChoice:
    """The choices of a split.

    Attributes:
        target: The column to predict.
        by_time: Time column, or a date column and an hour column; None to ignore time.
        by_group: Column whose values are kept together; None if rows are independent.
        drop: Columns that are no features.
        seed: Seed of a random split.
        distinct: Whether copies of rows are removed first.
        task: The task, where the values of a subset may suggest a different task.
    """

    target: str
    by_time: str | tuple[str, str] | None = None
    by_group: str | None = None
    drop: tuple[str, ...] = ()
    seed: int = 0
    distinct: bool = False
    task: Task | None = None

    def without(self, columns: Iterable[str]) -> "SplitChoice":
        """Return the choice with more columns left out of the features."""
        return replace(self, drop=tuple(dict.fromkeys((*self.drop, *columns))))

    def apply(self, table: "pl.DataFrame") -> Split:
        """Split a table.

        Raises:
            DataError: If the table cannot be split by these choices.
        """
        return split_table(
            drop_copies(table) if self.distinct else table,
            target=self.target,
            by_time=self.by_time,
            by_group=self.by_group,
            drop=self.drop,
            seed=self.seed,
            task=self.task,
        )


def drop_copies(table: "pl.DataFrame") -> "pl.DataFrame":
    """Remove copies of rows, equal in every column with identifiers; the first is kept."""
    return table.unique(keep="first", maintain_order=True)


@dataclass(frozen=True, slots=True)
class WorkingSplit:
    """A split that works.

    Attributes:
        choice: The choices that produced the split.
        split: The split.
        leaks: Failures found and left out, and remaining warnings.
        warnings: Sentences on deviations from the user's wish.
    """

    choice: SplitChoice
    split: Split
    leaks: tuple[Finding, ...]
    warnings: tuple[str, ...]


def choose_split(table: "pl.DataFrame", wish: SplitChoice) -> WorkingSplit:
    """Search for a split that works and passes the checks for leaks.

    Columns that reveal the target are left out round after round, and copies of rows are removed
    where they could appear on both sides. If no further column is left to learn from, such columns
    stay, and the gate decides.

    Args:
        table: The rows.
        wish: The user's choices.

    Raises:
        DataError: If no split works: too few rows, or a single class.
    """
    choice, split, warnings = _first_that_works(table, wish)
    leaks: list[Finding] = []
    for _ in range(_ROUNDS):
        failed = [finding for finding in split.leakage if finding.level == "fail"]
        leaking = [finding.column for finding in failed if finding.column]
        # Without a feature there would be nothing to learn: the gate decides then.
        if len(leaking) == len(split.schema):
            leaking = []
        copies = any(finding.rule == "L1" for finding in split.leakage) and not choice.distinct
        if not leaking and not copies:
            break
        leaks += failed
        choice = replace(choice.without(leaking), distinct=choice.distinct or copies)
        split = choice.apply(table)
    leaks += [finding for finding in split.leakage if finding.level == "warn"]
    return WorkingSplit(choice, split, tuple(leaks), warnings)


def _first_that_works(
    table: "pl.DataFrame", wish: SplitChoice
) -> tuple[SplitChoice, Split, tuple[str, ...]]:
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
    # In the order of closeness to the wish; random splits come last.
    wishes = [(wish, "")]
    if wish.by_time and wish.by_group:
        wishes.append((replace(wish, by_time=None), "So rows are split by group only."))
        wishes.append((replace(wish, by_group=None), "So rows are split by time only."))
    other_way = (
        "neither by time nor by group" if wish.by_time or wish.by_group else "with another seed"
    )
    return wishes + [
        (replace(plain, seed=seed), f"So rows are split at random, {other_way}.") for seed in _SEEDS
    ]
