"""How a journal's points stand in its files, and how they are read.

A journal is a folder of one process::

    owner             locked while the process lives
    series            a line of JSON for each series, [run_id, key]; its place is the series' number
    00000001.points   records of 32 bytes: value, step, time, series, mark
    00000002.points   …

The mark of a record is written last: a record that a killed process had only begun has none.
A record never crosses a memory page, so what is there is there whole.
"""

import json
import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.core import MetricColumns

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RECORD = struct.Struct("@ddqII")
MARK = 0x70656E73
OWNER = "owner"
SERIES = "series"
POINTS = ".points"
_FIELDS = [("value", "f8"), ("step", "f8"), ("time", "i8"), ("series", "u4"), ("mark", "u4")]
_MANY = 16  # from so many on numpy is faster, and worth its import
_SHORT = 1 << 16  # numbers of 16 bits are sorted five times as fast
Names = Sequence[tuple[str, str]]


def position_of(page: int, place: int) -> int:
    """Number a place in a journal: greater numbers come later.

    >>> position_of(2, 0) > position_of(1, 64)
    True
    """
    return page << 32 | place


def page_and_place(position: int) -> tuple[int, int]:
    """Give the page and the place in it that a position means."""
    return position >> 32, position & 0xFFFFFFFF


def page_path(folder: Path, page: int) -> Path:
    """Name the file of a page."""
    return folder / f"{page:08d}{POINTS}"


def write_name(run_id: str, key: str) -> bytes:
    """Write a series' name as its line."""
    return json.dumps([run_id, key]).encode() + b"\n"


def read_names(text: bytes) -> list[tuple[str, str]]:
    """Read the series' names; a last line that was only begun has no points yet."""
    whole = text[: text.rfind(b"\n") + 1]
    return [tuple(json.loads(line)) for line in whole.splitlines()]


def pack_points(
    series: tuple[int, ...], values: Sequence[float], steps: Sequence[float], micros: int
) -> bytes:
    """Write one point each of several series as records.

    Raises:
        struct.error: If a value is no number; nothing is written then.
    """
    count = len(series)
    if count < _MANY:
        fields: list[float] = []
        for number, value, step in zip(series, values, steps, strict=True):
            fields += (value, step, micros, number, MARK)
        return _several(count).pack(*fields)
    import numpy as np

    records = _template(series).copy()
    # Packed by struct, which takes numbers only: numpy would make NaN of None.
    records["value"] = np.frombuffer(_floats(count).pack(*values))
    records["step"] = np.frombuffer(_floats(count).pack(*steps))
    records["time"] = micros
    return records.tobytes()


@lru_cache(maxsize=_MANY)
def _several(count: int) -> struct.Struct:
    return struct.Struct("@" + RECORD.format.removeprefix("@") * count)


@lru_cache(maxsize=64)
def _floats(count: int) -> struct.Struct:
    return struct.Struct(f"@{count}d")


@lru_cache(maxsize=16)
def _template(series: tuple[int, ...]) -> "NDArray[np.void]":
    import numpy as np

    records = np.zeros(len(series), _FIELDS)
    records["series"], records["mark"] = series, MARK
    return records


def pack_columns(
    series: int,
    steps: "NDArray[np.float64]",
    values: "NDArray[np.float64]",
    times: "NDArray[np.int64]",
) -> bytes:
    """Write many points of one series as records."""
    import numpy as np

    records = np.empty(len(values), _FIELDS)
    records["value"], records["step"], records["time"] = values, steps, times
    records["series"], records["mark"] = series, MARK
    return records.tobytes()


def columns_of(data: bytes, names: Names) -> Iterator[MetricColumns]:
    """Read records, one series after the other, each in the order of logging."""
    import numpy as np

    records = np.frombuffer(data, _FIELDS)
    records = records[records["mark"] == MARK]
    if not len(records):
        return
    series = records["series"]
    if len(names) <= _SHORT:
        series = series.astype(np.uint16)
    order = np.argsort(series, kind="stable")
    ends = np.flatnonzero(np.diff(series[order])) + 1
    for places in np.split(order, ends):
        part = records[places]
        run_id, key = names[int(part["series"][0])]
        yield MetricColumns(
            run_id,
            key,
            np.ascontiguousarray(part["step"]),
            np.ascontiguousarray(part["value"]),
            np.ascontiguousarray(part["time"]),
        )
