"""Format of a journal's files, and the reader.

A journal is a folder of a single process::

    owner             locked while the process lives
    series            a line of JSON for each series: [run_id, key, number, checksum]
    00000001.points   records of 32 bytes: value, step, time, series, mark
    00000002.points   …
    facts             a line of JSON for each fact that could not be recorded; see _facts

The mark of a record is written last: a record that a killed process had only begun has none. A
record never crosses a memory page, so a marked record is complete. Damage by a disk or a person is
recognised by the checksum of a name, a mark that is neither ours nor 0, a series without a name, a
step that is not a number.
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
_MANY = 16  # from this count on numpy is faster, and worth the import
_SHORT = 1 << 16  # numbers of 16 bits are sorted five times as fast
Names = Sequence[tuple[str, str]] | Mapping[int, tuple[str, str]]


def position_of(page: int, place: int) -> int:
    """Return the position for a place in a journal: later places have greater numbers.

    >>> position_of(2, 0) > position_of(1, 64)
    True
    """
    return page << 32 | place


def page_and_place(position: int) -> tuple[int, int]:
    """Return the page and the place in the page for a position."""
    return position >> 32, position & 0xFFFFFFFF


def page_path(folder: Path, page: int) -> Path:
    """Return the file of a page."""
    return folder / f"{page:08d}{POINTS}"


def write_name(number: int, run_id: str, key: str) -> bytes:
    """Return a series' name as a line."""
    return write_line([run_id, key, number])


def write_line(values: list[Any]) -> bytes:
    """Return a list as a line that ends with a checksum."""
    text = json.dumps(values)
    return json.dumps([*values, zlib.crc32(text.encode())]).encode() + b"\n"


def read_lines(text: bytes) -> Iterator[list[Any] | None]:
    """Read the lines that `write_line` wrote, None for a damaged line.

    A last line without an end was only begun by a killed process.
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
    """Read the format of penstock 0.1: the position of a line is the number of the series."""
    names, damaged = dict[int, tuple[str, str]](), 0
    for number, line in enumerate(text[: text.rfind(b"\n") + 1].splitlines()):
        try:
            run_id, key = json.loads(line)
            names[number] = str(run_id), storable_name(str(key))
        except (ValueError, TypeError):
            damaged += 1
    return names, damaged


def storable_name(key: str) -> str:
    """Return the name of a metric in a form that every database can store; see require_label."""
    key = key.replace("\0", r"\x00").encode("utf-8", "backslashreplace").decode()
    if len(key.encode()) <= LABEL_BYTES and key.strip():
        return key
    short = key.encode()[: LABEL_BYTES - 20].decode("utf-8", "ignore")
    return f"{short}…{zlib.crc32(key.encode()):08x}"


def sound_points(data: bytes, known: Collection[int]) -> tuple[bytes, int]:
    """Return the records that can be read, and the number of the rest."""
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
    """Write a point of each of several series as records.

    Raises:
        struct.error: If a value is not a number; nothing is written then.
    """
    count = len(series)
    if count < _MANY:
        fields: list[float] = []
        for number, value, step in zip(series, values, steps, strict=True):
            fields += (value, step, micros, number, MARK)
        return _several(count).pack(*fields)
    import numpy as np

    records = _template(series).copy()
    # Packed by struct, which accepts numbers only: numpy would make NaN of None.
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
    """Write many points of a single series as records."""
    import numpy as np

    records = np.empty(len(values), _FIELDS)
    records["value"], records["step"], records["time"] = values, steps, times
    records["series"], records["mark"] = series, MARK
    return records.tobytes()


def columns_of(data: bytes, names: Names) -> Iterator[MetricColumns]:
    """Read records, series after series, each in the order of logging."""
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
