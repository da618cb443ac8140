"""Fields of JSON files whose values are of several types: kept as JSON, for who judges each value.

A table has one type in a column. Read as a table, a number in quotes among numbers makes texts of
all of them, and a number among texts becomes a text.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.data.sources._text import read_bytes, to_utf8

if TYPE_CHECKING:
    import polars as pl

_NO_TEXT = r"^(-?\d|true$|false$|\[|\{)"  # how polars writes a value that is no text as one


def may_be_mixed(frames: "Sequence[pl.DataFrame]", names: Collection[str]) -> bool:
    """Return whether a field of some frames may have had values of several types.

    Args:
        frames: The frames as polars read them, one for each file.
        names: The fields.
    """
    import polars as pl

    for name in names:
        columns = [frame[name] for frame in frames if name in frame.columns]
        kinds = {_kind(column.dtype) for column in columns} - {"null"}
        texts = [column for column in columns if column.dtype == pl.String]
        if len(kinds) > 1 or any(bool(each.str.contains(_NO_TEXT).any()) for each in texts):
            return True
    return False


def mixed_fields(objects: Iterable[Mapping[str, Any]], names: Collection[str]) -> frozenset[str]:
    """Return the fields whose values are of several types; a missing value has none."""
    kinds: dict[str, set[str]] = {name: set() for name in names}
    for each in objects:
        for name in kinds.keys() & each.keys():
            kinds[name].add(_kind_of(each[name]))
    return frozenset(name for name, found in kinds.items() if len(found - {"null"}) > 1)


def read_objects(file: Path) -> list[dict[str, Any]]:
    """Read the objects of a file that is JSON."""
    return list(objects_of(to_utf8(read_bytes(file), file)[0]))


def objects_of(content: bytes) -> Iterator[dict[str, Any]]:
    """Read the objects of lines or of an array."""
    text = content.decode()
    if text.lstrip().startswith("["):
        yield from json.loads(text)
    else:
        yield from map(json.loads, filter(str.strip, text.split("\n")))


def pack(objects: Iterable[Mapping[str, Any]], names: Collection[str]) -> bytes:
    """Write objects as lines, in which some fields are texts that hold JSON."""
    lines = []
    for each in objects:
        packed = {name: json.dumps(each[name]) for name in names if each.get(name) is not None}
        lines.append(json.dumps({**each, **packed}))
    return "\n".join(lines).encode()


def _kind_of(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool | str):
        return type(value).__name__
    return "number" if isinstance(value, int | float) else "other"


def _kind(dtype: "pl.DataType") -> str:
    import polars as pl

    if dtype.is_numeric():
        return "number"
    names = {pl.Boolean: "bool", pl.String: "str", pl.Null: "null"}
    return names.get(dtype.base_type(), "other")
