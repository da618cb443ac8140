"""Parquet objects of which only the row groups come here that can hold rows of a window.

The copy has the object's size, with holes in place of the other groups. A hole is no Parquet: a
reader that came upon one would fail, and the copy is read once before it is used.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

from penstock.data.sources._window import Window

LEAST_BYTES = 1 << 20
"""Smaller objects are fetched whole: that is one request."""

_TAIL = 1 << 16
_MAGIC, _END = b"PAR1", 8  # bytes of the footer's length and the magic word
_CLOSE = 1 << 19  # groups that are this near are fetched together
_MOST_SHARE = 0.8  # of the bytes; for little less the object is fetched whole

Span = tuple[int, int]
Read = Callable[[int, int], bytes]


def fetch_row_groups(read: Read, size: int, place: Path, window: Window) -> bool:
    """Copy the row groups of a window, and all else of the file, to a place on the disk.

    Args:
        read: Returns the bytes of the object from a place to a place, without the last.
        size: Size of the object in bytes.
        place: Where the copy is written.
        window: The requested rows.

    Returns:
        False if the object has to be fetched whole: nearly all of it is needed, it has no
        statistics of its times, or pyarrow is not installed.
    """
    try:
        import pyarrow.parquet as pq
    except ImportError:
        return False
    if not (window.is_limited and isinstance(window.time, str)) or window.available_at:
        return False  # rows that became known late may all be left out: then all times are read
    footer = _footer(read, size)
    if footer is None:
        return False
    with place.open("wb") as target:
        target.truncate(size)
        target.write(_MAGIC)
        target.seek(size - len(footer))
        target.write(footer)
    try:
        spans = _needed(pq.read_metadata(place), window, size - len(footer))
    except (OSError, ValueError):  # the whole file gives the reader's own message
        return False
    if sum(end - start for start, end in spans) > _MOST_SHARE * size:
        return False
    with place.open("r+b") as target:
        for start, end in spans:
            target.seek(start)
            target.write(read(start, end))
    return _is_readable(place, window)


def _footer(read: Read, size: int) -> bytes | None:
    tail = read(max(0, size - _TAIL), size)
    if len(tail) < _END or not tail.endswith(_MAGIC):
        return None
    length = int.from_bytes(tail[-_END : -len(_MAGIC)], "little") + _END
    if length > size:
        return None
    return tail[-length:] if length <= len(tail) else read(size - length, size)


def _needed(metadata: Any, window: Window, end: int) -> list[Span]:
    """Return where the needed groups stand, and what stands between the last and the footer."""
    names = [metadata.schema.column(place).path for place in range(metadata.num_columns)]
    if window.time not in names:
        raise ValueError(f"no column {window.time}")
    time = names.index(str(window.time))
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    spans = [_span(group) for group in groups]
    kept = [
        span
        for group, span in zip(groups, spans, strict=True)
        if _may_hold(group.column(time).statistics, window)
    ]
    return list(_joined([*kept, (max((last for _, last in spans), default=end), end)]))


def _span(group: Any) -> Span:
    chunks = [group.column(place) for place in range(group.num_columns)]
    starts = [min(filter(None, (c.dictionary_page_offset, c.data_page_offset))) for c in chunks]
    ends = [start + c.total_compressed_size for start, c in zip(starts, chunks, strict=True)]
    return min(starts), max(ends)


def _may_hold(statistics: Any, window: Window) -> bool:
    """Return whether a group can have rows of a window, or rows without a time, which are counted."""
    if statistics is None or not (statistics.has_min_max and statistics.has_null_count):
        return True
    if statistics.null_count or not isinstance(statistics.min, date):
        return True
    return window.may_hold(statistics.min, statistics.max)


def _joined(spans: list[Span]) -> Iterator[Span]:
    start = end = None
    for low, high in sorted(span for span in spans if span[0] < span[1]):
        if start is None or end is None:
            start, end = low, high
        elif low - end <= _CLOSE:
            end = max(end, high)
        else:
            yield start, end
            start, end = low, high
    if start is not None and end is not None:
        yield start, end


def _is_readable(place: Path, window: Window) -> bool:
    """Return whether the reader skips the holes, and finds rows of the window."""
    import polars as pl

    with suppress(OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException):
        scan = pl.scan_parquet(place, glob=False, hive_partitioning=False)
        found = window.count_lazily(scan, scan.collect_schema())
        return bool(found)  # without rows, an error names the times of the whole file
    return False
