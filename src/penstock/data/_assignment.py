"""Assignment of rows to the subsets of a split: at random, by time, by group, or by both.

The subset of a row is a number: 0 train, 1 validation, 2 test, -1 left out.
"""

from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from penstock.core import DataError

if TYPE_CHECKING:
    import numpy as np

    Parts: TypeAlias = "np.ndarray[Any, np.dtype[np.int8]]"
    Codes: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"

TRAIN, VALIDATION, TEST, OUT = 0, 1, 2, -1


def by_chance(
    rows: int, validation: float, test: float, seed: int, strata: "Codes | None"
) -> "Parts":
    """Assign rows at random; with strata, each stratum is divided as evenly as whole rows allow."""
    import numpy as np

    generator = np.random.default_rng(seed)
    order = generator.permutation(rows)
    if strata is not None:
        order = _interleave(strata, order)
    wanted = part_sizes(rows, validation, test)
    parts = np.full(rows, TRAIN, dtype=np.int8)
    parts[order[: wanted[TEST]]] = TEST
    parts[order[wanted[TEST] : wanted[TEST] + wanted[VALIDATION]]] = VALIDATION
    return parts


def by_time(times: "Codes", validation: float, test: float, gap: timedelta) -> "Parts":
    """Assign rows by two cut times: the newest rows are test; equal times stay together.

    Args:
        times: Microseconds, shape (n,).
        validation: Share of rows.
        test: Share of rows.
        gap: Length of time before each cut whose rows are left out.
    """
    import numpy as np

    ordered = np.sort(times)
    distinct = np.unique(ordered)
    needed = 3 if validation else 2
    if len(distinct) < needed:
        raise DataError(
            what=f"The rows have {len(distinct)} different times; {needed} are needed.",
            why="Train rows must be older than test rows.",
            fix="Split without by_time=, or use rows from a longer time.",
        )
    wanted = part_sizes(len(times), validation, test)
    # A cut is the first time of the later subset; the last distinct times are reserved for it.
    test_cut = _cut(ordered, distinct[needed - 1 :], wanted[TEST])
    parts = np.full(len(times), TRAIN, dtype=np.int8)
    width = int(gap / timedelta(microseconds=1))
    # The next line overwrites the test rows: what stays OUT is the gap.
    parts[times >= test_cut - width] = OUT
    parts[times >= test_cut] = TEST
    if not validation:
        return parts
    earlier = ordered[ordered < test_cut - width]
    # Without the first time: train rows must remain before the cut.
    choices = np.unique(earlier)[1:]
    if not len(choices):
        raise _gap_too_wide(gap)
    cut = _cut(earlier, choices, wanted[VALIDATION])
    before = times < test_cut - width
    parts[before & (times >= cut - width)] = OUT
    parts[before & (times >= cut)] = VALIDATION
    return parts


def by_group(codes: "Codes", validation: float, test: float, seed: int) -> "Parts":
    """Assign whole groups at random until each subset is as near to the requested share as possible."""
    import numpy as np

    sizes = np.bincount(codes)
    needed = 3 if validation else 2
    if len(sizes) < needed:
        raise DataError(
            what=f"The rows belong to {len(sizes)} groups; {needed} are needed.",
            why="Every group goes into one part as a whole.",
            fix="Split by another column, or without by_group=.",
        )
    wanted = part_sizes(len(codes), validation, test)
    order = np.random.default_rng(seed).permutation(len(sizes))
    part_of = np.full(len(sizes), TRAIN, dtype=np.int8)
    free = list(order)
    for part in (TEST, VALIDATION) if validation else (TEST,):
        # So many groups must remain for the subsets that are filled later.
        keep = 1 if part == VALIDATION or not validation else 2
        chosen = _fill(sizes, free, wanted[part], keep)
        part_of[chosen] = part
        taken = set(chosen)
        free = [group for group in free if group not in taken]
    return part_of[codes]


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
    groups = int(codes.max()) + 1
    present = np.zeros((groups, 3), dtype=np.int64)
    inside = parts != OUT
    np.add.at(present, (codes[inside], parts[inside]), 1)
    part_of = present.argmax(axis=1).astype(np.int8)
    straddling = np.flatnonzero((present > 0).sum(axis=1) > 1)
    # Fewer groups cannot be divided: they stay where most of their rows are.
    if len(straddling) >= (3 if validation else 2):
        # by_group needs codes without gaps.
        dense = np.full(groups, -1)
        dense[straddling] = np.arange(len(straddling))
        rows = np.flatnonzero(dense[codes] >= 0)
        drawn = by_group(dense[codes[rows]], validation, test, seed)
        part_of[codes[rows]] = drawn
    return np.where(parts == part_of[codes], parts, OUT).astype(np.int8)


def part_sizes(rows: int, validation: float, test: float) -> tuple[int, int, int]:
    """Convert shares to numbers of rows, at least 1 each."""
    tests = min(max(1, round(rows * test)), rows - (2 if validation else 1))
    validations = min(max(1, round(rows * validation)), rows - tests - 1) if validation else 0
    return rows - tests - validations, validations, tests


def _interleave(strata: "Codes", order: "Codes") -> "Codes":
    """Order rows so that every prefix holds each stratum in proportion."""
    import numpy as np

    shuffled = strata[order]
    sizes = np.bincount(shuffled)
    by_stratum = np.argsort(shuffled, kind="stable")
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    rank = np.empty(len(order), dtype=np.float64)
    rank[by_stratum] = np.arange(len(order)) - np.repeat(starts, sizes)
    # Relative rank within the stratum: sorted by this, every prefix mixes the strata evenly.
    share = (rank + 0.5) / sizes[shuffled]
    return order[np.argsort(share, kind="stable")]


def _cut(ordered: "Codes", choices: "Codes", wanted: int) -> int:
    """Return the time from which on the number of rows is nearest to the wanted number."""
    import numpy as np

    after = len(ordered) - np.searchsorted(ordered, choices, side="left")
    return int(choices[np.argmin(np.abs(after - wanted))])


def _fill(sizes: "Codes", free: list[Any], wanted: int, keep: int) -> list[Any]:
    """Select groups in order while each brings the total nearer to the wanted number."""
    chosen: list[Any] = []
    total = 0
    for group in free:
        if len(free) - len(chosen) <= keep:
            break
        if abs(total + sizes[group] - wanted) < abs(total - wanted):
            chosen.append(group)
            total += int(sizes[group])
    # An empty subset is of no use, and the smallest group misses the share least.
    return chosen or [min(free, key=lambda group: int(sizes[group]))]


def _gap_too_wide(gap: timedelta) -> DataError:
    return DataError(
        what=f"A gap of {gap} leaves no rows to train on.",
        why="Rows this close before validation and test are left out.",
        fix="Give a shorter gap=, or rows from a longer time.",
    )
