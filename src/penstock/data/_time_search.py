"""Search for a cut time among times that are read in blocks, several times over.

The times are not sorted: each reading counts them in 65,536 intervals of the one that has the cut.
"""

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy as np

    Times: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"
    Blocks: TypeAlias = Callable[[], Iterable[Times]]

_INTERVALS = 1 << 16
_FEW = 1 << 20  # times that are collected


def first_times(blocks: "Blocks", count: int) -> tuple[int, list[int]]:
    """Count all times, and return the earliest distinct ones.

    >>> import numpy as np
    >>> first_times(lambda: [np.array([5, 3]), np.array([3, 9])], 2)
    (4, [3, 5])
    """
    import numpy as np

    rows, firsts = 0, np.empty(0, dtype=np.int64)
    for block in blocks():
        rows += len(block)
        if len(firsts) == count:
            block = block[block < firsts[-1]]  # noqa: PLW2901 - most times are later
        for _ in range(count):
            if not len(block):
                break
            first = block.min()
            firsts = np.unique(np.append(firsts, first))[:count]
            block = block[block > first]  # noqa: PLW2901 - without the first
    return rows, firsts.tolist()


def nearest_time(blocks: "Blocks", first: int, before: int | None, wanted: int) -> int:
    """Return the time from which on the number of times is nearest to a wanted number.

    Of two times that are equally near the earlier.

    >>> import numpy as np
    >>> nearest_time(lambda: [np.array([5, 3, 3, 9])], 3, None, 1)
    9

    Args:
        blocks: Returns the times in blocks.
        first: The earliest time to choose from; it occurs.
        before: Times from here on do not count; None for all.
        wanted: The number of times.
    """
    low, high = first, _latest(blocks, before)
    after = 0  # times above the interval
    while True:
        counts, width = _count(blocks, low, high)
        totals = after + counts[::-1].cumsum()[::-1]
        enough = totals >= wanted
        if not enough.any():
            return first
        place = int(enough.nonzero()[0][-1])
        after = int(totals[place] - counts[place])
        low, high = low + place * width, min(high, low + (place + 1) * width - 1)
        if width == 1 or counts[place] <= _FEW:
            return _decide(blocks, (low, high), before, after, wanted)


def _latest(blocks: "Blocks", before: int | None) -> int:
    latest = None
    for block in blocks():
        times = block if before is None else block[block < before]
        if len(times):
            latest = max(int(times.max()), latest if latest is not None else int(times.max()))
    assert latest is not None
    return latest


def _count(blocks: "Blocks", low: int, high: int) -> "tuple[Times, int]":
    """Count the times of each interval, and return the width of the intervals."""
    import numpy as np

    width = (high - low) // _INTERVALS + 1
    counts = np.zeros((high - low) // width + 1, dtype=np.int64)
    for block in blocks():
        inside = block[(block >= low) & (block <= high)]
        counts += np.bincount((inside - low) // width, minlength=len(counts))
    return counts, width


def _decide(
    blocks: "Blocks", ends: tuple[int, int], before: int | None, after: int, wanted: int
) -> int:
    """Return the nearest time of an interval, or the first one above it.

    Args:
        blocks: Returns the times in blocks.
        ends: The interval's first and last time.
        before: Times from here on do not count.
        after: Number of times above the interval that count.
        wanted: The number of times.
    """
    import numpy as np

    times, sizes = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    above: int | None = None
    for block in blocks():
        inside = block[(block >= ends[0]) & (block <= ends[1])]
        times, sizes = _merge(times, sizes, inside)
        later = (
            block[block > ends[1]]
            if before is None
            else block[(block > ends[1]) & (block < before)]
        )
        if len(later):
            above = int(later.min()) if above is None else min(above, int(later.min()))
    totals = after + sizes[::-1].cumsum()[::-1]
    if above is not None:
        times, totals = np.append(times, above), np.append(totals, after)
    return int(times[np.argmin(np.abs(totals - wanted))])


def _merge(times: "Times", sizes: "Times", more: "Times") -> "tuple[Times, Times]":
    """Add times to the distinct ones with their numbers."""
    import numpy as np

    added, counts = np.unique(more, return_counts=True)
    every, places = np.unique(np.concatenate([times, added]), return_inverse=True)
    total = np.zeros(len(every), dtype=np.int64)
    np.add.at(total, places, np.concatenate([sizes, counts]))
    return every, total
