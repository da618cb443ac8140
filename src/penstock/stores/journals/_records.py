"""How a journal's points stand in its files, and how they are read.

A journal is a folder of one process::

    owner             locked while the process lives
    series            a line of JSON for each series: [run_id, key, number, checksum]
    00000001.points   records of 32 bytes: value, step, time, series, mark
    00000002.points   …
    facts             a line of JSON for each fact that the store could not take; see _facts

The mark of a record is written last: a record that a killed process had only begun has none.
A record never crosses a memory page, so what is there is there whole. What a disk or a person has
damaged is told from it by the checksum of a name, a mark that is neither ours nor 0, a series that
has no name, a step that is no number.
"""

import json
import struct
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.core import LABEL_BYTES, MetricColumns

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RECORD = struct.Struct("@ddqII")
MARK = 0x70656E73
OWNER = "owner"
SERIES = "series"
FACTS = "facts"
POINTS = ".points"
_FIELDS = [("value", "f8"), ("step", "f8"), ("time", "i8"), ("series", "u4"), ("mark", "u4")]
_MANY = 16  # from so many on numpy is faster, and worth its import
_SHORT = 1 << 16  # numbers of 16 bits are sorted five times as fast
Names = Sequence[tuple[str, str]] | Mapping[int, tuple[str, str]]


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


def write_name(number: int, run_id: str, key: str) -> bytes:
    """Write a series' name as its line."""
    return write_line([run_id, key, number])


def write_line(values: list[Any]) -> bytes:
    """Write a list as a line that ends with its checksum."""
    text = json.dumps(values)
    return json.dumps([*values, zlib.crc32(text.encode())]).encode() + b"\n"


def read_lines(text: bytes) -> Iterator[list[Any] | None]:
    """Read the lines that `write_line` wrote, None for a damaged one.

    A last line without an end was only begun by a process that was killed.
    """
    for line in text[: text.rfind(b"\n") + 1].splitlines():
        try:
            *values, checksum = json.loads(line)
        except (ValueError, TypeError):
            yield None
            continue
        yield values if zlib.crc32(json.dumps(values).encode()) == checksum else None


def read_names(text: bytes) -> tuple[dict[int, tuple[str, str]], int]:
    """Read the names of the series by their numbers, and count the damaged lines."""
    names, damaged = dict[int, tuple[str, str]](), 0
    for line in read_lines(text):
        match line:
            case [str(run_id), str(key), int(number)]:
                names[number] = run_id, storable_name(key)
            case _:
                damaged += 1
    if not names and damaged:
        names, damaged = _old_names(text)
    return names, damaged


def _old_names(text: bytes) -> tuple[dict[int, tuple[str, str]], int]:
    """Read what penstock 0.1 wrote: the place of a line is the number of the series."""
    names, damaged = dict[int, tuple[str, str]](), 0
    for number, line in enumerate(text[: text.rfind(b"\n") + 1].splitlines()):
        try:
            run_id, key = json.loads(line)
            names[number] = str(run_id), storable_name(str(key))
        except (ValueError, TypeError):
            damaged += 1
    return names, damaged


def storable_name(key: str) -> str:
    """Give the name of a metric in a form that every database can store; see require_label."""
    key = key.replace("\0", r"\x00").encode("utf-8", "backslashreplace").decode()
    if len(key.encode()) <= LABEL_BYTES and key.strip():
        return key
    short = key.encode()[: LABEL_BYTES - 20].decode("utf-8", "ignore")
    return f"{short}…{zlib.crc32(key.encode()):08x}"


def sound_points(data: bytes, known: Collection[int]) -> tuple[bytes, int]:
    """Give the records that can be read, and count the others."""
    import numpy as np

    whole = len(data) // RECORD.size * RECORD.size
    records = np.frombuffer(data[:whole], _FIELDS)
    begun = records["mark"] != 0
    sound = (
        (records["mark"] == MARK)
        & np.isfinite(records["step"])
        & np.isin(records["series"], list(known))
    )
    lost = int((begun & ~sound).sum()) + (whole < len(data))
    return records[sound].tobytes(), lost


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
