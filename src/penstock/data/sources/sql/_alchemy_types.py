"""Types of SQLAlchemy's dialects: what a column is here, by its type or by its first values."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from penstock.data.sources.sql._columns import (
    MomentType,
    SqlColumn,
    no_such_type,
    no_such_values,
)

if TYPE_CHECKING:
    import polars as pl
    from sqlalchemy.types import TypeEngine

_MOST_DIGITS = 38
_SCALE = 10
_LARGEST = 2**63 - 1


def column_of(name: str, type_: "TypeEngine[Any]", scheme: str, title: str) -> SqlColumn:
    """Return a column by its type in the catalogue.

    Raises:
        SchemaError: If the type has no counterpart here.
    """
    import sqlalchemy as sa

    is_mysql = scheme in {"mysql", "mariadb"}
    kind = _kind_of(type_, is_mysql=is_mysql)
    if not kind:
        raise no_such_type(name, str(type_), title, f"Cast it in query=: CAST({name} AS char).")
    moments: dict[str, MomentType] = {"aware": "aware", "naive": "naive", "date": "date"}
    column = SqlColumn(name, kind, moments.get(kind))
    if kind == "text":
        # Letters that a collation takes for equal are told apart by their bytes.
        if is_mysql:
            return replace(column, sort=lambda value: sa.cast(value, sa.LargeBinary))
        if scheme == "mssql":
            return replace(column, sort=lambda value: value.collate("Latin1_General_BIN2"))
    if kind == "bit":
        return replace(
            column, read=lambda value: sa.cast(value, sa.Integer), convert=lambda bits: bits != 0
        )
    if kind == "boolean":
        return replace(column, convert=_boolean(title))
    return column


def query_column(name: str, scheme: str) -> SqlColumn:
    """Return a column of a query, whose type its first values will tell."""
    import sqlalchemy as sa

    if scheme in {"mysql", "mariadb"}:
        return SqlColumn(name, "", sort=lambda value: sa.cast(value, sa.LargeBinary))
    return SqlColumn(name, "")


def dtype_of(kind: str) -> "pl.DataType | None":
    """Return the type in which a driver's values are held; None if only the values tell."""
    import polars as pl

    if kind.startswith("decimal"):
        precision, scale = kind.removeprefix("decimal(").rstrip(")").split(",")
        return pl.Decimal(int(precision), int(scale))
    known: dict[str, pl.DataType] = {
        "boolean": pl.Int64(),
        "truth": pl.Boolean(),
        "integer": pl.Int64(),
        "unsigned": pl.UInt64(),
        "number": pl.Float64(),
        "date": pl.Date(),
        "naive": pl.Datetime("us"),
        "aware": pl.Datetime("us", "UTC"),
        "time": pl.Time(),
        "duration": pl.Duration("us"),
        "text": pl.String(),
        "bytes": pl.Binary(),
        "bit": pl.Int64(),
    }
    return known.get(kind)


def guess_dtypes(
    columns: Mapping[str, Sequence[Any]], known: Mapping[str, "pl.DataType | None"]
) -> "dict[str, pl.DataType | None]":
    """Return types of columns by the values of a first batch, where none are known."""
    return {
        name: dtype or dtype_of(_guess([value for value in columns[name] if value is not None]))
        for name, dtype in known.items()
    }


def _guess(values: Sequence[Any]) -> str:
    kinds = {type(value) for value in values}
    if not kinds:
        return "text"
    if kinds == {Decimal}:
        scale = max(-int(value.as_tuple().exponent) for value in values if value.is_finite())
        return f"decimal({_MOST_DIGITS},{max(0, scale)})"
    if kinds == {dt.datetime}:
        return "aware" if all(value.tzinfo for value in values) else "naive"
    plain = {
        bool: "truth",
        int: "integer",
        float: "number",
        str: "text",
        bytes: "bytes",
        dt.date: "date",
        dt.time: "time",
        dt.timedelta: "duration",
    }
    if kinds <= {int, float}:
        is_large = max(values) > _LARGEST
        return ("unsigned" if is_large else "integer") if kinds == {int} else "number"
    return plain.get(kinds.pop(), "text") if len(kinds) == 1 else "text"


def _kind_of(type_: "TypeEngine[Any]", *, is_mysql: bool) -> str:
    import sqlalchemy as sa

    name = type(type_).__name__.upper()
    if isinstance(type_, sa.Boolean) or (
        name == "TINYINT" and getattr(type_, "display_width", None) == 1
    ):
        return "boolean" if is_mysql else "truth"
    if name == "BIT":
        is_one = not is_mysql or getattr(type_, "length", None) in {None, 1}
        return ("bit" if is_mysql else "truth") if is_one else "bytes"
    if isinstance(type_, sa.Integer) or name == "YEAR":
        is_large = name == "BIGINT" and getattr(type_, "unsigned", False)
        return "unsigned" if is_large else "integer"
    if isinstance(type_, sa.Float | sa.Double):
        return "number"
    if isinstance(type_, sa.Numeric):
        precision, scale = type_.precision or _MOST_DIGITS, type_.scale
        scale = _SCALE if scale is None else scale
        return f"decimal({precision},{scale})" if precision <= _MOST_DIGITS else ""
    if isinstance(type_, sa.DateTime) or name.startswith(("TIMESTAMP", "DATETIME")):
        is_aware = getattr(type_, "timezone", False) or name in {
            "DATETIMEOFFSET", "TIMESTAMP_TZ", "TIMESTAMP_LTZ",
        }  # fmt: skip
        return "aware" if is_aware or (is_mysql and name == "TIMESTAMP") else "naive"
    others = (
        (sa.Date, "date"),
        (sa.Time, "duration" if is_mysql else "time"),
        (sa.Interval, "duration"),
        (sa.LargeBinary, "bytes"),
        (sa.String, "text"),
        (sa.JSON, "text"),
        (sa.Uuid, "text"),
    )
    found = next((kind for base, kind in others if isinstance(type_, base)), "")
    return found or ("bytes" if "BINARY" in name or "BLOB" in name else "")


def _boolean(title: str) -> "Callable[[pl.Series], pl.Series]":
    """Return the conversion of MySQL's boolean, a small number that may be above 1."""
    import polars as pl

    def convert(series: "pl.Series") -> "pl.Series":
        odd = int((~series.is_in([0, 1])).sum())
        if odd:
            name = series.name
            fix = f"Read numbers: write {name} + 0 AS {name} in query=."
            raise no_such_values(name, odd, "neither 0 nor 1 in a tinyint(1)", title, fix)
        return series.cast(pl.Boolean)

    return convert
