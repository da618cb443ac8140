"""PredictionTable: a table of predictions in a database, written in one transaction."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime
from importlib.util import find_spec
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from penstock.core import DataError, MissingPackageError, ParameterError, PenstockError, require
from penstock.data.sources import SqlAddress

if TYPE_CHECKING:
    import polars as pl

KEY = "prediction_id"
_ROWS = 10_000
_NAMED = 3
_WAIT_S = 60


class PredictionTable(ABC):
    """A table that may not exist yet, over a connection that is open in a ``with`` block.

    Threads: used by one thread. What is written shows at once and whole to others.

    Args:
        address: The database.
        table: Name of the table.
        schema: Its schema; None for the default.
    """

    mark = '"'
    types: dict[str, str] = {  # noqa: RUF012 - a table that subclasses replace
        "Int64": "BIGINT",
        "Float64": "DOUBLE PRECISION",
        "Boolean": "BOOLEAN",
        "Date": "DATE",
        "Datetime": "TIMESTAMP",
        "String": "TEXT",
    }
    key_type = "TEXT"
    sign = "?"

    def __init__(self, address: SqlAddress, table: str, schema: str | None) -> None:
        self.address, self.table, self.schema = address, table, schema
        self._connection: Any = None

    def __enter__(self) -> Self:
        try:
            self.connect()
        except PenstockError:
            raise
        except Exception as error:  # of any driver
            raise self._failed(error, "cannot be reached") from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._connection is not None:
            with suppress(Exception):
                self._connection.close()

    @property
    def name(self) -> str:
        """The name in a statement."""
        return ".".join(self.quoted(part) for part in (self.schema, self.table) if part)

    def quoted(self, name: str) -> str:
        """Return a name as SQL."""
        return f"{self.mark}{name.replace(self.mark, 2 * self.mark)}{self.mark}"

    def exists(self) -> bool:
        """Return whether the table exists."""
        return bool(self.columns())

    def has(self, batch_id: str) -> bool:
        """Return whether it has rows of a batch."""
        sql = f"SELECT COUNT(*) FROM {self.name} WHERE {KEY} LIKE {self.sign}"  # noqa: S608 - quoted names
        return bool(self.rows(sql, (f"{batch_id}-%",))[0][0])

    def write(
        self, frames: "Iterator[pl.DataFrame]", form: "pl.DataFrame", *, create: bool
    ) -> None:
        """Write rows in one transaction.

        Args:
            frames: The rows.
            form: Some of them, for the columns.
            create: Whether the table is created.

        Raises:
            DataError: If the database does not take them; then it has none of them.
        """
        try:
            self.write_all(frames, form, create=create)
        except PenstockError:
            raise
        except Exception as error:  # of any driver
            raise self._failed(error, "does not take the predictions") from error

    def create_statement(self, form: "pl.DataFrame", name: str | None = None) -> str:
        """Return the statement that creates the table."""
        columns = [
            f"{self.quoted(column)} {self.key_type if column == KEY else self._type(dtype)}"
            for column, dtype in form.schema.items()
        ]
        return f"CREATE TABLE {name or self.name} ({', '.join(columns)}, PRIMARY KEY ({KEY}))"

    def insert_statement(self, form: "pl.DataFrame", name: str | None = None) -> str:
        """Return the statement that inserts a row."""
        columns = ", ".join(map(self.quoted, form.columns))
        values = ", ".join([self.sign] * form.width)
        return f"INSERT INTO {name or self.name} ({columns}) VALUES ({values})"  # noqa: S608 - quoted names

    def _type(self, dtype: "pl.DataType") -> str:
        return self.types[str(dtype.base_type())]

    @abstractmethod
    def connect(self) -> None:
        """Connect."""

    @abstractmethod
    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Sequence[Any]]:
        """Return the rows of a statement."""

    @abstractmethod
    def columns(self) -> list[str]:
        """List the table's columns; empty if it does not exist."""

    @abstractmethod
    def write_all(
        self, frames: "Iterator[pl.DataFrame]", form: "pl.DataFrame", *, create: bool
    ) -> None:
        """Write rows in one transaction; see ``write``."""

    def _failed(self, error: Exception, what: str) -> DataError:
        said = self.address.hide(str(error)).strip().splitlines() or [type(error).__name__]
        return DataError(
            what=f"{self.address.kind.title} {self.address.place} {what}: {said[0]:.300}.",
            why="Nothing was written.",
            fix="Fix what it names, and run the same command again: finished parts are kept.",
        )


class _Postgres(PredictionTable):
    sign = "$1"

    def connect(self) -> None:
        driver = require(
            "adbc_driver_postgresql.dbapi", extra="sql", purpose="a table of PostgreSQL"
        )
        self._connection = driver.connect(self.address.resolved())

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Sequence[Any]]:
        with self._connection.cursor() as cursor:
            cursor.execute(sql, tuple(values))
            return list(cursor.fetchall())

    def columns(self) -> list[str]:
        with self._connection.cursor() as cursor:
            cursor.execute(
                "SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0"
                " AND NOT attisdropped ORDER BY attnum",
                (self.name,),
            )
            return [name for (name,) in cursor.fetchall()]

    def write_all(
        self, frames: "Iterator[pl.DataFrame]", form: "pl.DataFrame", *, create: bool
    ) -> None:
        with self._connection.cursor() as cursor:
            if create:
                cursor.execute(self.create_statement(form))
            for frame in frames:
                some = {"db_schema_name": self.schema} if self.schema else {}
                cursor.adbc_ingest(self.table, frame.to_arrow(), mode="append", **some)
        self._connection.commit()


class _Sqlite(PredictionTable):
    def connect(self) -> None:
        import sqlite3

        self._connection = sqlite3.connect(
            self.address.database, timeout=_WAIT_S, isolation_level=None
        )

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Sequence[Any]]:
        return list(self._connection.execute(sql, tuple(values)).fetchall())

    def columns(self) -> list[str]:
        return [row[1] for row in self.rows(f"PRAGMA table_info({self.quoted(self.table)})")]

    def write_all(
        self, frames: "Iterator[pl.DataFrame]", form: "pl.DataFrame", *, create: bool
    ) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        if create:
            self._connection.execute(self.create_statement(form))
        for frame in frames:
            require_finite(frame, "SQLite")
            rows = (tuple(map(_as_text, row)) for row in frame.iter_rows())
            self._connection.executemany(self.insert_statement(frame), rows)
        self._connection.execute("COMMIT")


class _DuckDb(PredictionTable):
    def connect(self) -> None:
        driver = require("duckdb", extra="duckdb", purpose="a table of DuckDB")
        self._connection = driver.connect(self.address.database)

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Sequence[Any]]:
        return list(self._connection.execute(sql, list(values)).fetchall())

    def columns(self) -> list[str]:
        sql = (
            "SELECT column_name FROM information_schema.columns WHERE lower(table_name) = lower(?)"
            " AND table_schema = coalesce(?, current_schema()) ORDER BY ordinal_position"
        )
        return [name for (name,) in self.rows(sql, (self.table, self.schema))]

    def write_all(
        self, frames: "Iterator[pl.DataFrame]", form: "pl.DataFrame", *, create: bool
    ) -> None:
        self._connection.execute("BEGIN TRANSACTION")
        if create:
            self._connection.execute(self.create_statement(form))
        for frame in frames:
            self._connection.register("penstock_rows", frame.to_arrow())
            columns = ", ".join(map(self.quoted, frame.columns))
            self._connection.execute(
                f"INSERT INTO {self.name} ({columns}) SELECT {columns} FROM penstock_rows"  # noqa: S608 - quoted names
            )
            self._connection.unregister("penstock_rows")
        self._connection.execute("COMMIT")


class _MySql(PredictionTable):
    mark, sign, key_type = "`", "%s", "VARCHAR(64)"
    types = PredictionTable.types | {
        "Float64": "DOUBLE",
        "Datetime": "DATETIME(6)",
        "String": "LONGTEXT CHARACTER SET utf8mb4",
    }

    def connect(self) -> None:
        import sqlalchemy as sa

        if find_spec(module := self.address.kind.module) is None:
            raise MissingPackageError(
                what=f"{module} is not installed.",
                why="It is needed for a table of MySQL.",
                fix=f"Run: pip install {self.address.kind.install}",
                module=module,
            )
        url = sa.make_url(self.address.resolved()).set(drivername="mysql+pymysql")
        engine = sa.create_engine(url, poolclass=sa.pool.NullPool, hide_parameters=True)
        self._connection = engine.raw_connection()

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Sequence[Any]]:
        with self._connection.cursor() as cursor:
            cursor.execute(sql, tuple(values))
            return list(cursor.fetchall())

    def columns(self) -> list[str]:
        sql = (
            "SELECT column_name FROM information_schema.columns WHERE table_name = %s"
            " AND table_schema = coalesce(%s, database()) ORDER BY ordinal_position"
        )
        return [row[0] for row in self.rows(sql, (self.table, self.schema))]

    def write_all(
        self, frames: "Iterator[pl.DataFrame]", form: "pl.DataFrame", *, create: bool
    ) -> None:
        # Creating a table ends a transaction here: it is filled under another name, and renamed.
        waiting = f"{self.table[:40]}__penstock"
        parts = (self.schema, waiting if create else self.table)
        place = ".".join(self.quoted(part) for part in parts if part)
        with self._connection.cursor() as cursor:
            if create:
                cursor.execute(f"DROP TABLE IF EXISTS {place}")
                cursor.execute(self.create_statement(form, place))
            for frame in frames:
                require_finite(frame, "MySQL")
                for some in frame.iter_slices(_ROWS):
                    cursor.executemany(self.insert_statement(frame, place), some.rows())
            self._connection.commit()
            if create:
                cursor.execute(f"RENAME TABLE {place} TO {self.name}")


_KINDS: dict[str, type[PredictionTable]] = {
    "postgresql": _Postgres,
    "sqlite": _Sqlite,
    "duckdb": _DuckDb,
    "mysql": _MySql,
    "mariadb": _MySql,
}


def open_table(address: SqlAddress, table: str, schema: str | None) -> PredictionTable:
    """Return a table, not connected yet.

    Raises:
        ParameterError: If predictions cannot be written to this kind of database.
    """
    kind = _KINDS.get(address.scheme)
    if kind is None:
        raise ParameterError(
            what=f"Predictions cannot be written to {address.kind.title}.",
            fix="Write to PostgreSQL, MySQL, MariaDB, SQLite or DuckDB; or to a file that it loads.",
        )
    if schema is not None and address.scheme == "sqlite":
        raise ParameterError(what="A SQLite file has no schemas.", fix="Leave schema= out.")
    return kind(address, table, schema)


def require_finite(frame: "pl.DataFrame", title: str) -> None:
    """Check that no number is infinite or no number.

    Raises:
        DataError: If one is.
    """
    import polars as pl

    for name, dtype in frame.schema.items():
        if dtype == pl.Float64 and not frame[name].drop_nulls().is_finite().all():
            raise DataError(
                what=f"Column {name!r} has infinite numbers or NaN, which {title} cannot hold.",
                why="Nothing was written.",
                fix="Leave the column out with keep=, or write to a file.",
                column=name,
            )


def _as_text(value: Any) -> Any:
    """Return dates and times as ISO texts, which is how SQLite has them."""
    if isinstance(value, datetime):
        return value.isoformat(" ")
    return value.isoformat() if isinstance(value, date) else value
