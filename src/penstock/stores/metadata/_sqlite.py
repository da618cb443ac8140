"""SQLite as the database: writers take turns, readers never wait (WAL)."""

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from penstock.core import ParameterError, StoreError
from penstock.stores._forks import Lock, guard
from penstock.stores.metadata._codec import clean_values, to_micros
from penstock.stores.metadata._database import Transaction

# Writers take turns; with many writers a turn can take a while, and failing would lose a result.
_BUSY_S = 120.0
_PRAGMAS = (
    # After a power cut WAL leaves the database consistent in NORMAL; the last moments may be
    # missing. Registry moves and the like request a durable write, which is FULL.
    "PRAGMA synchronous=NORMAL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA cache_size=-16000",
    "PRAGMA mmap_size=1073741824",  # a search touches thousands of pages: no call for each
)
_FULL = (
    ("full", "no space", "disk i/o", "quota"),
    "The store {path} cannot be written ({text}).",
    "The disk is full or failing; nothing of this step was recorded.",
    "Free some space and go on.",
)
_DAMAGED = (
    ("not a database", "malformed", "no such column"),
    "{path} is no usable SQLite database of penstock ({text}).",
    "penstock does not write into a file that it does not understand.",
    "Restore it from a backup, or set PENSTOCK_STORE to another file.",
)
_BUSY = (
    ("locked", "busy"),
    "The store {path} is locked by another process ({text}).",
    f"It was waited for during {_BUSY_S:.0f} s.",
    "See who uses it, for example with: fuser FILE; then try again.",
)
_FORBIDDEN = (
    ("readonly", "unable to open", "permission"),
    "The store {path} cannot be written ({text}).",
    "Every run records there what it did.",
    "Give yourself write permission to its folder, or set PENSTOCK_STORE to another location.",
)
_SENTENCES = (_FULL, _DAMAGED, _BUSY, _FORBIDDEN)
_FOREIGN_KEY = "FOREIGN KEY constraint failed"
# Connections inherited through fork: closing or collecting them here would harm the parent's.
_inherited: list["_Connection"] = []


class _Rows:
    """The result of a statement, read while no fork takes place."""

    __slots__ = ("_cursor", "_lock")

    def __init__(self, cursor: sqlite3.Cursor, lock: threading.Lock) -> None:
        self._cursor, self._lock = cursor, lock

    @property
    def rowcount(self) -> int:
        return self._cursor.rowcount

    def fetchone(self) -> Any:
        with self._lock:
            return self._cursor.fetchone()

    def fetchall(self) -> list[Any]:
        with self._lock:
            return self._cursor.fetchall()


class _Connection:
    """A connection whose lock is held while SQLite works: a fork waits for the lock."""

    __slots__ = ("lock", "raw")

    def __init__(self, raw: sqlite3.Connection) -> None:
        self.raw, self.lock = raw, threading.Lock()

    def do(self, sql: str) -> None:
        """Run a statement of our own without values and results."""
        with self.lock:
            self.raw.execute(sql)

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> _Rows:
        values = clean_values(values)
        with self.lock:
            return _Rows(self.raw.execute(sql, values), self.lock)

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> _Rows:
        clean = [clean_values(row) for row in rows]
        with self.lock:
            return _Rows(self.raw.executemany(sql, clean), self.lock)

    def close(self) -> None:
        with self.lock:
            self.raw.close()


class SQLiteDatabase:
    """A pool of connections to a database file.

    A connection serves a single transaction at a time, whatever the thread. A fork waits for the
    write transactions of concurrent threads, and for their statements; the child opens separate
    connections. Where writing is impossible, the file is opened read-only.

    Args:
        path: The database file; the folder exists.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._free: list[_Connection] = []
        self._live: set[_Connection] = set()
        self._closed = False
        self.read_only = False
        self._make_locks()
        guard(self)

    def _make_locks(self) -> None:
        self._turn, self._opening = threading.RLock(), threading.Lock()

    def fork_locks(self) -> Iterator[Lock]:
        """Return the locks that a fork waits for; see Guarded."""
        yield self._turn
        yield self._opening
        for connection in list(self._live):
            yield connection.lock

    def renew(self) -> None:
        """Release the connections to the parent, in a forked child."""
        _inherited.extend(self._live)
        self._live, self._free = set(), []
        self._make_locks()

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Open a transaction that reads a single state of the database and changes nothing."""
        connection = self._take()
        try:
            connection.do("BEGIN")
            yield connection
            connection.do("COMMIT")
        except BaseException as error:
            self._undo(connection, error)
            raise
        self._give_back(connection)

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[Transaction]:
        """Open a transaction that may change the database; see Database."""
        connection = self._take()
        # The threads of this process queue here; SQLite's own waiting is for separate processes.
        with self._turn:
            try:
                if durable:
                    connection.do("PRAGMA synchronous=FULL")
                connection.do("BEGIN IMMEDIATE")
                yield connection
                connection.do("COMMIT")
                if durable:
                    connection.do("PRAGMA synchronous=NORMAL")
            except BaseException as error:
                self._undo(connection, error, durable=durable)
                raise
        self._give_back(connection)

    def micros(self, transaction: Transaction, at: datetime) -> int:  # noqa: ARG002 - the protocol's form
        """Return the time for judging heartbeats: that of the machine."""
        return to_micros(at)

    def identity(self) -> str:
        """Return the identity of this database; see Database."""
        return f"sqlite {self.path.stat().st_ino} {self.path}"

    def is_same(self, known: str) -> bool:
        """Return whether this is the known database, perhaps moved, and not a copy."""
        kind, _, rest = known.partition(" ")
        number, _, place = rest.partition(" ")
        if kind != "sqlite" or number != str(self.path.stat().st_ino):
            return False
        old = Path(place)
        return old == self.path or not old.exists() or old.samefile(self.path)

    def alone(self, transaction: Transaction, name: str) -> None:
        """Do nothing; see Database: a writer is always alone here."""

    def is_missing_parent(self, error: BaseException) -> bool:
        """Return whether an error means that a row refers to a row that does not exist."""
        return isinstance(error, sqlite3.IntegrityError) and _FOREIGN_KEY in str(error)

    def close(self) -> None:
        """Close the unused connections; those in use close on return."""
        self._closed = True
        while self._free:
            with suppress(sqlite3.Error):
                self._discard(self._free.pop())

    def connect(self) -> sqlite3.Connection:
        """Open an additional connection, in autocommit mode.

        Raises:
            StoreError: If the file is not a database or cannot be opened.
        """
        if self.path.exists() and not os.access(self.path, os.W_OK):
            # As a reader: the files that SQLite creates beside it would lock its owner out.
            return self._open_to_read()
        try:
            return self._open(self.path)
        except sqlite3.OperationalError as error:
            if os.access(self.path.parent, os.W_OK) or not os.access(self.path, os.R_OK):
                raise explain(self.path, error) from error
        except sqlite3.Error as error:
            raise explain(self.path, error) from error
        return self._open_to_read()

    def _open_to_read(self) -> sqlite3.Connection:
        """Open a file that cannot be written: a mounted backup, a colleague's store.

        SQLite needs files beside a database under write, which exist during writes; where they are
        absent, there is no writer, and the file is opened as immutable.
        """
        beside = (self.path.with_name(f"{self.path.name}{end}") for end in ("-wal", "-shm"))
        how = "mode=ro&readonly_shm=1" if all(file.exists() for file in beside) else "immutable=1"
        try:
            connection = self._open(f"{self.path.as_uri()}?{how}", uri=True)
        except sqlite3.Error as error:
            raise explain(self.path, error) from error
        self.read_only = True
        return connection

    def _open(self, place: Path | str, *, uri: bool = False) -> sqlite3.Connection:
        connection = sqlite3.connect(
            place,
            timeout=_BUSY_S,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
            uri=uri,
        )
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        return connection

    def _take(self) -> _Connection:
        if self._closed:
            raise StoreError(
                what=f"The store {self.path} has been closed.",
                fix="Open it again with penstock.open_store().",
            )
        try:
            return self._free.pop()
        except IndexError:
            with self._opening:
                opened = _Connection(self.connect())
                self._live.add(opened)
                return opened

    def _undo(
        self, connection: _Connection, error: BaseException, *, durable: bool = False
    ) -> None:
        sound = not isinstance(error, sqlite3.Error) or isinstance(error, sqlite3.IntegrityError)
        with suppress(sqlite3.Error):
            if connection.raw.in_transaction:
                connection.do("ROLLBACK")
            if durable:
                connection.do("PRAGMA synchronous=NORMAL")
            if sound:
                self._give_back(connection)
                _require_storable(error)
                return
            self._discard(connection)  # the connection's state is in doubt
        if not sound and not isinstance(error, sqlite3.ProgrammingError):
            raise explain(self.path, error) from error

    def _give_back(self, connection: _Connection) -> None:
        if connection not in self._live:
            return  # a forked child leaves the block that the parent began
        if self._closed:
            self._discard(connection)
        else:
            self._free.append(connection)

    def _discard(self, connection: _Connection) -> None:
        with self._opening:
            if connection in self._live:
                self._live.discard(connection)
                connection.close()


def _require_storable(error: BaseException) -> None:
    """Refuse a value that no column can store, as PostgreSQL does."""
    if isinstance(error, OverflowError) and "SQLite INTEGER" in str(error):
        raise ParameterError(
            what=f"The store cannot store a value ({error}).",
            why="A whole number has at most 64 bits in a database.",
            fix="Use a smaller number.",
        ) from error


def explain(path: Path, error: BaseException) -> StoreError:
    """Convert an error of the file system or of SQLite into a sentence with a fix."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    for words, what, why, fix in _SENTENCES:
        if any(word in text.lower() for word in words):
            return StoreError(what.format(path=path, text=text), why, fix, path=path)
    if isinstance(error, OSError):
        return explain(path, PermissionError(f"no permission or no folder: {text}"))
    return StoreError(f"The store {path} failed ({text}).", "", "Run: penstock doctor", path=path)
