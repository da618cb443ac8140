"""Types of PostgreSQL: what each column is read as, so that its values keep their meaning."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from penstock.data.sources.sql._columns import (
    MomentType,
    Relation,
    SqlColumn,
    no_such_type,
    no_such_values,
    same,
)

if TYPE_CHECKING:
    import polars as pl
    from sqlalchemy import Select

_MOMENTS: dict[str, MomentType] = {"timestamptz": "aware", "timestamp": "naive", "date": "date"}
_PLAIN = {"bool", "int2", "int4", "int8", "float4", "float8", "bytea", *_MOMENTS, "time"}
_TEXTS = {"text", "varchar", "name"}
# Their text says all that they say; a fixed-length text has no meaning in its last blanks.
_AS_TEXT = {
    "bpchar", "char", "json", "jsonb", "uuid", "inet", "cidr", "macaddr", "macaddr8", "xml",
}  # fmt: skip
_UNSORTED = {"json", "xml"}
_WHOLE = {"oid", "xid8", "xid", "cid"}
_MOST_DIGITS = 38
# What the driver makes of infinity and -infinity: the limits of the numbers, and back around.
_ENDLESS = {
    "timestamp": (-9_222_425_352_054_775_809, -9_222_425_352_054_775_808),
    "date": (-2_147_472_692, -2_147_472_691),
}
_ENDLESS["timestamptz"] = _ENDLESS["timestamp"]


class HasFirst(Protocol):
    """What probes need of the database."""

    def first(self, statement: Any) -> Sequence[Any]:
        """Return the first row of a statement."""
        ...


def column_of(field: Any, title: str, kind: str) -> SqlColumn:
    """Return the column of a field that the driver describes.

    Raises:
        SchemaError: If its type has no counterpart here.
    """
    facts = {name.decode(): value.decode() for name, value in (field.metadata or {}).items()}
    name = field.name
    column = SqlColumn(name, kind, _MOMENTS.get(kind))
    if kind in _PLAIN:
        return replace(column, convert=_checked(name, kind, title))
    if kind in _TEXTS or kind in _AS_TEXT:
        read = _cast_text if kind in _AS_TEXT else column.read
        return replace(column, read=read, sort=_by_bytes if kind in _TEXTS else _text_by_bytes)
    if kind == "numeric":
        digits = _digits(int(facts.get("POSTGRESQL:typmod", "-1")))
        return replace(column, convert=_decimal(*digits, title)) if digits else column
    if kind in {"interval", "money"} or kind in _WHOLE:
        return _number(column, kind, title)
    if kind.startswith("_"):
        return _array(column, kind, str(field.type), title)
    # A type of the user's own that the driver reads as text: one of a list of names.
    if str(field.type) == "string":
        return replace(column, read=_cast_text)
    raise no_such_type(name, kind, title)


def probes(database: HasFirst, relation: Relation, statement: "Select[Any]") -> Relation:
    """Return a relation whose numbers without a scale have one, and whose odd values are refused.

    Costs an additional reading of those columns, and nothing where there are none.

    Raises:
        SchemaError: If values have no counterpart here.
    """
    import sqlalchemy as sa

    names = [each.name for each in relation.columns if _is_unsure(each)]
    if not names:
        return relation
    inner = statement.with_only_columns(
        *(relation.rows.c[name] for name in names), maintain_column_froms=True
    )
    rows = inner.order_by(None).subquery("penstock_probe")
    expressions, ends = [], []
    for name in names:
        expressions += _probe(rows.c[name], relation.column(name).type)
        ends.append(len(expressions))
    values = list(database.first(sa.select(*expressions)))
    settled = {}
    for name, start, end in zip(names, [0, *ends], ends, strict=False):
        settled[name] = _settled(relation.column(name), values[start:end], relation.title)
    return replace(relation, columns=[settled.get(c.name, c) for c in relation.columns])


def _is_unsure(column: SqlColumn) -> bool:
    if column.type == "numeric":
        return column.convert is same
    return column.type == "interval" or column.type.startswith("_")


def _probe(column: Any, kind: str) -> list[Any]:
    import sqlalchemy as sa

    if kind == "numeric":
        odd = sa.cast(column, sa.Text).in_(["NaN", "Infinity", "-Infinity"])
        plain = sa.case((sa.not_(odd), column))
        whole = sa.func.max(sa.func.length(sa.cast(sa.func.trunc(sa.func.abs(plain)), sa.Text)))
        return [sa.func.max(sa.func.scale(plain)), whole, _count(odd)]
    if kind == "interval":
        months = sa.or_(sa.extract("year", column) != 0, sa.extract("month", column) != 0)
        return [_count(months)]
    deep = sa.func.array_ndims(column) > 1
    # Of numbers infinity is a value; the text of a time has no other letters.
    endless = sa.cast(column, sa.Text).contains("infinity")
    return [_count(deep), _count(endless) if kind[1:] in _MOMENTS else sa.literal_column("0")]


def _count(condition: Any) -> Any:
    import sqlalchemy as sa

    return sa.func.count().filter(condition)


def _settled(column: SqlColumn, values: Sequence[Any], title: str) -> SqlColumn:
    name = f'"{column.name}"'
    if column.type == "numeric":
        scale, whole, odd = values[0] or 0, values[1] or 1, values[2]
        if odd:
            fix = f"Cast it in query=: CAST({name} AS double precision)."
            raise no_such_values(column.name, odd, "NaN or infinity in a decimal", title, fix)
        if scale + whole > _MOST_DIGITS:
            fix = f"Round it in query=: CAST({name} AS numeric(38, 10)), or cast it to double precision."
            what = f"decimals that need {scale + whole} digits ({_MOST_DIGITS} fit)"
            raise no_such_type(column.name, what, title, fix)
        return replace(column, convert=_decimal(_MOST_DIGITS, scale, title))
    if column.type == "interval" and values[0]:
        fix = f"Cast it in query=: EXTRACT(epoch FROM {name}), or CAST({name} AS text)."
        what = "intervals of months, whose length differs"
        raise no_such_values(column.name, values[0], what, title, fix)
    if column.type.startswith("_") and values[0]:
        fix = f"Cast it in query=: to_json({name}), which keeps the form."
        raise no_such_values(column.name, values[0], "arrays of arrays", title, fix)
    if column.type.startswith("_") and values[1]:
        fix = f"Replace it in query=: array_replace({name}, 'infinity', NULL), or CAST({name} AS text[])."
        raise no_such_values(column.name, values[1], "infinity in an array", title, fix)
    return column


def _number(column: SqlColumn, kind: str, title: str) -> SqlColumn:
    import polars as pl
    import sqlalchemy as sa

    if kind == "interval":
        micro: Any = sa.literal_column("1000000")
        return replace(
            column,
            read=lambda value: sa.cast(sa.extract("epoch", value) * micro, sa.BigInteger),
            convert=lambda series: series.cast(pl.Duration("us")),
        )
    if kind == "money":
        return replace(
            column,
            read=lambda value: sa.cast(value, sa.Numeric(19, 2)),
            convert=_decimal(19, 2, title),
        )
    text = sa.Text()
    return replace(column, read=lambda value: sa.cast(sa.cast(value, text), sa.BigInteger))


def _array(column: SqlColumn, kind: str, arrow: str, title: str) -> SqlColumn:
    import sqlalchemy as sa
    from sqlalchemy.dialects import postgresql

    item = kind[1:]
    if item in _PLAIN or item in _TEXTS:
        return column
    if item in _AS_TEXT or arrow == "list<item: string>":
        return replace(
            column, read=lambda value: sa.cast(value, postgresql.ARRAY(sa.Text)), sort=_cast_text
        )
    raise no_such_type(
        column.name,
        f"{item}[]",
        title,
        f'Cast it in query=: CAST("{column.name}" AS double precision[]) or AS text[].',
    )


def _cast_text(column: Any) -> Any:
    import sqlalchemy as sa

    return sa.cast(column, sa.Text)


def _by_bytes(column: Any) -> Any:
    return column.collate("C")


def _text_by_bytes(column: Any) -> Any:
    return _cast_text(column).collate("C")


def _digits(typmod: int) -> tuple[int, int] | None:
    """Return precision and scale as the catalogue packs them; None if it names none."""
    if typmod < 0:
        return None
    packed = typmod - 4
    scale = ((packed & 0x7FF) ^ 1024) - 1024
    precision = (packed >> 16) & 0xFFFF
    precision, scale = precision - min(scale, 0), max(scale, 0)
    return (precision, scale) if precision <= _MOST_DIGITS and scale <= precision else None


def _decimal(precision: int, scale: int, title: str) -> "Callable[[pl.Series], pl.Series]":
    import polars as pl

    def convert(series: "pl.Series") -> "pl.Series":
        values = series.cast(pl.Decimal(precision, scale), strict=False)
        odd = values.null_count() - series.null_count()
        if odd:
            fix = f'Cast it in query=: CAST("{series.name}" AS double precision).'
            raise no_such_values(series.name, odd, "NaN or infinity in a decimal", title, fix)
        return values

    return convert


def _checked(name: str, kind: str, title: str) -> "Callable[[pl.Series], pl.Series]":
    """Return a check of values that the driver cannot express: infinity."""
    ends = _ENDLESS.get(kind)
    if ends is None:
        return same

    def check(series: "pl.Series") -> "pl.Series":
        odd = int(series.to_physical().is_in(ends).sum())
        if odd:
            fix = f'Replace it in query=: NULLIF("{name}", \'infinity\'), if that means "no value".'
            raise no_such_values(name, odd, "infinity", title, fix)
        return series

    return check
