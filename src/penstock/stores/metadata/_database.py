"""What the statements need of a database; apart so that another database is one more class."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol


class Rows(Protocol):
    """The answer of a statement."""

    @property
    def rowcount(self) -> int: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...


class Transaction(Protocol):
    """One open transaction; statements are plain SQL with ``?`` for values."""

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Rows: ...
    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> Rows: ...


class Database(Protocol):
    """Transactions on one database.

    Threads and processes: any number at once. ``write`` waits for the other writers and never
    fails because of them; leaving it with an exception undoes all.
    """

    @property
    def read_only(self) -> bool:
        """Whether nothing can be written, as in a backup on a read-only disk."""
        ...

    def read(self) -> AbstractContextManager[Transaction]: ...
    def write(self, *, durable: bool = False) -> AbstractContextManager[Transaction]:
        """Open a writing transaction; a durable one survives a power cut once it is left."""
        ...

    def alone(self, transaction: Transaction, name: str) -> None:
        """Wait until no other open transaction works on what the name means.

        For what is read and then written; where writers take turns anyway it does nothing.
        """
        ...

    def micros(self, transaction: Transaction, at: datetime) -> int:
        """Give the time that heartbeats are judged by, microseconds since 1970.

        Args:
            transaction: An open one.
            at: The time of this process; counts where the database has no clock of its own.
        """
        ...

    def identity(self) -> str:
        """Say which database this is: a copy of it says something else."""
        ...

    def is_same(self, known: str) -> bool:
        """Say whether this is the database that had an identity, and no copy of it."""
        ...

    def is_missing_parent(self, error: BaseException) -> bool:
        """Say whether an error means that a row points at a row that does not exist."""
        ...

    def close(self) -> None: ...
