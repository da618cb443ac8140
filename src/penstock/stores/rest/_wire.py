"""Wire: the exact JSON form of a type, both ways, with its JSON Schema; made from type hints.

`to_json` of the records is for people and loses what they need not see. A store over HTTP must
return what was stored: here every field has a form, times keep their microseconds, NaN and the
infinities are texts as in Protocol Buffers' JSON, and values of unknown type keep the tags that
`dump_json` writes. Reading checks the form, so that a server can read what strangers send.
"""

import base64
import binascii
import json
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from penstock.core import (
    HIDDEN,
    ArtifactRecord,
    MetricColumns,
    ParameterError,
    Secret,
    digest_bytes,
)
from penstock.stores._json import read_plain, write_plain

Schema = dict[str, Any]
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_MANY = (list, Sequence, Collection, Iterable)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
DIGEST: Schema = {"type": "string", "pattern": f"^{_DIGEST.pattern}$"}
_LONGEST = 80  # characters of a value in a message
_WHOLE = range(-(2**63), 2**64)  # seeds have no sign, and are stored as texts


@dataclass(frozen=True, slots=True)
class Wire:
    """The JSON form of a type.

    Args:
        write: Function from a value to plain JSON.
        read: Function from plain JSON and its path to a value; ParameterError for another form.
        schema: JSON Schema.
        parts: Schemas by name that the schema refers to.
    """

    write: Callable[[Any], Any]
    read: Callable[[Any, str], Any]
    schema: Schema
    parts: Mapping[str, Schema] = field(default_factory=dict)


def wire_of(hint: Any) -> Wire:
    """Return the form of a type.

    >>> from penstock.core import Edge
    >>> wire = wire_of(list[Edge])
    >>> wire.write([Edge("run:1", "artifact:2", "output")])
    [{'source': 'run:1', 'target': 'artifact:2', 'role': 'output'}]
    >>> wire.read(_, "edges")[0].role
    'output'

    Args:
        hint: A type hint of the store's protocols.

    Raises:
        TypeError: If the type has no form; for developers.
    """
    return _wire_of(hint)


@cache
def _wire_of(hint: Any) -> Wire:
    if hint in _SIMPLE:
        return _SIMPLE[hint]
    origin, inner = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        return _optional(inner)
    if origin is Literal:
        return _literal(inner)
    if origin is tuple and inner[-1] is not Ellipsis:
        return _fixed(inner)
    if origin is tuple:
        return _many(inner[0], tuple)
    if origin in _MANY:
        return _many(inner[0], list)
    if origin in {dict, Mapping}:
        return _mapping(*inner)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _enum(hint)
    if isinstance(hint, type) and is_dataclass(hint):
        return _record(hint)
    raise TypeError(f"{hint!r} has no form in JSON: give it one in {__name__}.")


def dump_wire(document: Any) -> bytes:
    """Write what wires have written as JSON in UTF-8.

    >>> dump_wire({"a": [1, 0.5, "NaN"]})
    b'{"a":[1,0.5,"NaN"]}'

    Args:
        document: Plain JSON, whose numbers are finite: wires write no others.
    """
    try:
        return msgspec.json.encode(document)
    except (TypeError, UnicodeEncodeError):
        # Half characters, which only an escape can write, and subclasses of JSON's own types.
        return json.dumps(document, separators=(",", ":"), allow_nan=False).encode()


def refuse(path: str, value: Any, wanted: str) -> ParameterError:
    """Return the error for a value of a wrong form."""
    text = repr(value) if isinstance(value, str | int | float | bool | None) else _kind(value)
    shown = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    return ParameterError(
        what=f"{path} is {shown}.",
        why=f"It must be {wanted}.",
        fix="See the form in /api/v1/openapi.json.",
        field=path,
    )


def _kind(value: Any) -> str:
    return "an object" if isinstance(value, dict) else "a list"


def _plain(kind: type, name: str, wanted: str) -> Wire:
    def read(value: Any, path: str) -> Any:
        if type(value) is not kind:
            raise refuse(path, value, wanted)
        return value

    return Wire(_write_same, read, {"type": name})


def _read_whole(value: Any, path: str) -> int:
    if type(value) is not int:
        raise refuse(path, value, "a whole number")
    if value not in _WHOLE:
        raise refuse(path, value, "a whole number of at most 64 bits")
    return value


def _write_same(value: Any) -> Any:
    """Return a value as it is; JSON's own number would be none, and the encoder would write null."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} has no form in JSON here.")
    return value


def _write_float(value: Any) -> Any:
    number = float(value)
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def _read_float(value: Any, path: str) -> float:
    if type(value) is str and value in _SPECIAL:
        return _SPECIAL[value]
    if type(value) not in {float, int}:
        raise refuse(path, value, "a number, NaN, Infinity or -Infinity")
    try:
        return float(value)
    except OverflowError as error:
        raise refuse(path, value, "a number of double precision") from error


def _write_time(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _read_time(value: Any, path: str) -> datetime:
    wanted = "a time with its zone, such as 2026-01-31T12:00:00Z"
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError) as error:
        raise refuse(path, value, wanted) from error
    raise refuse(path, value, wanted)


def _read_bytes(value: Any, path: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise refuse(path, value, "bytes as Base64") from error


def _read_duration(value: Any, path: str) -> timedelta:
    try:
        return timedelta(seconds=_read_float(value, path))
    except (OverflowError, ValueError) as error:
        raise refuse(path, value, "a duration in seconds") from error


def _optional(inner: tuple[Any, ...]) -> Wire:
    kinds = [each for each in inner if each is not NoneType]
    if len(kinds) != 1:
        raise TypeError(f"A union of {kinds} has no form in JSON.")
    wire = wire_of(kinds[0])
    return Wire(
        lambda value: None if value is None else wire.write(value),
        lambda value, path: None if value is None else wire.read(value, path),
        {"anyOf": [wire.schema, {"type": "null"}]},
        wire.parts,
    )


def _literal(allowed: tuple[Any, ...]) -> Wire:
    def read(value: Any, path: str) -> Any:
        if type(value) is not str or value not in allowed:
            raise refuse(path, value, f"one of {', '.join(allowed)}")
        return value

    return Wire(_write_same, read, {"enum": list(allowed)})


def _enum(kind: type[Enum]) -> Wire:
    known = {each.value: each for each in kind}

    def read(value: Any, path: str) -> Any:
        if type(value) is not str or value not in known:
            raise refuse(path, value, f"one of {', '.join(map(str, known))}")
        return known[value]

    return Wire(lambda value: kind(value).value, read, {"type": "string", "enum": list(known)})


def _many(inner: Any, make: Callable[[Iterable[Any]], Any]) -> Wire:
    wire = wire_of(inner)

    def read(value: Any, path: str) -> Any:
        if type(value) is not list:
            raise refuse(path, value, "a list")
        return make([wire.read(each, f"{path}[{place}]") for place, each in enumerate(value)])

    schema = {"type": "array", "items": wire.schema}
    return Wire(lambda value: [wire.write(each) for each in value], read, schema, wire.parts)


def _fixed(inner: tuple[Any, ...]) -> Wire:
    wires = [wire_of(each) for each in inner]

    def read(value: Any, path: str) -> Any:
        if type(value) is not list or len(value) != len(wires):
            raise refuse(path, value, f"a list of {len(wires)}")
        pairs = enumerate(zip(wires, value, strict=True))
        return tuple(wire.read(each, f"{path}[{place}]") for place, (wire, each) in pairs)

    def write(value: Any) -> Any:
        return [wire.write(each) for wire, each in zip(wires, value, strict=True)]

    count = len(wires)
    items = [wire.schema for wire in wires]
    schema = {"type": "array", "prefixItems": items, "minItems": count, "maxItems": count}
    return Wire(
        write, read, schema, {name: part for wire in wires for name, part in wire.parts.items()}
    )


def _mapping(key: Any, inner: Any) -> Wire:
    if key is str and inner is Any:
        return Wire(lambda value: write_plain(dict(value)), _read_object, {"type": "object"})
    wire = wire_of(inner)

    def read(value: Any, path: str) -> Any:
        if type(value) is not dict:
            raise refuse(path, value, "an object")
        return {
            _read_key(key, name, path): wire.read(each, f"{path}.{name[:_LONGEST]}")
            for name, each in value.items()
        }

    def write(value: Any) -> Any:
        return {_write_key(name): wire.write(each) for name, each in value.items()}

    schema = {"type": "object", "additionalProperties": wire.schema}
    return Wire(write, read, schema, wire.parts)


def _read_object(value: Any, path: str) -> Any:
    found = read_plain(value, path)
    if type(found) is not dict:
        raise refuse(path, value, "an object")
    return found


def _write_key(key: Any) -> str:
    return str(key.value if isinstance(key, Enum) else key)


def _read_key(kind: Any, name: str, path: str) -> Any:
    if kind is str:
        return name
    try:
        return kind(name)
    except ValueError as error:
        raise refuse(path, name, f"an object whose names are of type {kind.__name__}") from error


_NARROWER: Mapping[type, Mapping[str, Schema]] = {ArtifactRecord: {"digest": DIGEST}}
"""Schemas of fields that take fewer values than their type, by record."""


def _require_address(record: ArtifactRecord, path: str) -> None:
    """Refuse a record that no bytes can have: everyone who checks the store would stumble over it."""
    if _DIGEST.fullmatch(record.digest) is None:
        raise refuse(f"{path}.digest", record.digest, "sha256: and 64 hexadecimal digits")
    if record.inline is not None and digest_bytes(record.inline) != record.digest:
        raise refuse(f"{path}.digest", record.digest, "the digest of the bytes in inline")


def _record(kind: type) -> Wire:
    hints = get_type_hints(kind)
    wires = {each.name: wire_of(hints[each.name]) for each in fields(kind)}
    needed = [
        each.name
        for each in fields(kind)
        if each.default is MISSING and each.default_factory is MISSING
    ]

    def write(value: Any) -> Any:
        if type(value) is not kind:
            raise TypeError(f"{type(value).__qualname__} is no {kind.__name__}.")
        return {name: wire.write(getattr(value, name)) for name, wire in wires.items()}

    def read(value: Any, path: str) -> Any:
        if type(value) is not dict:
            raise refuse(path, value, f"an object ({kind.__name__})")
        # A newer program may send a field that this one does not know: dropping it would lose it.
        for name in value:
            if name not in wires:
                raise refuse(f"{path}.{name[:_LONGEST]}", value[name], "absent: it is no field")
        for name in needed:
            if name not in value:
                raise refuse(f"{path}.{name}", None, "given")
        found = kind(**{n: wires[n].read(each, f"{path}.{n}") for n, each in value.items()})
        if isinstance(found, ArtifactRecord):
            _require_address(found, path)
        return found

    schema = {
        "type": "object",
        "properties": {name: wire.schema for name, wire in wires.items()}
        | dict(_NARROWER.get(kind, {})),
        "required": needed,
        "additionalProperties": False,
    }
    parts = {name: part for wire in wires.values() for name, part in wire.parts.items()}
    named = {**parts, kind.__name__: schema}
    return Wire(write, read, {"$ref": f"#/components/schemas/{kind.__name__}"}, named)


def _read_secret(value: Any, path: str) -> Secret:
    if type(value) is not str:
        raise refuse(path, HIDDEN, "a text")
    return Secret(value)


def _write_columns(columns: MetricColumns) -> Any:
    import numpy as np

    arrays = {"steps": "<f8", "values": "<f8", "times": "<i8"}
    packed = {
        name: base64.b64encode(
            np.ascontiguousarray(getattr(columns, name), dtype).tobytes()
        ).decode()
        for name, dtype in arrays.items()
    }
    return {"run_id": columns.run_id, "key": columns.key, **packed}


def _read_columns(value: Any, path: str) -> MetricColumns:
    import numpy as np

    if type(value) is not dict or set(value) != set(_COLUMNS):
        raise refuse(path, value, f"an object of {', '.join(_COLUMNS)}")
    texts = {name: _SIMPLE[str].read(value[name], f"{path}.{name}") for name in ("run_id", "key")}
    raw = {name: _read_bytes(value[name], f"{path}.{name}") for name in _COLUMNS[2:]}
    sizes = {len(each) for each in raw.values()}
    if len(sizes) != 1 or sizes.pop() % 8:
        raise refuse(path, value, "three arrays of equally many numbers of 8 bytes")
    steps, values = (np.frombuffer(raw[name], "<f8") for name in ("steps", "values"))
    if not np.isfinite(steps).all():
        raise refuse(f"{path}.steps", "NaN or Infinity", "finite numbers")
    return MetricColumns(
        texts["run_id"], texts["key"], steps, values, np.frombuffer(raw["times"], "<i8")
    )


_COLUMNS = ("run_id", "key", "steps", "values", "times")
_PACKED = {"type": "string", "contentEncoding": "base64"}
_NUMBER: Schema = {"anyOf": [{"type": "number"}, {"enum": list(_SPECIAL)}]}
_SIMPLE: dict[Any, Wire] = {
    str: _plain(str, "string", "a text"),
    int: Wire(_write_same, _read_whole, {"type": "integer"}),
    bool: _plain(bool, "boolean", "true or false"),
    NoneType: _plain(NoneType, "null", "null"),
    float: Wire(_write_float, _read_float, _NUMBER),
    bytes: Wire(lambda value: base64.b64encode(value).decode(), _read_bytes, _PACKED),
    datetime: Wire(_write_time, _read_time, {"type": "string", "format": "date-time"}),
    timedelta: Wire(lambda value: value.total_seconds(), _read_duration, {"type": "number"}),
    Any: Wire(write_plain, read_plain, {}),
    # To the server only: no operation returns one.
    Secret: Wire(lambda value: value.reveal(), _read_secret, {"type": "string", "writeOnly": True}),
    MetricColumns: Wire(
        _write_columns,
        _read_columns,
        {
            "type": "object",
            "properties": {
                name: {"type": "string"} if place < 2 else _PACKED  # noqa: PLR2004 - two names
                for place, name in enumerate(_COLUMNS)
            },
            "required": list(_COLUMNS),
            "additionalProperties": False,
        },
    ),
}
