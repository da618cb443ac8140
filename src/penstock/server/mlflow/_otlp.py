"""OpenTelemetry's spans as they are sent (OTLP): protobuf's bytes and JSON in, JSON-like values out.

The messages of opentelemetry-proto 1.x are a table here: field numbers never change there, unknown
fields are skipped, and no package of protobuf is needed. Values come out under the names of the
.proto files, bytes as base64, as protobuf's own JSON has them.
"""

import base64
import binascii
import struct
from collections.abc import Callable, Mapping
from typing import Any

from penstock.server.mlflow._errors import invalid
from penstock.server.mlflow._fields import number

_DEEPEST = 64
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
Message = dict[int, tuple[str, Any, bool]]

_ANY: Message = {
    1: ("string_value", "text", False),
    2: ("bool_value", "bool", False),
    3: ("int_value", "int64", False),
    4: ("double_value", "double", False),
    7: ("bytes_value", "bytes", False),
}
_PAIR: Message = {1: ("key", "text", False), 2: ("value", _ANY, False)}
_ANY[5] = ("array_value", {1: ("values", _ANY, True)}, False)
_ANY[6] = ("kvlist_value", {1: ("values", _PAIR, True)}, False)
_EVENT: Message = {
    1: ("time_unix_nano", "fixed64", False),
    2: ("name", "text", False),
    3: ("attributes", _PAIR, True),
    4: ("dropped_attributes_count", "uint", False),
}
_LINK: Message = {
    1: ("trace_id", "id", False),
    2: ("span_id", "id", False),
    3: ("trace_state", "text", False),
    4: ("attributes", _PAIR, True),
    5: ("dropped_attributes_count", "uint", False),
    6: ("flags", "fixed32", False),
}
_SPAN: Message = {
    1: ("trace_id", "id", False),
    2: ("span_id", "id", False),
    3: ("trace_state", "text", False),
    4: ("parent_span_id", "id", False),
    5: ("name", "text", False),
    6: ("kind", "uint", False),
    7: ("start_time_unix_nano", "fixed64", False),
    8: ("end_time_unix_nano", "fixed64", False),
    9: ("attributes", _PAIR, True),
    10: ("dropped_attributes_count", "uint", False),
    11: ("events", _EVENT, True),
    12: ("dropped_events_count", "uint", False),
    13: ("links", _LINK, True),
    14: ("dropped_links_count", "uint", False),
    15: ("status", {2: ("message", "text", False), 3: ("code", "uint", False)}, False),
    16: ("flags", "fixed32", False),
}
_REQUEST: Message = {
    1: ("resource_spans", {2: ("scope_spans", {2: ("spans", _SPAN, True)}, True)}, True)
}


def read_protobuf(body: bytes) -> list[dict[str, Any]]:
    """Return the spans of a request in protobuf's bytes.

    Raises:
        MlflowError: If they are none.
    """
    try:
        return _spans_of(_decode(memoryview(body), _REQUEST, 0))
    except (IndexError, ValueError, struct.error, RecursionError) as error:
        raise invalid(f"The body is no ExportTraceServiceRequest: {error}.") from None


def read_span(body: bytes) -> dict[str, Any]:
    """Return a span in protobuf's bytes."""
    return _decode(memoryview(body), _SPAN, 0)


def read_json(document: Any) -> list[dict[str, Any]]:
    """Return the spans of a request in OTLP's JSON, whose ids are hexadecimal.

    >>> span = {"name": "ask", "traceId": "0a" * 16, "startTimeUnixNano": "5"}
    >>> read_json({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})[0][
    ...     "start_time_unix_nano"
    ... ]
    5

    Raises:
        MlflowError: If they are none.
    """
    try:
        return _spans_of(_from_json(document, _REQUEST, 0))
    except (
        AttributeError,
        TypeError,
        ValueError,
        KeyError,
        OverflowError,
        RecursionError,
    ) as error:
        raise invalid(f"The body is no ExportTraceServiceRequest: {error}.") from None


def plain_value(value: Mapping[str, Any] | None) -> Any:
    """Return an attribute's value without its type.

    >>> plain_value({"array_value": {"values": [{"int_value": 1}, {"string_value": "a"}]}})
    [1, 'a']
    """
    for name, found in (value or {}).items():
        match name:
            case "array_value":
                return [plain_value(each) for each in found.get("values", ())]
            case "kvlist_value":
                return plain_attributes(found.get("values", ()))
            case _:
                return found
    return None


def plain_attributes(pairs: Any) -> dict[str, Any]:
    """Return attributes by key."""
    return {pair.get("key", ""): plain_value(pair.get("value")) for pair in pairs or ()}


def _spans_of(request: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        span
        for resource in request.get("resource_spans", ())
        for scope in resource.get("scope_spans", ())
        for span in scope.get("spans", ())
    ]


def _decode(data: memoryview, message: Message, depth: int) -> dict[str, Any]:
    if depth > _DEEPEST:
        raise ValueError("its values are nested too deeply")
    found: dict[str, Any] = {}
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        raw, place = _take(data, place, tag & 7)
        field = message.get(tag >> 3)
        if field is None:
            continue
        name, kind, many = field
        if isinstance(kind, dict):
            value: Any = _decode(_must_be_bytes(raw), kind, depth + 1)
        else:
            value = _BINARY[kind](raw)
        if many:
            found.setdefault(name, []).append(value)
        else:
            found[name] = value
    return found


def _take(data: memoryview, place: int, wire: int) -> tuple[int | memoryview, int]:
    if wire == _VARINT:
        return _varint(data, place)
    size = {_FIXED64: 8, _FIXED32: 4}.get(wire)
    if size is None and wire != _BYTES:
        raise ValueError(f"wire type {wire} is unknown")
    if size is None:
        size, place = _varint(data, place)
    end = place + size
    if end > len(data):
        raise ValueError("it ends within a field")
    return data[place:end], end


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, place
        shift += 7
        if shift > 63:  # noqa: PLR2004 - ten bytes hold 64 bits
            raise ValueError("a number is too long")


def _must_be_bytes(raw: Any) -> memoryview:
    if not isinstance(raw, memoryview):
        raise ValueError("a field has another type")  # noqa: TRY004 - the message is malformed
    return raw


def _must_be_int(raw: Any) -> int:
    if not isinstance(raw, int):
        raise ValueError("a field has another type")  # noqa: TRY004 - the message is malformed
    return raw


def _unpack(form: str) -> Callable[[Any], Any]:
    return lambda raw: struct.unpack(form, _must_be_bytes(raw))[0]


def _text64(raw: Any) -> str:
    return base64.b64encode(_must_be_bytes(raw)).decode()


_BINARY: dict[str, Callable[[Any], Any]] = {
    "text": lambda raw: bytes(_must_be_bytes(raw)).decode(),
    "bytes": _text64,
    "id": _text64,
    "bool": lambda raw: bool(_must_be_int(raw)),
    "uint": _must_be_int,
    "int64": lambda raw: (_must_be_int(raw) ^ (1 << 63)) - (1 << 63),
    "double": lambda raw: number(_unpack("<d")(raw)),
    "fixed64": _unpack("<Q"),
    "fixed32": _unpack("<I"),
}


def _from_json(document: Any, message: Message, depth: int) -> dict[str, Any]:
    if depth > _DEEPEST:
        raise ValueError("its values are nested too deeply")
    found: dict[str, Any] = {}
    for name, kind, many in message.values():
        value = document.get(_camel(name), document.get(name))
        if value is None:
            continue
        read = _json_reader(kind, depth)
        found[name] = [read(each) for each in value] if many else read(value)
    return found


def _json_reader(kind: Any, depth: int) -> Callable[[Any], Any]:
    if isinstance(kind, dict):
        return lambda value: _from_json(value, kind, depth + 1)
    return _JSON[kind]


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _json_text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{str(value)[:50]!r} is no text")
    return value


def _json_bytes(value: Any) -> str:
    try:
        return base64.b64encode(base64.b64decode(_json_text(value), validate=True)).decode()
    except binascii.Error as error:
        raise ValueError(str(error)) from None


def _json_int(bits: int, *, signed: bool = False) -> Callable[[Any], int]:
    """Return a reader of whole numbers; one that no protobuf holds would break every list of traces."""
    low, high = (-(1 << bits - 1), 1 << bits - 1) if signed else (0, 1 << bits)

    def read(value: Any) -> int:
        found = int(value)
        if not low <= found < high:
            raise ValueError(f"{str(value)[:50]} is out of the range of its field")
        return found

    return read


_ENUMS = {"STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}
_JSON: dict[str, Callable[[Any], Any]] = {
    "text": _json_text,
    "bytes": _json_bytes,
    "id": lambda value: base64.b64encode(bytes.fromhex(_json_text(value))).decode(),
    "bool": bool,
    "uint": lambda value: _ENUMS[value] if value in _ENUMS else _json_int(64)(value),
    "int64": _json_int(64, signed=True),
    "double": lambda value: number(float(value)),
    "fixed64": _json_int(64),
    "fixed32": _json_int(32),
}
