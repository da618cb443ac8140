"""Leaks of splits with more than 2^24 rows: copies, rows that look alike, undeclared groups.

The rules are those of `_leakage`; hashes of rows go through a temporary folder, and the number of
copies that random splits of the same rows have is computed instead of drawn.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.data._column_values import ColumnValues, plain_values
from penstock.data._large_split import is_large
from penstock.data._row_hashes import column_hashes, combine_hashes, selected_hashes
from penstock.data._shared_keys import SharedKeys
from penstock.data._split import Split, Subset
from penstock.data._split_rules import groupless_of, missing_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    import polars as pl

    Keys = np.ndarray[Any, np.dtype[np.uint64]]

_SHOWN = 3
_LONG = 10_000  # copies of one row, from which on every subset has some


def is_large_split(split: Split) -> bool:
    """Return whether a split is checked from passes over the chunks."""
    return is_large(split.chunks)


@dataclass(frozen=True, slots=True)
class Copies:
    """Test rows that equal a train row.

    Args:
        rows: In every column.
        alike: In the chosen columns, but not in every one.
        by_chance: Expected number of copies in random splits of the same rows.
        deviation: Standard deviation of that number, if it was drawn.
    """

    rows: int
    alike: int
    by_chance: float
    deviation: float = 0.0


def count_large_copies(split: Split, names: "Sequence[str]") -> Copies:
    """Count the test rows that equal a train row, in all columns and in some.

    Args:
        split: The split.
        names: The columns for `alike`; empty for none.
    """
    import numpy as np

    every, rows, alike, chance = split.chunks.columns, 0, 0, _ByChance(split)

    def keys_of(batch: "pl.DataFrame") -> "Keys":
        return np.column_stack(selected_hashes(batch, [names, every] if names else [every]))

    with SharedKeys(len(split.train) + len(split.test), 2 if names else 1) as keys:
        _add(keys, split, keys_of)
        for train, test in keys.parts():
            copied = np.isin(test[:, -1], train[:, -1])
            rows += int(copied.sum())
            if names:
                alike += int((np.isin(test[:, 0], train[:, 0]) & ~copied).sum())
            chance.add(np.concatenate([train[:, -1], test[:, -1]]))
    return Copies(rows, alike, chance.copies)


def count_large_mixed(split: Split, names: list[str]) -> int:
    """Count copies after the columns of the train rows were shuffled apart, chunk by chunk."""
    import numpy as np

    generator = np.random.default_rng(0)

    def mixed(batch: "pl.DataFrame") -> "Keys":
        columns = column_hashes(batch)
        return combine_hashes(generator.permutation(column) for column in columns)[:, None]

    count = 0
    with SharedKeys(len(split.train) + len(split.test), 1) as keys:
        for batch in split.train.batches(names):
            keys.add(mixed(batch), is_test=False)
        for batch in split.test.batches(names):
            keys.add(selected_hashes(batch, [names])[0][:, None], is_test=True)
        for train, test in keys.parts():
            count += int(np.isin(test, train).sum())
    return count


def count_large_shared(split: Split, name: str) -> int:
    """Count the test rows whose value of a column is a value of train rows too."""
    import numpy as np

    with SharedKeys(len(split.train) + len(split.test), 1) as keys:
        for subset, is_test in ((split.train, False), (split.test, True)):
            for batch in subset.batches([name]):
                keys.add(np.column_stack(column_hashes(batch.drop_nulls())), is_test=is_test)
        return sum(int(np.isin(test, train).sum()) for train, test in keys.parts())


def count_large_groups(name: str, first: Subset, second: Subset) -> tuple[int, int, list[Any]]:
    """Return the number of shared groups, of their rows in the second subset, and some groups.

    Args:
        name: The group column; each row without a group is a separate one.
        first: The earlier subset.
        second: The later subset.
    """
    import numpy as np

    both, rows, some = 0, 0, np.empty(0, dtype=np.uint64)
    with SharedKeys(len(first) + len(second), 1) as keys:
        for subset, is_test in ((first, False), (second, True)):
            for groups in groups_of(subset, name):
                keys.add(column_hashes(groups.to_frame())[0][:, None], is_test=is_test)
        for one, two in keys.parts():
            shared = np.intersect1d(one, two)
            both, rows = both + len(shared), rows + int(np.isin(two, shared).sum())
            some = np.append(some, shared[:_SHOWN])[:_SHOWN]
    values: list[Any] = []
    for groups in groups_of(second, name) if both else ():
        found = groups.filter(pl_mask(np.isin(column_hashes(groups.to_frame())[0], some)))
        values = [*dict.fromkeys([*values, *found.unique(maintain_order=True).to_list()])]
        if len(values) == len(some):
            break
    return both, rows, values


def note_large_groups(split: Split, name: str) -> tuple[int, "pl.Series"]:
    """Return the number of rows without a group, and the distinct groups."""
    values, missing = ColumnValues(), 0
    for batch in split.chunks.batches([name]):
        series = batch.to_series()
        gone = missing_of(series)
        missing += int(gone.sum())
        values.add(series.filter(pl_mask(~gone)))
    return missing, values.table["value"]


def groups_of(subset: Subset, name: str) -> "Iterator[pl.Series]":
    """Yield the groups of the rows that have one, as values that can be compared."""
    for batch in subset.batches([name]):
        series = plain_values(batch.to_series())
        yield series.filter(pl_mask(~groupless_of(series)))


def pl_mask(mask: "np.ndarray[Any, Any]") -> "pl.Series":
    """Return a mask as a column."""
    import polars as pl

    return pl.Series(mask)


def _add(keys: SharedKeys, split: Split, keys_of: Any) -> None:
    """Add the keys of train and test rows from one pass over the chunks."""
    start = 0
    for batch in split.chunks.batches():
        hashes, end = keys_of(batch), start + batch.height
        for positions, is_test in ((split.train_positions, False), (split.test_positions, True)):
            rows = positions.between(start, end)
            if len(rows):
                keys.add(hashes[rows - start], is_test=is_test)
        start = end


class _ByChance:
    """The expected number of test rows with an equal train row, if rows were divided at random.

    Of m equal rows among N, a row is in test with T / N, and all others are too with
    (T - 1) ... (T - m + 1) / ((N - 1) ... (N - m + 1)).
    """

    def __init__(self, split: Split) -> None:
        self._test = len(split.test)
        self._rows = len(split.train) + self._test
        self.copies = 0.0

    def add(self, keys: "Keys") -> None:
        """Add all rows of some distinct keys."""
        import numpy as np

        ordered = np.sort(keys)
        ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], [True]))
        sizes, times = np.unique(np.diff(ends, prepend=-1), return_counts=True)
        for size, count in zip(sizes.tolist(), times.tolist(), strict=True):
            if size > 1:
                others = np.arange(1, min(size, _LONG))
                alone = float(
                    np.prod(np.clip(self._test - others, 0, None) / (self._rows - others))
                )
                self.copies += count * size * self._test / self._rows * (1 - alone)
