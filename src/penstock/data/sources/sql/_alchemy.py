"""MySQL, MariaDB, SQL Server, Snowflake and BigQuery: through SQLAlchemy and the dialect's driver."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from penstock.core import SchemaError
from penstock.data.sources.sql._alchemy_types import column_of, dtype_of, guess_dtypes, query_column
from penstock.data.sources.sql._columns import Relation, SqlColumn
from penstock.data.sources.sql._database import SqlDatabase
from penstock.data.sources.sql._statement import select_all

if TYPE_CHECKING:
    import polars as pl
    from sqlalchemy import Connection, Engine, FromClause, Select
    from sqlalchemy.engine import Dialect

_ROWS = 20_000
# Finite, whatever happens to server and network; before its first row a statement may take its time.
_CONNECT_S, _READ_S = 15, 3_600
_MYSQL = (
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "SET SESSION time_zone = '+00:00'",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
)
_BEGIN = {"mysql": _MYSQL, "mariadb": _MYSQL}
_ISOLATION = {
    "mysql": "repeatable read, read only",
    "mariadb": "repeatable read, read only",
    "mssql": "snapshot",
}
_TIMEOUTS = {"connect_timeout": _CONNECT_S, "read_timeout": _READ_S, "write_timeout": 60}
_CONNECT = {"mysql": _TIMEOUTS, "mariadb": _TIMEOUTS, "mssql": {"timeout": _CONNECT_S}}


class AlchemyDatabase(SqlDatabase):
    """A transaction on a database that SQLAlchemy knows; see SqlDatabase."""

    _engine: "Engine | None" = None
    _connection: "Connection | None" = None

    @property
    def dialect(self) -> "Dialect":
        """The form of statements."""
        return self.engine.dialect

    @property
    def engine(self) -> "Engine":
        """The engine; made when first needed, without connecting."""
        import sqlalchemy as sa
        from sqlalchemy.pool import NullPool

        if self._engine is None:
            url = sa.make_url(self.address.resolved()).set(drivername=self.address.kind.driver)
            self._engine = sa.create_engine(
                url,
                poolclass=NullPool,
                connect_args=dict(_CONNECT.get(self.address.scheme, {})),
                # An error would otherwise show the statement's values.
                hide_parameters=True,
            )
        return self._engine

    def connect(self) -> None:
        """Connect, and begin a transaction that reads one state."""
        scheme = self.address.scheme
        connection = self.engine.connect()
        if scheme == "mssql":
            connection = connection.execution_options(isolation_level="SNAPSHOT")
        self._connection = connection
        for words in _BEGIN.get(scheme, ()):
            connection.exec_driver_sql(words)
        version = ".".join(map(str, self.dialect.server_version_info or ()))
        title = "MariaDB" if getattr(self.dialect, "is_mariadb", False) else self.address.kind.title
        self.facts |= {
            "server": f"{title} {version}".strip(),
            "isolation": _ISOLATION.get(scheme, "one statement"),
        }

    def close(self) -> None:
        """End the transaction and the connection."""
        with suppress(Exception):
            if self._connection is not None:
                self._connection.close()
            if self._engine is not None:
                self._engine.dispose()

    def tables(self, schema: str | None) -> list[str]:
        """List tables and views."""
        inspector = self._inspector()
        return [*inspector.get_table_names(schema), *inspector.get_view_names(schema)]

    def has_table(self, table: str, schema: str | None) -> bool:
        """Return whether a table or view exists."""
        return bool(self._inspector().has_table(table, schema))

    def key(self, table: str, schema: str | None) -> list[str]:
        """List the columns of a table's primary key in order."""
        return list(self._inspector().get_pk_constraint(table, schema)["constrained_columns"])

    def columns(self, rows: "FromClause", title: str) -> list[SqlColumn]:
        """List the columns of a table with their types; those of a query have none yet."""
        import sqlalchemy as sa

        if isinstance(rows, sa.TableClause):
            found = self._inspector().get_columns(rows.name, rows.schema)
            return [
                column_of(each["name"], each["type"], self.address.scheme, title) for each in found
            ]
        assert self._connection is not None
        names = self._connection.execute(select_all(rows)).keys()
        return [query_column(name, self.address.scheme) for name in names]

    def exact(self, name: str) -> str:
        """Return a name as the catalogue has it; Snowflake's dialect knows when to quote."""
        return name if self.address.scheme == "snowflake" else super().exact(name)

    def first(self, statement: "Select[Any] | str") -> Sequence[Any]:
        """Return the first row of a statement."""
        import sqlalchemy as sa

        assert self._connection is not None
        text = sa.text(statement) if isinstance(statement, str) else statement
        row = self._connection.execute(text).first()
        return () if row is None else tuple(row)

    def batches(self, statement: "Select[Any]", relation: Relation) -> "Iterator[pl.DataFrame]":
        """Read rows in order, as the server sends them."""
        assert self._connection is not None
        streaming = self._connection.execution_options(stream_results=True, max_row_buffer=_ROWS)
        dtypes = {each.name: dtype_of(each.type) for each in relation.columns}
        with streaming.execute(statement) as result:
            while rows := result.fetchmany(_ROWS):
                columns = dict(zip(relation.names, zip(*rows, strict=True), strict=True))
                if None in dtypes.values():
                    dtypes = guess_dtypes(columns, dtypes)
                yield relation.convert(_frame(columns, dtypes, relation.title))

    def _inspector(self) -> Any:
        import sqlalchemy as sa

        return sa.inspect(self._connection)


def _frame(
    columns: "dict[str, tuple[Any, ...]]", dtypes: "dict[str, Any]", title: str
) -> "pl.DataFrame":
    import polars as pl

    series = []
    for name, values in columns.items():
        try:
            series.append(pl.Series(name, values, dtype=dtypes[name], strict=True))
        except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
            odd = _first_odd(values, dtypes[name])
            raise SchemaError(
                what=f"Column {name!r} of {title} is {dtypes[name]}, and a row holds {odd!r:.60}.",
                why="The batches of a reading are one table; the type is that of the column, or for"
                f" a query of its first {_ROWS:,} rows.",
                fix=f"Cast it in query=: CAST({name} AS …), or make a view and name it as table=.",
                column=name,
            ) from None
    return pl.DataFrame(series)


def _first_odd(values: Sequence[Any], dtype: Any) -> Any:
    import polars as pl

    for value in values:
        try:
            pl.Series([value], dtype=dtype, strict=True)
        except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
            return value
    return values[0]
