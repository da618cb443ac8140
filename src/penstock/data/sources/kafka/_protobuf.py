"""Protobuf messages to rows, by a message class or a set of file descriptors."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.core import ParameterError, did_you_mean, require, with_article
from penstock.data.sources.kafka._messages import PoisonError
from penstock.data.sources.kafka._schema_registry import without_header

if TYPE_CHECKING:
    import polars as pl

_SEVEN_BITS = 0x7F
_TIMESTAMP = "google.protobuf.Timestamp"


class ProtobufDecoder:
    """Decode Protobuf messages.

    Args:
        schema: The message class; or a pair: the file or bytes of a descriptor set (``protoc
            --descriptor_set_out --include_imports``), and the full name of the message.
        has_header: Whether messages begin with the header of a schema registry.

    Raises:
        ParameterError: If there is no schema, or it has no such message.
    """

    def __init__(self, schema: Any, *, has_header: bool = False) -> None:
        self._class = _message_class(schema)
        self._has_header = has_header
        self.schema: pl.Schema | None = _columns(self._class.DESCRIPTOR)
        self._fields = {each.name: _reader(each) for each in self._class.DESCRIPTOR.fields}

    def state(self) -> dict[str, Any]:
        """Return the message's name and the digest of its file descriptor."""
        told = self._class.DESCRIPTOR
        digest = hashlib.sha256(told.file.serialized_pb).hexdigest()
        return {"message": told.full_name, "schema_digest": digest}

    def decode(self, value: bytes) -> dict[str, Any]:
        """Return the row of a message; see Decoder."""
        if self._has_header:
            value = self._without_indexes(without_header(value)[1])
        message = self._class()
        try:
            message.ParseFromString(value)
        except Exception as error:  # noqa: BLE001 - the decoder's errors have no common class
            raise PoisonError(
                f"it is no {self._class.DESCRIPTOR.full_name}: {type(error).__name__}"
            ) from None
        if not message.IsInitialized():
            raise PoisonError("a required field is missing")
        return {name: read(message) for name, read in self._fields.items()}

    def frame(self, rows: list[dict[str, Any]]) -> "pl.DataFrame":
        """Return decoded rows as a table."""
        import polars as pl

        return pl.DataFrame(rows, schema=self.schema, orient="row")

    def _without_indexes(self, value: bytes) -> bytes:
        """Return the message after the header that tells its place in the schema's file."""
        count, place = _zigzag(value, 0)
        indexes = [0] if count == 0 else []
        for _ in range(count):
            index, place = _zigzag(value, place)
            indexes.append(index)
        if indexes != _indexes(self._class.DESCRIPTOR):
            raise PoisonError(f"it is another message than {self._class.DESCRIPTOR.full_name}")
        return value[place:]


def _message_class(schema: Any) -> Any:
    require("google.protobuf", extra="kafka", purpose="Protobuf messages")
    if hasattr(schema, "DESCRIPTOR"):
        return schema
    if not isinstance(schema, tuple) or len(schema) != 2:  # noqa: PLR2004 - a set and a name
        raise ParameterError(
            what=f'format="protobuf" has the schema {type(schema).__name__}.',
            fix='Give schema=MessageClass, or schema=("rides.desc", "shop.Ride").',
        )
    pools = require("google.protobuf.descriptor_pool", extra="kafka", purpose="Protobuf messages")
    forms = require("google.protobuf.descriptor_pb2", extra="kafka", purpose="Protobuf messages")
    makers = require("google.protobuf.message_factory", extra="kafka", purpose="Protobuf messages")
    given, name = schema
    try:
        content = given if isinstance(given, bytes) else Path(given).read_bytes()
        files = forms.FileDescriptorSet.FromString(content).file
    except Exception as error:
        raise ParameterError(
            what=f"The descriptor set of schema= cannot be read: {error}",
            fix="Make it: protoc --descriptor_set_out=rides.desc --include_imports rides.proto",
        ) from error
    pool = pools.DescriptorPool()
    for file in files:
        pool.Add(file)
    try:
        return makers.GetMessageClass(pool.FindMessageTypeByName(name))
    except KeyError:
        there = [
            f"{file.package}.{each.name}".lstrip(".")
            for file in files
            for each in file.message_type
        ]
        raise ParameterError(
            what=f"The descriptor set has no message {name!r}.", fix=did_you_mean(name, there)
        ) from None


def _columns(told: Any, above: tuple[str, ...] = ()) -> "pl.Schema":
    import polars as pl

    return pl.Schema({each.name: _dtype(each, (*above, told.full_name)) for each in told.fields})


def _is_map(field: Any) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _is_repeated(field: Any) -> bool:
    return bool(field.is_repeated)


def _dtype(field: Any, above: tuple[str, ...]) -> "pl.DataType":
    import polars as pl

    one = _dtype_of_one(field, above)
    return pl.List(one) if _is_repeated(field) else one


def _dtype_of_one(field: Any, above: tuple[str, ...]) -> "pl.DataType":
    import polars as pl

    if field.message_type is not None:
        name = field.message_type.full_name
        if name == _TIMESTAMP:
            return pl.Datetime("ns", "UTC")
        if name in above or (name.startswith("google.protobuf.") and not _is_wrapper(field)):
            raise ParameterError(
                what=f"The field {field.full_name} is {with_article(name)}, which is not read.",
                fix="Use a message without that field: unknown fields are left out.",
            )
        if _is_wrapper(field):
            return _dtype_of_one(field.message_type.fields_by_name["value"], above)
        return pl.Struct(_columns(field.message_type, above))
    if field.enum_type is not None:
        return pl.String()
    kinds: dict[int, pl.DataType] = {
        field.CPPTYPE_INT32: pl.Int32(),
        field.CPPTYPE_INT64: pl.Int64(),
        field.CPPTYPE_UINT32: pl.UInt32(),
        field.CPPTYPE_UINT64: pl.UInt64(),
        field.CPPTYPE_DOUBLE: pl.Float64(),
        field.CPPTYPE_FLOAT: pl.Float32(),
        field.CPPTYPE_BOOL: pl.Boolean(),
    }
    if field.type == field.TYPE_BYTES:
        return pl.Binary()
    return kinds.get(field.cpp_type, pl.String())


def _is_wrapper(field: Any) -> bool:
    told = field.message_type
    return (
        told.full_name.startswith("google.protobuf.")
        and told.full_name.endswith("Value")
        and [each.name for each in told.fields] == ["value"]
    )


def _reader(field: Any) -> Callable[[Any], Any]:
    """Return a function from a message to the value of one of its fields."""
    name, one = field.name, _reader_of_one(field)
    if _is_map(field):
        of_value = _reader_of_one(field.message_type.fields_by_name["value"])

        def entries(message: Any) -> Any:
            found = getattr(message, name)
            # The bytes of a map have no order of their own.
            return [{"key": key, "value": of_value(found[key])} for key in sorted(found)]

        return entries
    if _is_repeated(field):
        return lambda message: [one(each) for each in getattr(message, name)]
    if field.has_presence:
        return lambda message: one(getattr(message, name)) if message.HasField(name) else None
    return lambda message: one(getattr(message, name))


def _reader_of_one(field: Any) -> Callable[[Any], Any]:
    if field.enum_type is not None:
        names = field.enum_type.values_by_number
        return lambda value: names[value].name if value in names else str(value)
    if field.message_type is None:
        return lambda value: value
    if field.message_type.full_name == _TIMESTAMP:
        return _nanoseconds
    if _is_wrapper(field):
        return lambda value: value.value
    inner = {each.name: _reader(each) for each in field.message_type.fields}
    return lambda value: {name: read(value) for name, read in inner.items()}


def _nanoseconds(value: Any) -> int:
    moment: int = value.seconds * 1_000_000_000 + value.nanos
    if not -(2**63) < moment < 2**63:
        raise PoisonError("a timestamp lies before 1678 or after 2262")
    return moment


def _indexes(told: Any) -> list[int]:
    """Return a message's place in its file, from the outside in."""
    outer = told.containing_type
    beside = told.file.message_types_by_name.values() if outer is None else outer.nested_types
    above = [] if outer is None else _indexes(outer)
    return [*above, [each.name for each in beside].index(told.name)]


def _zigzag(value: bytes, place: int) -> tuple[int, int]:
    number, shift = 0, 0
    while True:
        if place >= len(value) or shift > 28:  # noqa: PLR2004 - 32 bits
            raise PoisonError("its message indexes are cut off")
        byte = value[place]
        number |= (byte & _SEVEN_BITS) << shift
        place, shift = place + 1, shift + 7
        if byte <= _SEVEN_BITS:
            return (number >> 1) ^ -(number & 1), place
