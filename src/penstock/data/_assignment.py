"""Assignment of rows to the subsets of a split: at random, by time, by group, or by both.

The subset of a row is a number: 0 train, 1 validation, 2 test, -1 left out.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from penstock.core import DataError
from penstock.data._time_search import first_times, nearest_time

if TYPE_CHECKING:
    import numpy as np

    from penstock.data._time_search import Blocks

    Parts: TypeAlias = "np.ndarray[Any, np.dtype[np.int8]]"
    Codes: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"

TRAIN, VALIDATION, TEST, OUT = 0, 1, 2, -1
NAMES = {"train": TRAIN, "validation": VALIDATION, "test": TEST}
_BLOCK = 1 << 20  # rows at a time


def by_chance(
    rows: int, validation: float, test: float, seed: int, strata: "Codes | None"
) -> "Parts":
    """Assign rows at random; with strata, each stratum is divided as evenly as whole rows allow."""
    import numpy as np

    # The permutation of a seed is the same in 4 bytes a row as in 8.
    order = np.arange(rows, dtype=np.uint32 if rows < 1 << 32 else np.int64)
    np.random.default_rng(seed).shuffle(order)
    _, validations, tests = part_sizes(rows, validation, test)
    parts = np.full(rows, TRAIN, dtype=np.int8)
    if strata is None:
        parts[order[:tests]] = TEST
        parts[order[tests : tests + validations]] = VALIDATION
        return parts
    counts = _counts_of(strata)
    takes = [(TEST, _Take(counts, tests))]
    if validations:
        takes.insert(0, (VALIDATION, _Take(counts, tests + validations)))
    seen = np.zeros(len(counts), dtype=np.int64)
    for start in range(0, rows, _BLOCK):
        block = order[start : start + _BLOCK]
        of_row = strata[block]
        ranks = seen[of_row] + _ranks(of_row)
        seen += np.bincount(of_row, minlength=len(counts))
        # Test rows are taken first, and so are among the rows taken for both.
        for part, take in takes:
            parts[block[take.rows(of_row, ranks)]] = part
    return parts


def by_time(times: "Codes", validation: float, test: float, gap: timedelta) -> "Parts":
    """Assign rows by two cut times: the newest rows are test; equal times stay together.

    Args:
        times: Microseconds, shape (n,).
        validation: Share of rows.
        test: Share of rows.
        gap: Length of time before each cut whose rows are left out.
    """
    return cut_times(lambda: [times], validation, test, gap).parts(times)


@dataclass(frozen=True, slots=True)
class TimeCuts:
    """The first time of the test rows and of the validation rows, in microseconds.

    Args:
        test: First time of the test rows.
        validation: First time of the validation rows; None if there are none.
        gap: Length of time before each cut whose rows are left out.
    """

    test: int
    validation: int | None
    gap: int

    def parts(self, times: "Codes") -> "Parts":
        """Return the subset of each row."""
        import numpy as np

        parts = np.full(len(times), TRAIN, dtype=np.int8)
        if self.validation is not None:
            # The second line overwrites the validation rows: what stays OUT is the gap.
            parts[times >= self.validation - self.gap] = OUT
            parts[times >= self.validation] = VALIDATION
        parts[times >= self.test - self.gap] = OUT
        parts[times >= self.test] = TEST
        return parts


def cut_times(blocks: "Blocks", validation: float, test: float, gap: timedelta) -> TimeCuts:
    """Return the cuts of a split by time, with no more in memory than a block of times.

    Args:
        blocks: Returns the times of all rows in microseconds, in blocks; called several times.
        validation: Share of rows.
        test: Share of rows.
        gap: Length of time before each cut whose rows are left out.

    Raises:
        DataError: If there are too few times.
    """
    rows, firsts = first_times(blocks, needed := 3 if validation else 2)
    if len(firsts) < needed:
        raise DataError(
            what=f"The rows have {len(firsts)} different times; {needed} are needed.",
            why="Train rows must be older than test rows.",
            fix="Split without by_time=, or use rows from a longer time.",
        )
    wanted = part_sizes(rows, validation, test)
    # A cut is the first time of the later subset; the last distinct times are reserved for it.
    test_cut = nearest_time(blocks, firsts[-1], None, wanted[TEST])
    width = int(gap / timedelta(microseconds=1))
    if not validation:
        return TimeCuts(test_cut, None, width)
    before = test_cut - width
    # Without the first time: train rows must remain before the cut.
    if firsts[1] >= before:
        raise _gap_too_wide(gap)
    return TimeCuts(test_cut, nearest_time(blocks, firsts[1], before, wanted[VALIDATION]), width)


def by_group(codes: "Codes", validation: float, test: float, seed: int) -> "Parts":
    """Assign whole groups at random until each subset is as near to the requested share as possible."""
    parts: Parts = group_parts(_counts_of(codes), validation, test, seed)[codes]
    return parts


def group_parts(sizes: "Codes", validation: float, test: float, seed: int) -> "Parts":
    """Return the subset of each group; see `by_group`.

    Args:
        sizes: Rows of each group, 1 or more.
        validation: Share of rows.
        test: Share of rows.
        seed: Seed of the random order of the groups.

    Raises:
        DataError: If there are too few groups.
    """
    import numpy as np

    needed = 3 if validation else 2
    if len(sizes) < needed:
        raise DataError(
            what=f"The rows belong to {len(sizes)} groups; {needed} are needed.",
            why="Every group goes into one part as a whole.",
            fix="Split by another column, or without by_group=.",
        )
    wanted = part_sizes(int(sizes.sum()), validation, test)
    order = np.random.default_rng(seed).permutation(len(sizes))
    part_of = np.full(len(sizes), TRAIN, dtype=np.int8)
    free = order
    for part in (TEST, VALIDATION) if validation else (TEST,):
        # So many groups must remain for the subsets that are filled later.
        keep = 1 if part == VALIDATION or not validation else 2
        chosen = _fill(sizes, free, wanted[part], keep)
        part_of[chosen] = part
        free = free[part_of[free] == TRAIN]
    return part_of


def by_both(
    codes: "Codes", times: "Codes", validation: float, test: float, gap: timedelta, seed: int
) -> "Parts":
    """Assign by time, and each group to a single subset; rows in the wrong subset are left out.

    A group that lies within the time range of a single subset goes there. The rest is divided at
    random, so that both long-lived groups (shops) and short-lived groups (orders) retain most of
    their rows.
    """
    import numpy as np

    parts = by_time(times, validation, test, gap)
    sizes = _counts_of(codes)
    present = np.zeros((len(sizes), 3), dtype=np.int64)
    add_present(present, codes, parts)
    part_of = straddling_parts(present, sizes, validation, test, seed)
    return np.where(parts == part_of[codes], parts, OUT).astype(np.int8)


def add_present(present: "Codes", codes: "Codes", parts: "Parts") -> None:
    """Count the rows of each group in each subset, in place.

    Args:
        present: Rows by group and subset, shape (groups, 3).
        codes: Group of each row.
        parts: Subset of each row by time.
    """
    import numpy as np

    inside = parts != OUT
    places = codes[inside] * 3 + parts[inside]
    present += np.bincount(places, minlength=present.size).reshape(present.shape)


def straddling_parts(
    present: "Codes", sizes: "Codes", validation: float, test: float, seed: int
) -> "Parts":
    """Return the subset of each group for a split by both; see `by_both`.

    Args:
        present: Rows by group and subset by time, shape (groups, 3).
        sizes: Rows of each group, those in a gap included.
        validation: Share of rows.
        test: Share of rows.
        seed: Seed of the random order of the groups.
    """
    import numpy as np

    part_of: Parts = present.argmax(axis=1).astype(np.int8)
    straddling = np.flatnonzero((present > 0).sum(axis=1) > 1)
    # Fewer groups cannot be divided: they stay where most of their rows are.
    if len(straddling) >= (3 if validation else 2):
        part_of[straddling] = group_parts(sizes[straddling], validation, test, seed)
    return part_of


def part_sizes(rows: int, validation: float, test: float) -> tuple[int, int, int]:
    """Convert shares to numbers of rows, at least 1 each."""
    tests = min(max(1, round(rows * test)), rows - (2 if validation else 1))
    validations = min(max(1, round(rows * validation)), rows - tests - 1) if validation else 0
    return rows - tests - validations, validations, tests


class _Take:
    """The first rows of a random order in which every prefix has each stratum in proportion.

    The row with rank r of a stratum of n rows has the share (r + 0.5) / n; rows are taken by rising
    share, and of equal shares in the random order. So each stratum gives its first ranks.

    Args:
        sizes: Rows of each stratum.
        wanted: Rows to take.
    """

    def __init__(self, sizes: "Codes", wanted: int) -> None:
        import numpy as np

        low, high = 0.0, 1.0
        # The smallest share up to which there are as many rows as wanted.
        while True:
            middle = low + (high - low) / 2
            if middle in {low, high}:
                break
            if int(_ranks_up_to(sizes, middle).sum()) >= wanted:
                high = middle
            else:
                low = middle
        upto, below = _ranks_up_to(sizes, high), _ranks_up_to(sizes, float(np.nextafter(high, 0)))
        self._below, self._upto = below, upto
        self._left = wanted - int(below.sum())  # of those with just that share

    def rows(self, strata: "Codes", ranks: "Codes") -> "np.ndarray[Any, np.dtype[np.bool_]]":
        """Return which of the next rows of the random order are taken."""
        import numpy as np

        below: np.ndarray[Any, np.dtype[np.bool_]] = ranks < self._below[strata]
        if not self._left:
            return below
        last = np.flatnonzero(~below & (ranks < self._upto[strata]))[: self._left]
        self._left -= len(last)
        below[last] = True
        return below


def _ranks_up_to(sizes: "Codes", share: float) -> "Codes":
    """Count the ranks of each stratum whose share is not above a limit."""
    import numpy as np

    # Divided as shares are, so that rounding cannot matter; the guess is off by one at most.
    ranks: Codes = np.clip(np.floor(share * sizes - 0.5).astype(np.int64), -1, sizes - 1)
    for _ in range(2):
        ranks += ((ranks + 1 < sizes) & ((ranks + 1.5) / np.maximum(sizes, 1) <= share)).astype(int)
        ranks -= ((ranks >= 0) & ((ranks + 0.5) / np.maximum(sizes, 1) > share)).astype(int)
    return ranks + 1


def _ranks(strata: "Codes") -> "Codes":
    """Return the number of rows before each row that are of the same stratum."""
    import numpy as np

    ordered = np.argsort(strata, kind="stable")
    sizes = np.bincount(strata)
    ranks = np.empty(len(strata), dtype=np.int64)
    starts = np.cumsum(sizes) - sizes
    ranks[ordered] = np.arange(len(strata)) - np.repeat(starts, sizes)
    return ranks


def _counts_of(codes: "Codes") -> "Codes":
    """Count each code, block by block: NumPy would copy small integers to large ones."""
    import numpy as np

    counts = np.zeros(int(codes.max()) + 1, dtype=np.int64)
    for start in range(0, len(codes), _BLOCK):
        counts += np.bincount(codes[start : start + _BLOCK], minlength=len(counts))
    return counts


def _fill(sizes: "Codes", free: "Codes", wanted: int, keep: int) -> list[Any]:
    """Select groups in order while each brings the total nearer to the wanted number."""
    chosen: list[Any] = []
    total = 0
    for group in free:
        if len(free) - len(chosen) <= keep or total >= wanted:
            break
        if abs(total + sizes[group] - wanted) < abs(total - wanted):
            chosen.append(group)
            total += int(sizes[group])
    # An empty subset is of no use, and the smallest group misses the share least.
    return chosen or [free[sizes[free].argmin()]]


def _gap_too_wide(gap: timedelta) -> DataError:
    return DataError(
        what=f"A gap of {gap} leaves no rows to train on.",
        why="Rows this close before validation and test are left out.",
        fix="Give a shorter gap=, or rows from a longer time.",
    )
