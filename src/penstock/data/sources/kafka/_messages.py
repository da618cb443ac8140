"""Decoders of messages: what every format has in common; a message that fits none is poison."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from penstock.core import ParameterError, did_you_mean

if TYPE_CHECKING:
    import polars as pl

MessageFormat: TypeAlias = Literal["json", "avro", "protobuf"]

_EXACT = 2**53  # whole numbers up to here are exact as floats
_INT64 = 2**63


class PoisonError(ValueError):
    """A message that cannot be decoded; its text is the reason, without the payload."""


class Decoder(Protocol):
    """Decodes the values of messages to rows.

    Attributes:
        schema: Types of the columns; None if they are found while decoding.
    """

    schema: "pl.Schema | None"

    def decode(self, value: bytes) -> dict[str, Any]:
        """Return the row of a message.

        Raises:
            PoisonError: If the value cannot be decoded.
        """
        ...

    def state(self) -> dict[str, Any]:
        """Return what the decoding depends on besides the messages, as plain JSON."""
        ...

    def frame(self, rows: list[dict[str, Any]]) -> "pl.DataFrame":
        """Return decoded rows as a table."""
        ...


def dtypes_of(schema: Any) -> "pl.Schema":
    """Return a declared schema as types of columns.

    >>> dtypes_of({"id": "integer", "tip": "number"})
    Schema([('id', Int64), ('tip', Float64)])

    Raises:
        ParameterError: If a type is not known.
    """
    import polars as pl

    words: dict[str, Any] = {
        "text": pl.String(),
        "integer": pl.Int64(),
        "number": pl.Float64(),
        "boolean": pl.Boolean(),
        "date": pl.Date(),
        "datetime": pl.Datetime("us", "UTC"),
    }
    if not isinstance(schema, Mapping):
        raise ParameterError(
            what=f"schema= of JSON messages is {type(schema).__name__}.",
            fix='Give types by column: {"id": "integer", "at": "datetime"}.',
        )
    found = {}
    for name, declared in schema.items():
        kind = words.get(declared) if isinstance(declared, str) else declared
        if kind is None:
            raise ParameterError(
                what=f"schema= says that {name!r} is {declared!r}, which is no type.",
                fix=did_you_mean(str(declared), words),
            )
        found[str(name)] = kind
    return pl.Schema(found)


def require_fit(value: Any, kind: "pl.DataType", path: str) -> Any:
    """Return a value of JSON as a value of a type; None stays None.

    Raises:
        PoisonError: If it has another type.
    """
    import polars as pl

    if value is None:
        return None
    if isinstance(kind, pl.Struct) and isinstance(value, dict):
        return {
            field.name: require_fit(
                value.get(field.name), _made(field.dtype), f"{path}.{field.name}"
            )
            for field in kind.fields
        }
    if isinstance(kind, pl.List) and isinstance(value, list):
        inner = _made(kind.inner)
        return [require_fit(each, inner, f"{path}[]") for each in value]
    fitting = _scalar(value, kind)
    if fitting is None:
        raise PoisonError(f"field {path!r} is {describe_value(value)}, not {kind}")
    return fitting


def describe_value(value: object) -> str:
    """Return what a value is, without showing it.

    >>> describe_value("secret"), describe_value(2**70), describe_value(1)
    ('text', 'an integer of 22 digits', 'an integer')
    """
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int):
        return (
            "an integer" if abs(value) < _INT64 else f"an integer of {len(str(abs(value)))} digits"
        )
    names: dict[type, str] = {str: "text", float: "a number", dict: "an object", list: "a list"}
    return names.get(type(value), type(value).__name__)


def _scalar(value: Any, kind: "pl.DataType") -> Any:
    import polars as pl

    is_int = isinstance(value, int) and not isinstance(value, bool)
    if kind == pl.String:
        return value if isinstance(value, str) else str(value) if is_int else None
    if kind == pl.Boolean:
        return value if isinstance(value, bool) else None
    if kind.is_integer():
        low = 0 if kind.is_unsigned_integer() else -_INT64
        return value if is_int and low <= value < _INT64 else None
    if kind.is_float():
        exact = is_int and abs(value) <= _EXACT
        return float(value) if isinstance(value, float) or exact else None
    if (kind == pl.Date or isinstance(kind, pl.Datetime)) and isinstance(value, str):
        return _moment(value, kind)
    return None


def _moment(value: str, kind: "pl.DataType") -> date | datetime | None:
    import polars as pl

    try:
        if kind == pl.Date:
            return date.fromisoformat(value)
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    if getattr(kind, "time_zone", None) is not None:
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)  # as everywhere in penstock
    return moment if moment.tzinfo is None else None  # a moment is no local time


def _made(kind: Any) -> "pl.DataType":
    made: pl.DataType = kind() if isinstance(kind, type) else kind
    return made
