"""SQLite as the database: one writer at a time who waits, readers never wait (WAL)."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from penstock.core import StoreError
from penstock.stores.metadata._database import Transaction

# Writers take turns; with many of them a turn can take a while, and failing would lose a result.
_BUSY_S = 120.0
_PRAGMAS = (
    # After a power cut WAL keeps the database whole in NORMAL; the last moments may be missing.
    # Registry moves and the like ask for a durable write, which is FULL.
    "PRAGMA synchronous=NORMAL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA cache_size=-16000",
)
_FOREIGN_KEY = "FOREIGN KEY constraint failed"
# Connections inherited through fork: closing or collecting them here would harm the parent's.
_inherited: list[sqlite3.Connection] = []


class SQLiteDatabase:
    """A pool of connections to one database file.

    A connection serves one transaction at a time, whatever the thread. A forked child opens its
    own.

    Args:
        path: The database file; its folder exists.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pid = os.getpid()
        self._free: list[sqlite3.Connection] = []
        self._turn = threading.Lock()
        self._closed = False

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Open a transaction that sees one state of the database and changes nothing."""
        connection = self._take()
        try:
            connection.execute("BEGIN")
            yield connection
            connection.execute("COMMIT")
        except BaseException as error:
            self._undo(connection, error)
            raise
        self._free.append(connection)

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[Transaction]:
        """Open a transaction that may change the database; see Database."""
        connection = self._take()
        try:
            # The threads of this process queue here; SQLite's own waiting is for other processes.
            with self._turn:
                if durable:
                    connection.execute("PRAGMA synchronous=FULL")
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
                if durable:
                    connection.execute("PRAGMA synchronous=NORMAL")
        except BaseException as error:
            self._undo(connection, error)
            raise
        self._free.append(connection)

    def is_missing_parent(self, error: BaseException) -> bool:
        """Say whether an error means that a row points at a row that does not exist."""
        return isinstance(error, sqlite3.IntegrityError) and _FOREIGN_KEY in str(error)

    def close(self) -> None:
        """Close the connections that nobody uses; those in use close when they are given back."""
        self._closed = True
        while self._free:
            with suppress(sqlite3.Error):
                self._free.pop().close()

    def connect(self) -> sqlite3.Connection:
        """Open one more connection, in autocommit mode.

        Raises:
            StoreError: If the file is no database or cannot be opened.
        """
        try:
            connection = sqlite3.connect(
                self.path,
                timeout=_BUSY_S,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=256,
            )
            for pragma in _PRAGMAS:
                connection.execute(pragma)
        except sqlite3.Error as error:
            raise explain(self.path, error) from error
        return connection

    def _take(self) -> sqlite3.Connection:
        if self._pid != os.getpid():
            _inherited.extend(self._free)
            self._pid, self._free, self._turn = os.getpid(), [], threading.Lock()
        if self._closed:
            raise StoreError(
                what=f"The store {self.path} has been closed.",
                fix="Open it again with penstock.open_store().",
            )
        try:
            return self._free.pop()
        except IndexError:
            return self.connect()

    def _undo(self, connection: sqlite3.Connection, error: BaseException) -> None:
        # The connection's state is in doubt: it is not reused.
        with suppress(sqlite3.Error):
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            connection.close()
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(
            error, sqlite3.IntegrityError | sqlite3.ProgrammingError
        ):
            raise explain(self.path, error) from error


def explain(path: Path, error: BaseException) -> StoreError:
    """Turn an error of the file system or of SQLite into a sentence with a remedy."""
    text = str(error)
    if "readonly" in text or "unable to open" in text or isinstance(error, PermissionError):
        return StoreError(
            what=f"The store {path} cannot be written ({text}).",
            why="Every run records what it did there.",
            fix="Give yourself write permission to its folder, or set PENSTOCK_STORE to another place.",
            path=path,
        )
    if "not a database" in text or "malformed" in text:
        return StoreError(
            what=f"{path} is no usable SQLite database ({text}).",
            why="penstock will not write into a file that it does not understand.",
            fix="Restore it from a backup, or set PENSTOCK_STORE to another file.",
            path=path,
        )
    if "full" in text or "disk I/O" in text:
        return StoreError(
            what=f"The store {path} cannot be written ({text}).",
            why="The disk is full or failing; nothing of this step was recorded.",
            fix="Free some space and resume the run.",
            path=path,
        )
    return StoreError(
        what=f"The store {path} failed: {text}.",
        fix="Run: penstock doctor",
        path=path,
    )
