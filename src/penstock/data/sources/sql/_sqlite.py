"""SQLite: a file of values that each have a type of their own, whatever their column says."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from penstock.data.sources.sql._columns import Relation, SqlColumn, require_distinct
from penstock.data.sources.sql._database import SqlDatabase
from penstock.data.sources.sql._sqlite_types import Counts, declared_type, settle_column, zone_mark
from penstock.data.sources.sql._statement import select_all

if TYPE_CHECKING:
    import polars as pl
    from sqlalchemy import FromClause, Select
    from sqlalchemy.engine import Dialect

_ROWS = 50_000
_WAIT_S = 30.0
_TABLES = (
    "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%'"
    " ESCAPE '\\' ORDER BY name"
)
_IS_TABLE = (
    "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND lower(name) = lower(?)"
    " AND sql NOT LIKE 'CREATE VIRTUAL%'"
)
_CLASSES = ("integer", "real", "text", "blob")


class SqliteDatabase(SqlDatabase):
    """A transaction on a SQLite file; see SqlDatabase."""

    _connection: sqlite3.Connection | None = None

    @property
    def dialect(self) -> "Dialect":
        """The form of statements."""
        from sqlalchemy.dialects import sqlite

        return sqlite.dialect()

    def connect(self) -> None:
        """Open the file for reading, and begin a transaction."""
        path = quote(self.address.database)
        # One thread at a time, which need not be the same: batches are taken where they are used.
        self._connection = sqlite3.connect(
            f"file:{path}?mode=ro",
            uri=True,
            timeout=_WAIT_S,
            isolation_level=None,
            check_same_thread=False,
        )
        self._storage: dict[str, Any] = {}
        # The state is that of the first reading; a write-ahead log lets others go on.
        self._connection.execute("BEGIN")
        self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        self.facts |= {
            "server": f"SQLite {sqlite3.sqlite_version}",
            "isolation": "one transaction, read only",
        }

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()

    def tables(self, schema: str | None) -> list[str]:  # noqa: ARG002 - a file has one schema
        """List tables and views."""
        return [name for (name,) in self._all(_TABLES)]

    def has_table(self, table: str, schema: str | None) -> bool:
        """Return whether a table or view exists; names differ by more than capitals."""
        return table.lower() in map(str.lower, self.tables(schema))

    def holds(self, table: str, schema: str | None) -> bool:  # noqa: ARG002
        """Return whether a name is a table, and neither a view nor another module's."""
        found = self._all(_IS_TABLE, (table,))
        return bool(found[0][0])

    def key(self, table: str, schema: str | None) -> list[str]:  # noqa: ARG002
        """List the columns of a table's primary key in order."""
        rows = self._all("SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk", (table,))
        missing = 'SELECT count(*) FROM pragma_table_info(?) WHERE pk > 0 AND NOT "notnull"'
        # A key of texts may hold any number of missing values, unless the table forbids it.
        names = [name for (name,) in rows]
        (loose,) = self._all(missing, (table,))[0]
        return names if (len(names) == 1 and self._is_rowid(table, names[0])) or not loose else []

    def columns(self, rows: "FromClause", title: str) -> list[SqlColumn]:
        """List the columns of a table or query, with the declared types that they come from."""
        text, _ = self.render(select_all(rows))
        self._all("DROP VIEW IF EXISTS temp.penstock_view")
        # A view tells declared types through a query; it lies in this connection's own memory.
        self._all(f"CREATE TEMP VIEW penstock_view AS {text}")
        found = self._all("SELECT name, type FROM pragma_table_info('penstock_view')")
        require_distinct([name for name, _ in found], title)
        return [
            SqlColumn(name, self.types.get(name) or declared_type(kind)) for name, kind in found
        ]

    def settle(self, relation: Relation, statement: "Select[Any]") -> Relation:
        """Return a relation whose columns have a type that fits all of their values.

        Raises:
            SchemaError: If values of a column have types that do not go together.
        """
        import sqlalchemy as sa

        rows = statement.with_only_columns(*relation.rows.c, maintain_column_froms=True)
        inner = rows.order_by(None).subquery("penstock_probe")
        sums: list[Any] = []
        for cells in inner.c:
            kind = sa.func.typeof(cells)
            sums += [sa.func.sum(kind == name) for name in _CLASSES]
            sums += [sa.func.sum(zone_mark(cells)), sa.func.max(sa.func.length(cells))]
            whole = sa.case((kind == "integer", cells))
            sums += [sa.func.min(whole), sa.func.max(whole)]
        values = [value or 0 for value in self.first(sa.select(*sums))]
        width = len(Counts._fields)
        columns = []
        for place, column in enumerate(relation.columns):
            counts = Counts(*values[place * width : (place + 1) * width])
            settled, self._storage[column.name] = settle_column(
                column, counts, relation.title, is_time=column.name in self.times
            )
            columns.append(settled)
        return replace(relation, columns=columns)

    def first(self, statement: "Select[Any] | str") -> Sequence[Any]:
        """Return the first row of a statement."""
        if isinstance(statement, str):
            rows = self._all(statement)
        else:
            rows = self._all(*self._bound(statement))
        return rows[0] if rows else ()

    def batches(self, statement: "Select[Any]", relation: Relation) -> "Iterator[pl.DataFrame]":
        """Read rows in order."""
        import polars as pl

        assert self._connection is not None
        cursor = self._connection.execute(*self._bound(statement))
        schema = {name: self._storage[name] for name in relation.names}
        while rows := cursor.fetchmany(_ROWS):
            yield relation.convert(pl.DataFrame(rows, schema=schema, orient="row"))

    def _bound(self, statement: "Select[Any]") -> tuple[str, tuple[Any, ...]]:
        compiled = statement.compile(dialect=self.dialect)
        names: Sequence[str] = getattr(compiled, "positiontup", None) or ()
        values: dict[str, Any] = dict(compiled.params)
        return str(compiled), tuple(values[name] for name in names)

    def _all(self, text: str, values: Sequence[Any] = ()) -> list[Any]:
        assert self._connection is not None
        return self._connection.execute(text, values).fetchall()

    def _is_rowid(self, table: str, column: str) -> bool:
        kind = "SELECT upper(type) FROM pragma_table_info(?) WHERE name = ?"
        return bool(self._all(kind, (table, column))[0][0] == "INTEGER")
