"""JSON that gives back the Python types it was given; shared by stored values and table columns."""

import base64
import json
import math
import sys
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path, PurePath
from typing import Any
from uuid import UUID

from penstock.core import SerializationError

_TAG = "$"
_encode = json.JSONEncoder(separators=(",", ":"), check_circular=True).encode


def dump_json(value: Any) -> str:
    """Write a JSON-like value as compact JSON; what JSON has no word for becomes a tagged object.

    >>> dump_json({"a": [1, 2.5, None]})
    '{"a":[1,2.5,null]}'
    >>> load_json(dump_json((1, float("inf"))))
    (1, inf)

    Raises:
        TypeError: If a part of it has a type that is not JSON-like.
    """
    return _encode(_to_plain(value))


def load_json(text: str | bytes, *, strict: bool = False) -> Any:
    """Read what `dump_json` wrote.

    Args:
        text: The JSON text.
        strict: Raise if an enum's class is not loaded; else give its value instead.

    Raises:
        SerializationError: If ``strict`` and an enum's class is not loaded.
    """
    value = json.loads(text)
    tagged = b'"$":' in text if isinstance(text, bytes) else '"$":' in text
    return _from_plain(value, strict) if tagged else value


def _to_plain(value: Any) -> Any:
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None:
        return value
    if kind is float:
        return value if math.isfinite(value) else {_TAG: "float", "v": repr(value)}
    if kind is list:
        return [_to_plain(item) for item in value]
    if kind is dict:
        return _plain_dict(value)
    if isinstance(value, Enum):
        name = f"{kind.__module__}:{kind.__qualname__}"
        return {_TAG: "enum", "type": name, "name": value.name, "v": _to_plain(value.value)}
    if (writer := _WRITERS.get(kind)) is not None:
        return {_TAG: writer[0], "v": writer[1](value)}
    if isinstance(value, PurePath):
        return {_TAG: "path", "v": value.as_posix()}
    if kind.__module__ == "numpy" and getattr(value, "shape", None) == ():
        return _to_plain(value.item())
    raise TypeError(f"{kind.__module__}.{kind.__qualname__} is not JSON-like.")


def _plain_dict(value: dict[Any, Any]) -> dict[str, Any]:
    if _TAG not in value and all(type(key) is str for key in value):
        return {key: _to_plain(item) for key, item in value.items()}
    return {
        _TAG: "dict",
        "v": [[_to_plain(key), _to_plain(item)] for key, item in value.items()],
    }


def _plain_set(value: set[Any] | frozenset[Any]) -> list[Any]:
    # Sorted by their text, so that equal sets give equal bytes.
    return sorted((_to_plain(item) for item in value), key=_encode)


_WRITERS: dict[type, tuple[str, Callable[[Any], Any]]] = {
    tuple: ("tuple", lambda value: [_to_plain(item) for item in value]),
    set: ("set", _plain_set),
    frozenset: ("frozenset", _plain_set),
    bytes: ("bytes", lambda value: base64.b64encode(value).decode()),
    datetime: ("datetime", datetime.isoformat),
    date: ("date", date.isoformat),
    time: ("time", time.isoformat),
    timedelta: ("timedelta", lambda value: [value.days, value.seconds, value.microseconds]),
    Decimal: ("decimal", str),
    complex: ("complex", lambda value: [_to_plain(value.real), _to_plain(value.imag)]),
    UUID: ("uuid", str),
}

_READERS: dict[str, Callable[[Any], Any]] = {
    "float": float,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "dict": dict,
    "bytes": base64.b64decode,
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "timedelta": lambda parts: timedelta(*parts),
    "decimal": Decimal,
    "complex": lambda parts: complex(*parts),
    "uuid": UUID,
    "path": Path,
}


def _from_plain(value: Any, strict: bool) -> Any:
    if isinstance(value, list):
        return [_from_plain(item, strict) for item in value]
    if not isinstance(value, dict):
        return value
    tag = value.get(_TAG)
    if tag is None:
        return {key: _from_plain(item, strict) for key, item in value.items()}
    if tag == "enum":
        return _enum(value, strict)
    return _READERS[tag](_from_plain(value["v"], strict))


def _enum(value: dict[str, Any], strict: bool) -> Any:
    module, _, qualname = value["type"].partition(":")
    # Only classes that the program has loaded itself: reading must not run code by name.
    found: Any = sys.modules.get(module)
    for part in qualname.split("."):
        found = getattr(found, part, None)
    if isinstance(found, type) and issubclass(found, Enum):
        return found[value["name"]]
    if strict:
        raise SerializationError(
            what=f"The value is a member of {qualname}, and module {module} is not loaded.",
            why="penstock does not import modules that a stored value names.",
            fix=f"Import {module} before reading the value.",
        )
    return _from_plain(value["v"], strict)
