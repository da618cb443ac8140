"""Avro messages to rows: written with any version of a schema, read with one."""

import io
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from penstock.core import ParameterError, digest_json, require
from penstock.data.sources.kafka._messages import PoisonError
from penstock.data.sources.kafka._schema_registry import SchemaRegistry, without_header

if TYPE_CHECKING:
    import polars as pl


class AvroDecoder:
    """Decode Avro records.

    Args:
        schema: The schema that rows are read with, as a dict or JSON text; by default the newest
            one of the subject.
        registry: Where the schemas of messages are; None for messages without a header, which are
            written with ``schema``.
        subject: The registry's name for the topic's values.
        number: Number of the schema that rows are read with, if it is known.

    Raises:
        ParameterError: If there is neither a schema nor a registry, or it is no record.
    """

    def __init__(
        self,
        schema: Any = None,
        *,
        registry: SchemaRegistry | None = None,
        subject: str = "",
        number: int | None = None,
    ) -> None:
        self._avro = require("fastavro", extra="kafka", purpose="Avro messages")
        self._registry, self._number = registry, number
        if schema is None and registry is None:
            raise ParameterError(
                what='format="avro" has no schema.',
                fix="Give schema= (a dict or JSON), or schema_registry= with its address.",
            )
        if schema is not None:
            self._given = _parsed(schema) if isinstance(schema, str) else schema
        elif registry is not None and number is not None:
            self._given = registry.schema(number)
        elif registry is not None:
            self._number, self._given = registry.latest(subject)
        self._reader = self._parse(self._given)
        self._writers: dict[int, Any] = {}
        self.schema: pl.Schema | None = _columns(self._given)

    def state(self) -> dict[str, Any]:
        """Return the schema that rows are read with: its number, or its digest."""
        return {"schema_id": self._number, "schema_digest": digest_json(self._given)}

    def decode(self, value: bytes) -> dict[str, Any]:
        """Return the row of a message; see Decoder."""
        writer = self._reader
        if self._registry is not None:
            number, value = without_header(value)
            writer = self._writer(number)
        stream = io.BytesIO(value)
        try:
            row = self._avro.schemaless_reader(stream, writer, self._reader)
        except PoisonError:
            raise
        except Exception as error:  # noqa: BLE001 - broken bytes fail anywhere in the decoder
            raise PoisonError(f"it is not Avro of its schema: {type(error).__name__}") from None
        if stream.tell() != len(value):
            raise PoisonError(f"{len(value) - stream.tell()} bytes are left over after the record")
        return dict(row)

    def frame(self, rows: list[dict[str, Any]]) -> "pl.DataFrame":
        """Return decoded rows as a table."""
        import polars as pl

        plain = [{name: _plain(value) for name, value in row.items()} for row in rows]
        return pl.DataFrame(plain, schema=self.schema, orient="row")

    def _writer(self, number: int) -> Any:
        if number not in self._writers and self._registry is not None:
            self._writers[number] = self._parse(self._registry.schema(number))
        return self._writers[number]

    def _parse(self, schema: Any) -> Any:
        try:
            return self._avro.parse_schema(schema)
        except Exception as error:
            raise ParameterError(
                what=f"The Avro schema cannot be read: {error}", fix="Check schema=."
            ) from error


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ParameterError(
            what=f"schema= of Avro messages is {text!r:.60}, which is no JSON: {error}.",
            fix="Give the schema as a dict or as JSON, not the path of its file.",
        ) from error


def _plain(value: Any) -> Any:
    """Return a decoded value as polars takes it: a map as a list of keys and values."""
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return str(value) if type(value).__name__ == "UUID" else value


def _columns(schema: Any) -> "pl.Schema":
    import polars as pl

    if not isinstance(schema, dict) or schema.get("type") != "record":
        raise ParameterError(
            what="The Avro schema is no record.", fix="Rows need fields: give a record."
        )
    return pl.Schema(
        {each["name"]: _dtype(each["type"], each["name"]) for each in schema["fields"]}
    )


def _dtype(kind: Any, path: str) -> "pl.DataType":  # a table of cases
    import polars as pl

    if isinstance(kind, list):
        others = [each for each in kind if each != "null"]
        if len(others) == 1:
            return _dtype(others[0], path)
        raise _unread(path, "a union of several types")
    if isinstance(kind, dict):
        logical = _logical(kind)
        if logical is not None:
            return logical
        if kind["type"] == "record":
            return pl.Struct(
                {
                    each["name"]: _dtype(each["type"], f"{path}.{each['name']}")
                    for each in kind["fields"]
                }
            )
        if kind["type"] == "array":
            return pl.List(_dtype(kind["items"], f"{path}[]"))
        return _dtype(kind["type"], path)
    names: dict[str, pl.DataType] = {
        "boolean": pl.Boolean(),
        "int": pl.Int32(),
        "long": pl.Int64(),
        "float": pl.Float32(),
        "double": pl.Float64(),
        "string": pl.String(),
        "enum": pl.String(),
        "bytes": pl.Binary(),
        "fixed": pl.Binary(),
        "null": pl.Null(),
    }
    if kind not in names:
        raise _unread(path, f"of the type {kind!r}")
    return names[kind]


def _logical(kind: Mapping[str, Any]) -> "pl.DataType | None":
    import polars as pl

    if kind.get("logicalType") == "decimal":
        return pl.Decimal(kind["precision"], kind.get("scale", 0))
    kinds: dict[str, pl.DataType] = {
        "date": pl.Date(),
        "time-millis": pl.Time(),
        "time-micros": pl.Time(),
        "timestamp-millis": pl.Datetime("us", "UTC"),
        "timestamp-micros": pl.Datetime("us", "UTC"),
        "local-timestamp-millis": pl.Datetime("us"),
        "local-timestamp-micros": pl.Datetime("us"),
        "uuid": pl.String(),
    }
    return kinds.get(str(kind.get("logicalType")))


def _unread(path: str, what: str) -> ParameterError:
    return ParameterError(
        what=f"The field {path!r} of the Avro schema is {what}, which is not read.",
        fix="Give schema= without that field: it is then left out.",
    )
