"""Values that may be logged: conversion to JSON-like values, and to artifact records."""

import operator
from collections.abc import Callable, Mapping
from enum import Enum
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.core import ArtifactRecord, NotFoundError, ParameterError, require_label
from penstock.stores import dump_json
from penstock.tracking._folder import files_of, readable_name

if TYPE_CHECKING:
    from penstock.stores import Store

_LONGEST = 2000
_MOST_BITS = 8192


def json_like(value: Any) -> Any:
    """Return the value in plain types if the store can hold the value; else as text.

    >>> json_like([1, "a"]), json_like(int)
    ([1, 'a'], "<class 'int'>")
    >>> from collections import Counter
    >>> json_like({"counts": Counter("aab")})
    {'counts': {'a': 2, 'b': 1}}

    Subclasses become their base types, a named tuple a dict by its fields, NumPy's numbers
    Python's.
    """
    try:
        return _plain(value)
    except (TypeError, RecursionError):  # a set of future dicts; a value inside itself
        return str(value)[:_LONGEST]


def _plain(value: Any) -> Any:
    kind = type(value)
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        return hex(value)[:_LONGEST]  # Python refuses to write so many digits
    if kind in _SCALARS or isinstance(value, Enum):
        return value
    if kind.__module__ == "numpy" and getattr(value, "shape", None) == ():
        return _text(value) if value.dtype.kind in "mMV" else _plain(value.item())
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return {name: _plain(item) for name, item in zip(kind._fields, value, strict=True)}
    if isinstance(value, Mapping):
        return {_plain(key): _plain(item) for key, item in value.items()}
    for base, made in _BASES.items():
        if isinstance(value, base):
            return made(value)
    try:
        dump_json(value)
    except TypeError:
        return _text(value)
    return value


def _text(value: Any) -> str:
    return str(value)[:_LONGEST]


_SCALARS = frozenset({type(None), bool, int, float, str})
# In this order: each with how it becomes exactly that type.
_BASES: dict[type, Callable[[Any], Any]] = {
    int: operator.index,
    float: float.__pos__,
    str: str.__str__,
    list: lambda value: [_plain(item) for item in value],
    tuple: lambda value: tuple(_plain(item) for item in value),
    set: lambda value: {_plain(item) for item in value},
    frozenset: lambda value: frozenset(_plain(item) for item in value),
}


def value_records(store: "Store", value: Any, name: str) -> dict[str, list[ArtifactRecord]]:
    """Store a value and return its records by name.

    Raises:
        ParameterError: If the name cannot be stored.
    """
    return {require_label(name, "artifact"): store.pack(value)}


def file_records(store: "Store", path: Path, name: str | None) -> dict[str, list[ArtifactRecord]]:
    """Store a file or the files of a folder and return the records by name.

    Raises:
        NotFoundError: If there is no such file or folder.
        ParameterError: If a name cannot be stored, a folder is empty, or the path is a pipe or
            device.
    """
    if not _exists(path):
        raise NotFoundError(
            what=f"There is no file or folder {str(path)[:200]!r} to log.",
            why="A text is taken as a path.",
            fix="Check the path; log a text itself with log_text(name, text).",
            path=path,
        )
    top = name or readable_name(path.resolve().name)
    if not path.is_dir() and not path.is_file():
        raise ParameterError(
            what=f"{str(path)[:200]!r} is neither a file nor a folder.",
            why="A pipe or a device has no fixed bytes: reading it may never end.",
            fix="Log the file that what comes out of it was written to.",
        )
    if not path.is_dir():
        return {require_label(top, "artifact"): [store.pack_file(path)]}
    named = files_of(path, require_label(top, "artifact"))
    records = store.pack_files(list(named.values()))
    return {label: [record] for label, record in zip(named, records, strict=True)}


def as_path(value: Any) -> Path | None:
    """Return the path that an argument means; None if the argument is a value.

    Raises:
        ParameterError: If the argument is an empty text.
    """
    if not isinstance(value, str | PathLike):
        return None
    if isinstance(value, str) and not value.strip():
        raise ParameterError(
            what=f"{value!r} names no file to log.",
            why="A text is taken as a path.",
            fix="Give the path; log a text itself with log_text(name, text).",
        )
    return Path(value)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
