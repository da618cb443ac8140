"""PostgreSQL through ADBC: Arrow batches from COPY, several ranges at a time in one snapshot.

ADBC copies (streams) statements without parameters only; with parameters it holds the whole result
in memory. So values go to the transaction's own settings, with parameters, and the statement refers
to them: ``current_setting('penstock.v1')``.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from penstock.core import require
from penstock.data.sources._read_ahead import read_ahead
from penstock.data.sources.sql._arrow import to_frame
from penstock.data.sources.sql._columns import Relation, SqlColumn, require_distinct
from penstock.data.sources.sql._database import SqlDatabase
from penstock.data.sources.sql._postgres_types import column_of, probes
from penstock.data.sources.sql._ranges import in_ranges
from penstock.data.sources.sql._statement import select_all

if TYPE_CHECKING:
    import polars as pl
    from sqlalchemy import ColumnElement, FromClause, Select
    from sqlalchemy.engine import Dialect
    from sqlalchemy.types import TypeEngine

_BEGIN = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
# Finite, whatever happens to server and network; a statement itself may take its time.
_OPTIONS = {
    "connect_timeout": "15",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
    "application_name": "penstock",
    "client_encoding": "UTF8",
}
# Equal texts mean equal values whatever the user's settings are.
_SETTINGS = (
    "SELECT set_config('timezone', 'UTC', true), set_config('datestyle', 'ISO', true),"
    " set_config('extra_float_digits', '1', true), set_config('lock_timeout', '30s', true)"
)
_SERVER = "SELECT current_setting('server_version'), CAST(pg_current_snapshot() AS text)"
_KEY = (
    "SELECT a.attname FROM pg_index i, unnest(i.indkey) WITH ORDINALITY AS k(number, place),"
    " pg_attribute a WHERE i.indrelid = to_regclass(current_setting('penstock.table'))"
    " AND i.indisprimary AND a.attrelid = i.indrelid AND a.attnum = k.number ORDER BY k.place"
)
_TABLES = (
    "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') AND n.nspname NOT IN ('information_schema')"
    " AND n.nspname NOT LIKE 'pg\\_%' ORDER BY 1 LIMIT 1000"
)
_UNNAMED = re.compile(r"unnamed<oid:(\d+)>")
_BATCH_BYTES = 8 << 20
_WAITING = 4


class AdbcDatabase(SqlDatabase):
    """A transaction on PostgreSQL; see SqlDatabase."""

    partitions = 1
    _connection: Any = None

    @property
    def dialect(self) -> "Dialect":
        """The form of statements."""
        from sqlalchemy.dialects import postgresql

        return postgresql.dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call] # SQLAlchemy's

    def connect(self) -> None:
        """Connect, and begin a transaction that reads one state."""
        self._values: dict[str, str] = {}
        self._connection = self._open()
        version, snapshot = self.first(_SERVER)
        self.facts |= {
            "server": f"PostgreSQL {version}",
            "isolation": "repeatable read, read only",
            "snapshot": snapshot,
        }

    def close(self) -> None:
        """End the transaction and the connection."""
        if self._connection is not None:
            with suppress(Exception):
                self._connection.close()

    def tables(self, schema: str | None) -> list[str]:  # noqa: ARG002 - a hint from every schema
        """List tables and views."""
        with self._open() as connection, connection.cursor() as cursor:
            cursor.execute(_TABLES)
            return [name for (name,) in cursor.fetchall()]

    def has_table(self, table: str, schema: str | None) -> bool:
        """Return whether a table or view exists that this user may see."""
        self._set("penstock.table", self.quoted(table, schema))
        found = "SELECT to_regclass(current_setting('penstock.table')) IS NOT NULL"
        return bool(self.first(found)[0])

    def key(self, table: str, schema: str | None) -> list[str]:
        """List the columns of a table's primary key in order."""
        self._set("penstock.table", self.quoted(table, schema))
        return [name for (name,) in self._all(_KEY)]

    def set_column(self, name: str) -> None:
        """Keep a column's name for a statement on the server's statistics."""
        self._set("penstock.column", name)

    def quoted(self, table: str, schema: str | None) -> str:
        """Return a table's name as SQL."""
        names = [name.replace('"', '""') for name in (schema, table) if name]
        return ".".join(f'"{name}"' for name in names)

    def columns(self, rows: "FromClause", title: str) -> list[SqlColumn]:
        """List the columns of a table or query."""
        text, _ = self.render(select_all(rows))
        with self._connection.cursor() as cursor:
            schema = cursor.adbc_execute_schema(text)
        require_distinct(schema.names, title)
        return [column_of(field, title, self._type_of(field)) for field in schema]

    def _type_of(self, field: Any) -> str:
        """Return a type's name; the driver knows that of a type of the user's own as a number."""
        name = (field.metadata or {}).get(b"POSTGRESQL:type", b"").decode()
        number = _UNNAMED.fullmatch(name)
        if number is None:
            return name or str(field.type)
        self._set("penstock.type", number[1])
        named = "SELECT format_type(CAST(current_setting('penstock.type') AS oid), NULL)"
        return str(self.first(named)[0])

    def settle(self, relation: Relation, statement: "Select[Any]") -> Relation:
        """Return a relation with the types of columns that only their values tell."""
        return probes(self, relation, statement)

    def bind(self, value: Any, type_: "TypeEngine[Any]") -> "ColumnElement[Any]":
        """Keep a value for the transaction's settings, and return the expression that reads it."""
        import sqlalchemy as sa

        text = (
            value.isoformat(" ")
            if isinstance(value, datetime)
            else (value.isoformat() if isinstance(value, date) else str(value))
        )
        name = next((known for known, kept in self._values.items() if kept == text), None)
        if name is None:
            name = f"penstock.v{len(self._values) + 1}"
            self._values[name] = text
            self._set(name, text)
        return sa.cast(sa.func.current_setting(sa.literal_column(f"'{name}'")), type_)

    def render(self, statement: "Select[Any]") -> tuple[str, dict[str, Any]]:
        """Return a statement's text and the values that it refers to."""
        # The only constants left are this package's own; the user's values are settings.
        inline = {"literal_binds": True}
        text = str(statement.compile(dialect=self.dialect, compile_kwargs=inline))
        return text, {name: value for name, value in self._values.items() if f"'{name}'" in text}

    def first(self, statement: "Select[Any] | str") -> Sequence[Any]:
        """Return the first row of a statement."""
        text = statement if isinstance(statement, str) else self.render(statement)[0]
        rows: list[Sequence[Any]] = self._all(text)
        return rows[0] if rows else ()

    def batches(self, statement: "Select[Any]", relation: Relation) -> "Iterator[pl.DataFrame]":
        """Read rows in order: in one go, or in ranges of the key on several connections."""
        ranges = in_ranges(self, statement, relation) if self.partitions > 1 else [statement]
        workers = min(self.partitions, len(ranges))
        # On the main connection where one is enough: no snapshot has to be shared.
        readers = [self._connection] if workers == 1 else self._share(workers)
        running: dict[int, Any] = {}

        def read(worker: int, part: "Select[Any]") -> Iterator[Any]:
            with readers[worker].cursor() as cursor:
                running[worker] = cursor
                cursor.adbc_statement.set_options(
                    **{"adbc.postgresql.batch_size_hint_bytes": str(_BATCH_BYTES)}
                )
                cursor.execute(self.render(part)[0])
                yield from cursor.fetch_record_batch()

        def cancel() -> None:
            for cursor in list(running.values()):
                with suppress(Exception):
                    cursor.adbc_cancel()

        try:
            for batch in read_ahead(ranges, read, workers=workers, most=_WAITING, cancel=cancel):
                yield relation.convert(to_frame(batch, relation.title))
        finally:
            for connection in readers[:workers] if workers > 1 else ():
                with suppress(Exception):
                    connection.close()

    def _share(self, workers: int) -> list[Any]:
        (snapshot,) = self.first("SELECT pg_export_snapshot()")
        self.facts |= {"snapshot": snapshot, "connections": workers}
        others = []
        for _ in range(workers):
            connection = self._open(snapshot)
            others.append(connection)
            for name, value in self._values.items():
                self._set(name, value, connection)
        return others

    def _open(self, snapshot: str = "") -> Any:
        driver = require(
            "adbc_driver_postgresql.dbapi", extra="sql", purpose="rows from PostgreSQL"
        )
        connection = driver.connect(self.address.resolved(_OPTIONS))
        with connection.cursor() as cursor:
            cursor.execute(_BEGIN)
            if snapshot:  # the server's own text: digits, letters and dashes
                cursor.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
            cursor.execute(_SETTINGS)
            cursor.fetchall()
        return connection

    def _set(self, name: str, value: str, connection: Any = None) -> None:
        with (connection or self._connection).cursor() as cursor:
            cursor.execute("SELECT set_config($1, $2, true)", (name, value))
            cursor.fetchall()

    def _all(self, text: str) -> list[Any]:
        with self._connection.cursor() as cursor:
            cursor.execute(text)
            return list(cursor.fetchall())
