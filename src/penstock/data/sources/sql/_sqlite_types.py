"""Types of SQLite: a column's declared type and the types of its values, brought together."""

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from penstock.core import SchemaError
from penstock.data.sources.sql._columns import SqlColumn, no_such_values
from penstock.tables.reading import read_iso

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

TYPES = ("text", "integer", "number", "boolean", "date", "datetime")
"""Types that a user may declare for a column."""

_MOST_DIGITS = 38
_DAY_LENGTH = 10
_CLOSE = 1e-9
# As SQLite tells a column's preference, with the types that it does not know of first.
_DECLARED = (
    (r"BOOL", "boolean"),
    (r"^(DATETIME|TIMESTAMP)", "datetime"),
    (r"^DATE$", "date"),
    (r"INT", "integer"),
    (r"CHAR|CLOB|TEXT|JSON|UUID|^TIME", "text"),
    (r"BLOB|BINARY", "bytes"),
    (r"REAL|FLOA|DOUB", "number"),
)
_SCALE = re.compile(r"^(?:DECIMAL|NUMERIC|NUMBER)\s*\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)")
_EXACT = 2**53  # whole numbers up to here are exact as floats


class Counts(NamedTuple):
    """Values of a column by their own type."""

    integer: int
    real: int
    text: int
    blob: int
    zoned: int
    longest: int
    least: int = 0
    most: int = 0

    @property
    def all(self) -> int:
        """Number of values that are not missing."""
        return self.integer + self.real + self.text + self.blob


def declared_type(declared: str) -> str:
    """Return the type of a declaration; empty if it says nothing.

    >>> declared_type("VARCHAR(20)"), declared_type("DECIMAL(10, 2)"), declared_type("")
    ('text', 'decimal(10,2)', '')
    """
    name = declared.strip().upper()
    scaled = _SCALE.match(name)
    if scaled and int(scaled[1]) <= _MOST_DIGITS:
        return f"decimal({scaled[1]},{scaled[2] or 0})"
    return next((kind for sign, kind in _DECLARED if re.search(sign, name)), "")


def zone_mark(column: Any) -> Any:
    """Return the condition that a text ends with a zone: Z, UTC or an offset."""
    import sqlalchemy as sa

    # No offset in a date: the third last sign of 2026-01-31 is no colon and no sign of a zone.
    offset = column.op("GLOB")(sa.literal_column("'*:*[+-][0-9][0-9]:[0-9][0-9]'"))
    short = column.op("GLOB")(sa.literal_column("'*:*[+-][0-9][0-9][0-9][0-9]'"))
    named = column.op("GLOB")(sa.literal_column("'*[ZC]'"))
    return sa.or_(offset, short, named)


def settle_column(
    column: SqlColumn, counts: Counts, title: str, *, is_time: bool
) -> "tuple[SqlColumn, pl.DataType]":
    """Return a column with its conversion, and the type in which the driver's values are held.

    Args:
        column: The column, with its declared type.
        counts: Its values by their own type.
        title: The table or query, for people.
        is_time: Whether its texts are the times of rows.

    Raises:
        SchemaError: If values do not fit the declared type, with their number.
    """
    import polars as pl

    kind = column.type or _by_values(column, counts, title)
    is_numeric = not counts.text and not counts.blob
    if kind == "text" and is_time and counts.text == counts.all:
        kind = "datetime"
    if kind in {"date", "datetime"}:
        if counts.all and is_numeric:
            kind = "number" if counts.real else "integer"
        else:
            _require(column, counts, counts.text, title)
            return replace(column, convert=_times(counts, kind, title)), pl.String()
    if kind in {"integer", "number"}:
        _require(column, counts, counts.integer + counts.real, title)
        is_whole = kind == "integer" and not counts.real
        if counts.real and max(counts.most, -counts.least) > _EXACT:
            what = "whole numbers of more than 15 digits among numbers with decimals"
            fix = f'Read texts: types={{"{column.name}": "text"}}.'
            raise no_such_values(column.name, counts.integer, what, title, fix)
        return column, pl.Int64() if is_whole else pl.Float64()
    if kind == "boolean":
        _require(column, counts, counts.integer, title)
        return replace(column, convert=_boolean(title)), pl.Int64()
    if kind.startswith("decimal"):
        _require(column, counts, counts.integer + counts.real, title)
        precision, scale = (int(part) for part in re.findall(r"\d+", kind))
        return replace(column, convert=_decimal(precision, scale, title)), pl.Float64()
    if kind == "bytes":
        _require(column, counts, counts.blob, title)
        return column, pl.Binary()
    _require(column, counts, counts.all - counts.blob, title)
    # Of another type only where the column prefers numbers, as JSON does.
    return (replace(column, read=_as_text) if counts.integer + counts.real else column), pl.String()


def _by_values(column: SqlColumn, counts: Counts, title: str) -> str:
    for kind, fitting in (
        ("integer", counts.integer),
        ("text", counts.text),
        ("bytes", counts.blob),
    ):
        if counts.all == fitting:
            return "text" if not counts.all else kind
    _require(column, counts, counts.integer + counts.real, title)
    return "number"


def _require(column: SqlColumn, counts: Counts, fitting: int, title: str) -> None:
    odd = counts.all - fitting
    if not odd:
        return
    named = {"a whole number": counts.integer, "a number with decimals": counts.real}
    named |= {"text": counts.text, "bytes": counts.blob}
    found = " and ".join(
        f"{rows:,} {'row holds' if rows == 1 else 'rows hold'} {what}"
        for what, rows in named.items()
        if rows
    )
    declared = f", which is declared {column.type}" if column.type else ""
    raise SchemaError(
        what=f"Column {column.name!r} of {title}{declared}: {found}.",
        why="SQLite keeps whatever is written, and a column here has one type.",
        fix=f'Correct the rows (WHERE typeof("{column.name}") = …), or read all as text:'
        f' types={{"{column.name}": "text"}}.',
        column=column.name,
        rows=odd,
    )


def _times(counts: Counts, kind: str, title: str) -> "Callable[[pl.Series], pl.Series]":
    import polars as pl

    is_date = kind == "date" or counts.longest <= _DAY_LENGTH
    dtype = pl.Date() if is_date else pl.Datetime("us", "UTC" if counts.zoned else None)
    fix = (
        'Write ISO times (2026-01-31 12:00:00), or read text: types={"…": "text"} and time_format=.'
    )

    def convert(series: "pl.Series") -> "pl.Series":
        if series.null_count() == len(series):
            return series.cast(dtype)
        if counts.zoned not in {0, counts.text}:
            what = f"a time with a zone, and {counts.text - counts.zoned:,} a time without"
            raise no_such_values(series.name, counts.zoned, what, title, fix)
        times = read_iso(series)
        if times is not None:
            return times.cast(dtype)
        odd = [value for value in series.drop_nulls() if read_iso(pl.Series([value])) is None]
        shown = f"{odd[0][:40]!r} or the like, which is no ISO time" if odd else "mixed times"
        raise no_such_values(series.name, len(odd), shown, title, fix)

    return convert


def _boolean(title: str) -> "Callable[[pl.Series], pl.Series]":
    import polars as pl

    def convert(series: "pl.Series") -> "pl.Series":
        odd = int((~series.is_in([0, 1])).sum())
        if odd:
            fix = f'Read numbers: types={{"{series.name}": "integer"}}.'
            raise no_such_values(series.name, odd, "neither 0 nor 1", title, fix)
        return series.cast(pl.Boolean)

    return convert


def _decimal(precision: int, scale: int, title: str) -> "Callable[[pl.Series], pl.Series]":
    import polars as pl

    def convert(series: "pl.Series") -> "pl.Series":
        fits = series.abs() < 10.0 ** (precision - scale)
        values = pl.select(pl.when(fits).then(series.round(scale))).to_series()
        values = values.alias(series.name).cast(pl.Decimal(precision, scale))
        away = (values.cast(pl.Float64) - series).abs() > _CLOSE * series.abs().clip(1.0)
        odd = int(away.sum()) + values.null_count() - series.null_count()
        if odd:
            what = f"numbers that decimal({precision},{scale}) cannot hold"
            fix = f'Read numbers: types={{"{series.name}": "number"}}.'
            raise no_such_values(series.name, odd, what, title, fix)
        return values

    return convert


def _as_text(column: Any) -> Any:
    import sqlalchemy as sa

    return sa.cast(column, sa.Text)
