"""Requirements of the statements on a database; separate so that a new database is a class."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol

from penstock.core import ConflictError


class Rows(Protocol):
    """The result of a statement."""

    @property
    def rowcount(self) -> int:
        """Number of inserted, updated or deleted rows."""
        ...

    def fetchone(self) -> Any:
        """Return the next row; None after the last."""
        ...

    def fetchall(self) -> list[Any]:
        """Return the remaining rows."""
        ...


class Transaction(Protocol):
    """An open transaction; statements are plain SQL with ``?`` for values."""

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Rows:
        """Execute a statement with values for each ``?``."""
        ...

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> Rows:
        """Execute a statement once per row of values."""
        ...


class Database(Protocol):
    """Transactions on a database.

    Threads and processes: any number at once. ``write`` waits for concurrent writers and never
    fails because of them; an exception in the block rolls the transaction back.
    """

    @property
    def read_only(self) -> bool:
        """Whether writing is impossible, as in a backup on a read-only disk."""
        ...

    def read(self) -> AbstractContextManager[Transaction]:
        """Open a reading transaction, which sees a single state of the database."""
        ...

    def write(self, *, durable: bool = False) -> AbstractContextManager[Transaction]:
        """Open a writing transaction; a durable transaction survives a power cut once committed."""
        ...

    def alone(self, transaction: Transaction, name: str) -> None:
        """Wait until no further open transaction works on the named object.

        For data that is read and then written; a no-op where writers take turns anyway.
        """
        ...

    def micros(self, transaction: Transaction, at: datetime) -> int:
        """Return the time for judging heartbeats, microseconds since 1970.

        Args:
            transaction: An open transaction.
            at: The time of this process; used where the database has no clock.
        """
        ...

    def identity(self) -> str:
        """Return the identity of this database, which differs for a copy."""
        ...

    def is_same(self, known: str) -> bool:
        """Return whether this is the database with a known identity, and not a copy."""
        ...

    def is_missing_parent(self, error: BaseException) -> bool:
        """Return whether an error means that a row refers to a row that does not exist."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


def put_owned(transaction: Transaction, upsert: str, row: Sequence[Any], name: str) -> None:
    """Insert or replace a row, unless the row of that id belongs to another owner.

    Args:
        transaction: The transaction.
        upsert: The statement: `RecordTable.upsert` with an owner.
        row: Values of the row.
        name: Id of the row, for the error.

    Raises:
        ConflictError: If the row belongs to another owner; it stays as it is.
    """
    if not transaction.execute(upsert, row).rowcount:
        raise ConflictError(
            what=f"{name} is the id of a record that belongs to something else.",
            why="Whoever may write one run or deployment could change the records of another.",
            fix="Give each record an id of its own: penstock.core.new_id()",
            id=name,
        )
