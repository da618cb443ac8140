"""JSON that keeps Python's types; shared by stored values and table columns.

There are two ways of writing: records accept values similar to plain values (a NumPy number becomes
Python's), and values (``exact``) are written only if reading restores them unchanged, so that the
text of a value contains everything that code can observe.
"""

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum
from pathlib import PurePath
from typing import Any

from penstock.core import ParameterError, SerializationError
from penstock.stores._classes import class_name, find_loaded, is_findable
from penstock.stores._json_types import EXACT_WRITERS, READERS, WRITERS, write_scalar

_TAG = "$"
# An int of more digits than this is refused by int(text) and str(int); see sys.int_info.
_WIDE = 1 << 4096
_AS_IS = frozenset({str, bool, type(None)})
_WHOLE = frozenset({int, bool})
_REAL = frozenset({float})
_NUMBERS = frozenset({int, float})
_PLAIN = _AS_IS | _NUMBERS


_unresolved: ContextVar[bool] = ContextVar("penstock_unresolved", default=False)


class Unresolved:
    """A member of an enum whose class is not loaded in this process, as written.

    A server passes such values on unchanged: the client has the class.

    Args:
        written: The tagged object.
    """

    __slots__ = ("written",)

    def __init__(self, written: dict[str, Any]) -> None:
        self.written = written

    @property
    def value(self) -> Any:
        """The member's value."""
        return _from_plain(self.written["v"], False)

    def __str__(self) -> str:
        return str(self.value)

    def __repr__(self) -> str:
        return repr(self.value)


@contextmanager
def keep_unresolved() -> Iterator[None]:
    """Read members of unknown enums as `Unresolved` in the block, instead of as plain values."""
    token = _unresolved.set(True)
    try:
        yield
    finally:
        _unresolved.reset(token)


def dump_json(value: object, *, exact: bool = False) -> str:
    """Write a JSON-like value as compact JSON; types unknown to JSON become tagged objects.

    >>> dump_json({"a": [1, 2.5, None]})
    '{"a":[1,2.5,null]}'
    >>> load_json(dump_json((1, float("inf"))))
    (1, inf)

    Args:
        value: The value.
        exact: Write only values that `load_json` restores unchanged, NumPy's and pandas' scalars
            too; else NumPy's numbers become Python's.

    Raises:
        TypeError: If a nested value has a type that is not JSON-like.
    """
    if type(value) is dict and not value:
        return "{}"
    return _encode(_to_plain(value, exact))


def load_json(text: str | bytes, *, strict: bool = False) -> Any:  # Any: a stored value
    """Read a value that `dump_json` wrote.

    Args:
        text: The JSON text.
        strict: Raise if a class is not loaded or an enum lacks the member now; else return
            the plain value instead.

    Raises:
        SerializationError: If ``strict`` and a class is not loaded.
    """
    value = json.loads(text)
    tagged = b'"$":' in text if isinstance(text, bytes) else '"$":' in text
    return _from_plain(value, strict) if tagged else value


def write_plain(value: object) -> Any:  # Any: JSON
    """Return a JSON-like value in JSON's own types; see `dump_json`."""
    return _to_plain(value, False)


def read_plain(value: Any, path: str = "The value") -> Any:  # Any: a stored value
    """Return the value that `write_plain` wrote; a stranger may have made up the text.

    Raises:
        ParameterError: If the text is no such value.
    """
    try:
        _require_known_tags(value)
        return _from_plain(value, False)
    except _UNREADABLE as error:
        raise ParameterError(
            what=f"{path} cannot be read ({type(error).__name__}).",
            why="An object with the name $ is a value of a type unknown to JSON.",
            fix="Send plain JSON, or what penstock writes.",
            field=path,
        ) from error


def _require_known_tags(value: Any) -> None:
    """Refuse the types that only stored values preserve: some are dear to make, or to use."""
    waiting = [value]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, dict):
            if _TAG in inner and inner[_TAG] not in _RECORD_TAGS:
                raise ValueError("The tag is not one of a record.")
            waiting += inner.values()
        elif isinstance(inner, list):
            waiting += inner


def _to_plain(value: Any, exact: bool) -> Any:  # noqa: C901 - a table of cases by type
    kind = type(value)
    if kind in _AS_IS:
        return value
    if kind is int:
        return value if -_WIDE < value < _WIDE else {_TAG: "int", "v": hex(value)}
    if kind is float:
        return value if math.isfinite(value) else {_TAG: "float", "v": repr(value)}
    if kind is list:
        return value if _is_plain(value) else [_to_plain(item, exact) for item in value]
    if kind is dict:
        return _plain_dict(value, exact)
    if isinstance(value, Enum):
        return _plain_enum(value, exact)
    writer = WRITERS.get(kind) or (EXACT_WRITERS.get(kind) if exact else None)
    if writer is not None:
        return {_TAG: writer[0], "v": writer[1](value, lambda item: _to_plain(item, exact))}
    if kind is Unresolved:
        return value.written
    if not exact and isinstance(value, PurePath):
        return {_TAG: "path", "v": value.as_posix()}
    if isinstance(value, tuple) and exact and hasattr(kind, "_fields") and is_findable(kind):
        items = [_to_plain(item, exact) for item in value]
        return {_TAG: "namedtuple", "type": class_name(kind), "v": items}
    root = kind.__module__.partition(".")[0]
    if exact and (scalar := write_scalar(value, root)) is not None:
        return {_TAG: scalar[0], "v": _to_plain(scalar[1], exact)}
    if not exact and root == "numpy" and getattr(value, "shape", None) == ():
        return _to_plain(value.item(), exact)
    raise TypeError(f"{kind.__module__}.{kind.__qualname__} is not JSON-like.")


def _is_plain(items: Any) -> bool:
    """Return whether items are JSON's own values; checked in C, so that long lists cost little."""
    kinds = set(map(type, items))
    if kinds <= _AS_IS:
        return True
    if kinds <= _WHOLE:
        return bool(min(items) > -_WIDE and max(items) < _WIDE)
    if kinds == _REAL:
        return all(map(math.isfinite, items))
    # No NaN and no infinity lies between the two.
    return kinds <= _PLAIN and all(
        -_WIDE < item < _WIDE for item in items if type(item) in _NUMBERS
    )


def _plain_dict(value: dict[Any, Any], exact: bool) -> dict[str, Any]:
    if _TAG not in value and set(map(type, value)) <= {str}:
        if value and _is_plain(value.values()):
            return value
        return {
            key: item if type(item) in _AS_IS else _to_plain(item, exact)
            for key, item in value.items()
        }
    return {_TAG: "dict", "v": _pairs(value, exact)}


def _pairs(value: dict[Any, Any], exact: bool) -> list[Any]:
    keys, items = list(value), list(value.values())
    if not _is_plain(keys):
        keys = [_to_plain(key, exact) for key in keys]
    if not _is_plain(items):
        items = [_to_plain(item, exact) for item in items]
    return list(zip(keys, items, strict=True))


def _plain_enum(value: Enum, exact: bool) -> dict[str, Any]:
    kind = type(value)
    if exact and not is_findable(kind):
        raise TypeError(f"{kind.__qualname__} is no class of a module, so it is not JSON-like.")
    document = {_TAG: "enum", "type": class_name(kind), "name": value.name}
    try:
        return document | {"v": _to_plain(value.value, exact)}
    except TypeError:  # the name is enough
        return document | {"v": None}


def _from_plain(value: Any, strict: bool) -> Any:
    if isinstance(value, list):
        return value if _is_plain(value) else [_from_plain(item, strict) for item in value]
    if not isinstance(value, dict):
        return value
    tag = value.get(_TAG)
    if tag is None:
        return {key: _from_plain(item, strict) for key, item in value.items()}
    if (special := _BY_CLASS.get(tag)) is not None:
        return special(value, strict)
    return READERS[tag](_from_plain(value["v"], strict))


def _enum(value: dict[str, Any], strict: bool) -> Any:
    kind = _class_of(value, Enum, strict)
    plain = _from_plain(value["v"], strict)
    if kind is None:
        return Unresolved(value) if _unresolved.get() else plain
    member = kind.__members__.get(value["name"] or "")
    if member is not None:
        return member
    try:  # a renamed member, or a combination of flags
        return kind(plain)
    except ValueError:
        if not strict:
            return plain
    raise SerializationError(
        what=f"{kind.__qualname__} has no member {value['name']!r} and none of value {plain!r}.",
        why="The stored value is a member that the class had when it was stored.",
        fix="Give the class that member again, or execute the step again.",
    )


def _namedtuple(value: dict[str, Any], strict: bool) -> Any:
    kind = _class_of(value, tuple, strict)
    items = _from_plain(value["v"], strict)
    if kind is None:
        return tuple(items)
    if len(kind._fields) == len(items):
        return kind._make(items)
    if not strict:
        return tuple(items)
    raise SerializationError(
        what=f"{kind.__qualname__} has {len(kind._fields)} fields, and the stored one {len(items)}.",
        why="The class was changed after the value was stored.",
        fix="Execute the step again.",
    )


_BY_CLASS: dict[str, Callable[[dict[str, Any], bool], Any]] = {
    "enum": _enum,
    "namedtuple": _namedtuple,
}


def _class_of(value: dict[str, Any], base: type, strict: bool) -> Any:
    loaded = find_loaded(value["type"])
    if isinstance(loaded, type) and issubclass(loaded, base):
        return loaded
    if not strict:
        return None
    module, _, qualname = value["type"].partition(":")
    raise SerializationError(
        what=f"The value is of class {qualname}, and module {module} is not loaded.",
        why="penstock does not import modules that a stored value names.",
        fix=f"Import {module} before reading the value.",
    )


def _encoder() -> Callable[[Any], str]:
    """Return the writer of plain values: Python's encoder in C, created once for all values.

    The results of `_to_plain` contain no circles and nothing that JSON cannot write.
    """
    make: Any = getattr(json.encoder, "c_make_encoder", None)
    slow = json.JSONEncoder(separators=(",", ":"))
    if make is None:
        return slow.encode
    write = make(
        None, slow.default, json.encoder.encode_basestring_ascii, None, ":", ",", False, False, True
    )
    return lambda value: "".join(write(value, 0))


_RECORD_TAGS = frozenset({"int", "float", "dict", "enum", *(tag for tag, _ in WRITERS.values())})
_UNREADABLE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
)
_encode = _encoder()
