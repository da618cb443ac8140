"""SqlDatabase: one read-only transaction on a database, the same for every kind."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from penstock.core import NotFoundError, PenstockError, did_you_mean
from penstock.data.sources.sql._address import SqlAddress
from penstock.data.sources.sql._columns import Relation, SqlColumn
from penstock.data.sources.sql._errors import failed

if TYPE_CHECKING:
    import polars as pl
    from sqlalchemy import ColumnElement, FromClause, Select
    from sqlalchemy.engine import Dialect
    from sqlalchemy.types import TypeEngine


class SqlDatabase(ABC):
    """A transaction that reads one state of a database and cannot write.

    Threads: used by one thread at a time.

    Args:
        address: Address of the database.
        types: Types of columns by name, for databases whose columns have none.
        times: Columns with the times of rows.

    Attributes:
        facts: What is known of server and transaction, as plain JSON.
    """

    def __init__(
        self,
        address: SqlAddress,
        types: Sequence[tuple[str, str]] = (),
        times: Sequence[str] = (),
    ) -> None:
        self.address, self.types, self.times = address, dict(types), times
        self.facts: dict[str, Any] = {
            "server": address.kind.title,
            **({"host": address.host} if address.host else {}),
            "database": address.database,
        }

    def __enter__(self) -> Self:
        with self.explained():
            self.connect()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    @abstractmethod
    def dialect(self) -> "Dialect":
        """The form of statements."""

    @abstractmethod
    def connect(self) -> None:
        """Connect, and begin the transaction."""

    @abstractmethod
    def close(self) -> None:
        """End the transaction and the connection; never raises."""

    @abstractmethod
    def tables(self, schema: str | None) -> list[str]:
        """List tables and views."""

    @abstractmethod
    def has_table(self, table: str, schema: str | None) -> bool:
        """Return whether a table or view exists."""

    @abstractmethod
    def key(self, table: str, schema: str | None) -> list[str]:
        """List the columns of a table's primary key in order; empty if there is none."""

    @abstractmethod
    def columns(self, rows: "FromClause", title: str) -> list[SqlColumn]:
        """List the columns of a table or query.

        Raises:
            SchemaError: If a type has no counterpart here.
        """

    @abstractmethod
    def first(self, statement: "Select[Any] | str") -> Sequence[Any]:
        """Return the first row of a statement."""

    @abstractmethod
    def batches(self, statement: "Select[Any]", relation: Relation) -> "Iterator[pl.DataFrame]":
        """Read a statement's rows in order, in batches of bounded size."""

    def holds(self, table: str, schema: str | None) -> bool:  # noqa: ARG002 - for those that can tell
        """Return whether a name is a table whose rows all lie in the database, and no view."""
        return False

    def settle(self, relation: Relation, statement: "Select[Any]") -> Relation:  # noqa: ARG002 - for those that need the rows
        """Return a relation whose types are known from the values where they must be."""
        return relation

    def exact(self, name: str) -> str:
        """Return a name as the catalogue has it: quoted, whatever words the database reserves."""
        from sqlalchemy.sql import quoted_name

        return quoted_name(name, quote=True)

    def bind(self, value: Any, type_: "TypeEngine[Any]") -> "ColumnElement[Any]":
        """Return a value as a part of a statement that the driver sends beside it."""
        import sqlalchemy as sa

        return sa.literal(value, type_)

    def render(self, statement: "Select[Any]") -> tuple[str, dict[str, Any]]:
        """Return a statement's text and the values that are sent beside it."""
        compiled = statement.compile(dialect=self.dialect)
        return str(compiled), dict(compiled.params)

    @contextmanager
    def explained(self, title: str = "") -> Iterator[None]:
        """Turn a driver's errors into sentences without secrets.

        Args:
            title: What is read, for people.
        """
        try:
            yield
        except PenstockError:
            raise
        except Exception as error:  # noqa: BLE001 - drivers have no common class of errors
            # `from None`: the driver's error may show the address with its password.
            raise failed(error, self.address, title, lambda: self.known(None)) from None

    def known(self, schema: str | None) -> list[str]:
        """List tables for a hint; empty if even that fails."""
        try:
            return self.tables(schema)
        except Exception:  # noqa: BLE001 - the hint must not hide the error that asks for it
            return []

    def require_table(self, table: str, schema: str | None) -> None:
        """Check that a table or view exists.

        Raises:
            NotFoundError: If it does not, with did-you-mean.
        """
        if self.has_table(table, schema):
            return
        named = f"{schema}.{table}" if schema else table
        raise NotFoundError(
            what=f"There is no table {named!r} in {self.address.place}.",
            why="Or this user may not see it.",
            fix=did_you_mean(table, self.known(schema)),
            table=table,
        )
