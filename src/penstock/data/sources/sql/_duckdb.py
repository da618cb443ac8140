"""DuckDB through its own Arrow: a file that is opened for reading, with nothing outside of it."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from penstock.core import require
from penstock.data.sources.sql._arrow import to_frame
from penstock.data.sources.sql._columns import (
    MomentType,
    Relation,
    SqlColumn,
    no_such_type,
    no_such_values,
    require_distinct,
)
from penstock.data.sources.sql._database import SqlDatabase
from penstock.data.sources.sql._statement import select_all

if TYPE_CHECKING:
    import polars as pl
    from sqlalchemy import FromClause, Select
    from sqlalchemy.engine import Dialect

_ROWS = 100_000
_PURPOSE = "rows from DuckDB"
# A query that reads other files would have a state that nothing records.
_SETTINGS = (
    "SET enable_external_access = false; SET TimeZone = 'UTC'; SET lock_configuration = true"
)
_TABLES = (
    "SELECT table_name FROM information_schema.tables WHERE table_schema = coalesce($1, current_schema())"
    " ORDER BY 1"
)
_KEY = (
    "SELECT constraint_column_names FROM duckdb_constraints() WHERE constraint_type = 'PRIMARY KEY'"
    " AND table_name = $1 AND schema_name = coalesce($2, current_schema())"
)
_MOMENTS: dict[str, MomentType] = {
    "TIMESTAMP WITH TIME ZONE": "aware",
    "TIMESTAMP": "naive",
    "TIMESTAMP_S": "naive",
    "TIMESTAMP_MS": "naive",
    "TIMESTAMP_NS": "naive",
    "DATE": "date",
}
_AS_TEXT = re.compile(r"UUID|JSON|ENUM\(.*\)")
_FOREIGN = re.compile(
    r"\b(?:MAP|UNION|BIT|INTERVAL|TIME WITH TIME ZONE|UHUGEINT|BIGNUM|VARINT|GEOMETRY|VARIANT)\b"
)
_BOUNDED = re.compile(r"\b(?:TIMESTAMP|DATE|HUGEINT)")
_TOO_LARGE = 10**38
_ENDLESS = 2**63 - 1
_ENDLESS_DAY = 2**31 - 1


class DuckDatabase(SqlDatabase):
    """A transaction on a DuckDB file; see SqlDatabase."""

    _connection: Any = None

    @property
    def dialect(self) -> "Dialect":
        """The form of statements: that of PostgreSQL, which DuckDB shares."""
        from sqlalchemy.dialects import postgresql

        return postgresql.dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call] # SQLAlchemy's

    def connect(self) -> None:
        """Open the file for reading, and begin a transaction."""
        driver = require("duckdb", extra="duckdb", purpose=_PURPOSE)
        require("pyarrow", extra="duckdb", purpose=_PURPOSE)
        self._connection = driver.connect(self.address.database, read_only=True)
        self._connection.execute(_SETTINGS)
        self._connection.execute("BEGIN TRANSACTION")
        self.facts |= {
            "server": f"DuckDB {driver.__version__}",
            "isolation": "one transaction, read only",
        }

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            with suppress(Exception):
                self._connection.close()

    def tables(self, schema: str | None) -> list[str]:
        """List tables and views."""
        # On a connection of its own: a failed statement has ended this one's transaction.
        with self._connection.cursor() as cursor:
            return [name for (name,) in cursor.execute(_TABLES, [schema]).fetchall()]

    def has_table(self, table: str, schema: str | None) -> bool:
        """Return whether a table or view exists; names differ by more than capitals."""
        return table.lower() in map(str.lower, self.tables(schema))

    def holds(self, table: str, schema: str | None) -> bool:
        """Return whether a name is a table, and no view."""
        found = "SELECT count(*) FROM duckdb_tables() WHERE lower(table_name) = lower($1)"
        in_schema = " AND schema_name = coalesce($2, current_schema())"
        return bool(self._all(found + in_schema, [table, schema])[0][0])

    def key(self, table: str, schema: str | None) -> list[str]:
        """List the columns of a table's primary key in order."""
        found = self._all(_KEY, [table, schema])
        return list(found[0][0]) if found else []

    def columns(self, rows: "FromClause", title: str) -> list[SqlColumn]:
        """List the columns of a table or query."""
        text, _ = self.render(select_all(rows))
        found = [(row[0], row[1]) for row in self._all(f"DESCRIBE {text}")]
        require_distinct([name for name, _ in found], title)
        return [_column_of(name, kind, title) for name, kind in found]

    def settle(self, relation: Relation, statement: "Select[Any]") -> Relation:  # noqa: ARG002 - of all rows
        """Return the relation, after a look at its intervals.

        Raises:
            SchemaError: If an interval has months, whose length differs.
        """
        import sqlalchemy as sa

        names = [each.name for each in relation.columns if each.type == "INTERVAL"]
        rows = relation.rows
        odd: list[Any] = []
        for name in names:
            months = sa.extract("month", rows.c[name]) + sa.extract("year", rows.c[name])
            odd.append(sa.func.count().filter(months != sa.literal_column("0")))
        counts = self.first(sa.select(*odd).select_from(rows)) if names else ()
        for name, count in zip(names, counts, strict=True):
            if count:
                fix = (
                    f'Cast it in query=: date_part(\'epoch\', "{name}"), or CAST("{name}" AS text).'
                )
                what = "intervals of months, whose length differs"
                raise no_such_values(name, count, what, relation.title, fix)
        return relation

    def first(self, statement: "Select[Any] | str") -> Sequence[Any]:
        """Return the first row of a statement."""
        rows = (
            self._all(statement)
            if isinstance(statement, str)
            else self._all(*self._bound(statement))
        )
        return rows[0] if rows else ()

    def batches(self, statement: "Select[Any]", relation: Relation) -> "Iterator[pl.DataFrame]":
        """Read rows in order."""
        text, values = self._bound(statement)
        # A relation streams; a result of execute() copies its rows first.
        rows = self._connection.sql(text, params=values) if values else self._connection.sql(text)
        read = getattr(rows, "to_arrow_reader", None) or rows.fetch_arrow_reader
        for batch in read(_ROWS):
            if batch.num_rows:
                yield relation.convert(to_frame(batch, relation.title))

    def _bound(self, statement: "Select[Any]") -> tuple[str, list[Any]]:
        compiled = statement.compile(dialect=self.dialect)
        names: Sequence[str] = getattr(compiled, "positiontup", None) or ()
        values: dict[str, Any] = dict(compiled.params)
        return str(compiled), [values[name] for name in names]

    def _all(self, text: str, values: Sequence[Any] = ()) -> list[Any]:
        return list(self._connection.execute(text, list(values)).fetchall())


def _column_of(name: str, kind: str, title: str) -> SqlColumn:
    import polars as pl
    import sqlalchemy as sa

    column = SqlColumn(name, kind, _MOMENTS.get(kind))
    if kind == "INTERVAL":
        return replace(
            column,
            read=sa.func.epoch_us,
            convert=lambda series: series.cast(pl.Duration("us")),
        )
    if _AS_TEXT.fullmatch(kind):
        return replace(column, read=lambda value: sa.cast(value, sa.Text))
    if _FOREIGN.search(re.sub(r"'(?:[^']|'')*'|\"[^\"]*\"", "", kind)):
        raise no_such_type(name, kind, title)
    if _BOUNDED.search(kind):
        return replace(column, convert=_checked(title))
    return column


def _checked(title: str) -> "Callable[[pl.Series], pl.Series]":
    """Return a check of values that a snapshot cannot express: infinity, whole numbers too large."""

    def check(series: "pl.Series") -> "pl.Series":
        name = f'"{series.name}"'
        endless, large = _odd_values(series)
        if endless:
            fix = f"Replace it in query=: NULLIF({name}, 'infinity'), if that means \"no value\"."
            raise no_such_values(series.name, endless, "infinity", title, fix)
        if large:
            what = "whole numbers of more than 38 digits"
            fix = f"Read texts in query=: CAST({name} AS text)."
            raise no_such_values(series.name, large, what, title, fix)
        return series

    return check


def _odd_values(series: "pl.Series") -> tuple[int, int]:
    """Count endless times and numbers that are too large, in lists and structs too."""
    import polars as pl

    if isinstance(series.dtype, pl.List | pl.Array):
        return _odd_values(series.explode())
    if isinstance(series.dtype, pl.Struct):
        inner = [_odd_values(series.struct.field(field.name)) for field in series.dtype.fields]
        return sum(endless for endless, _ in inner), sum(large for _, large in inner)
    if series.dtype.is_temporal():
        day = series.dtype == pl.Date
        ends = [_ENDLESS_DAY, -_ENDLESS_DAY] if day else [_ENDLESS, -_ENDLESS]
        return int(series.to_physical().is_in(ends).sum()), 0
    if series.dtype == pl.Decimal(38, 0):  # as a HUGEINT comes
        numbers = series.to_physical()
        inside = numbers.is_between(1 - _TOO_LARGE, _TOO_LARGE - 1)
        return 0, int((~inside).sum())
    return 0, 0
