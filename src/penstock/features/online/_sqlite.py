"""SqliteOnlineStore: the embedded online store, a file beside the histories; a single writer, many readers."""

import os
import re
import sqlite3
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.core import StoreError, summarize_error
from penstock.features.online._protocol import NOTHING, Entry, Progress, advance

if TYPE_CHECKING:
    import polars as pl

_WAIT_S = 30.0
_AT_ONCE = 500
_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    # A power cut may lose the last puts, rows and progress together; the history has them all.
    "PRAGMA synchronous = NORMAL",
    "PRAGMA secure_delete = ON",
    (
        'CREATE TABLE IF NOT EXISTS progress (view TEXT PRIMARY KEY, "table" TEXT NOT NULL,'
        " version INTEGER NOT NULL, definition TEXT NOT NULL)"
    ),
)


class _Connection(sqlite3.Connection):
    """A connection that can be referred to weakly."""


class SqliteOnlineStore:
    """An OnlineStore in a SQLite file, with a table for each view.

    >>> import tempfile
    >>> store = SqliteOnlineStore(f"{tempfile.mkdtemp()}/online.db")
    >>> store.get("spend", [b"7"])
    [None]

    Threads and processes: any number may read during a write; writers wait.

    Args:
        path: The file; created when something is stored.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
        self._local = threading.local()
        self._opened: weakref.WeakSet[_Connection] = weakref.WeakSet()

    def __reduce__(self) -> tuple[type, tuple[Path]]:
        """Return how a second process opens the same file."""
        return type(self), (self.path,)

    @property
    def url(self) -> str:
        """Where the store is."""
        return f"sqlite:///{self.path.as_posix()}"

    def put(
        self,
        view: str,
        entries: "pl.DataFrame",
        *,
        progress: Progress | None = None,
        after: int = NOTHING,
    ) -> int:
        """Store entries whose sort key is larger, and the progress, in a single transaction."""
        winners: dict[bytes, tuple[bytes, bytes, bool, bytes]] = {}
        for entry in entries.iter_rows():
            known = winners.get(entry[0])
            if known is None or entry[1] > known[1]:
                winners[entry[0]] = entry
        with self._writing() as connection:
            connection.execute(_create(view))
            before = connection.total_changes
            connection.executemany(_upsert(view), winners.values())
            changed = connection.total_changes - before
            if progress is not None:
                recorded = _progress(connection, view)
                reached = advance(recorded, progress, after)
                if reached is not None and reached != recorded:
                    _record(connection, view, reached)
        return changed

    def get(self, view: str, keys: Sequence[bytes]) -> list[Entry | None]:
        """Return the entries of keys; see OnlineStore."""
        entries: dict[bytes, Entry] = {}
        with self._errors():
            connection = self._connection()
            for start in range(0, len(keys), _AT_ONCE):
                some = keys[start : start + _AT_ONCE]
                try:
                    rows = connection.execute(_select(view, len(some)), some).fetchall()
                except sqlite3.OperationalError as error:
                    if "no such table" in str(error):
                        break  # nothing was stored yet
                    raise
                entries.update(
                    (key, (order, bool(gone), value)) for key, order, gone, value in rows
                )
        return [entries.get(key) for key in keys]

    def read_progress(self, view: str) -> Progress | None:
        """Return the online part of the view's history; see OnlineStore."""
        with self._errors():
            return _progress(self._connection(), view)

    def scan(self, view: str) -> Iterator[tuple[bytes, Entry]]:
        """Return the entries of all keys; see OnlineStore."""
        with self._errors():
            connection = self._connection()
            if not _exists(connection, view):
                return
            query = f"SELECT key, sort_key, is_deleted, value FROM {_table(view)}"  # noqa: S608 - quoted
            for key, order, gone, value in connection.execute(query):
                yield key, (order, bool(gone), value)

    def remove(self, view: str, keys: Sequence[bytes]) -> int:
        """Remove the entries of keys; see OnlineStore."""
        with self._writing() as connection:
            if not _exists(connection, view):
                return 0
            before = connection.total_changes
            statement = f"DELETE FROM {_table(view)} WHERE key = ?"  # noqa: S608 - quoted
            connection.executemany(statement, [(key,) for key in keys])
            return connection.total_changes - before

    def clear(self, view: str) -> None:
        """Remove all entries of a view, and the view's progress."""
        with self._writing() as connection:
            connection.execute(f"DROP TABLE IF EXISTS {_table(view)}")
            connection.execute("DELETE FROM progress WHERE view = ?", (view,))

    def replace(self, view: str, by: str, version: int) -> bool:
        """Replace a view's entries by those of a second view, in a transaction; see OnlineStore."""
        with self._writing() as connection:
            reached = _progress(connection, by)
            if reached is None or reached.version < version:
                return False
            connection.execute(f"DROP TABLE IF EXISTS {_table(view)}")
            connection.execute(f"ALTER TABLE {_table(by)} RENAME TO {_table(view)}")
            _record(connection, view, reached)
            connection.execute("DELETE FROM progress WHERE view = ?", (by,))
        return True

    def scrub(self) -> None:
        """Write the file anew, without removed entries, and empty the log; see OnlineStore."""
        with self._errors():
            connection = self._connection()
            connection.execute("VACUUM")
            busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise StoreError(
                what=f"The log of the online store {self.path} still has removed entries.",
                why=f"Others were reading it for more than {_WAIT_S:.0f} s.",
                fix="Run the erasure again; what was removed stays removed.",
            )

    def close(self) -> None:
        """Close the connections of all threads; the store may be used again."""
        for connection in list(self._opened):
            connection.close()
        self._local = threading.local()

    def _connection(self) -> sqlite3.Connection:
        known = getattr(self._local, "connection", None)
        # A connection must not be used in a forked process.
        if known is not None and self._local.process == os.getpid():
            return known  # type: ignore[no-any-return]  # an attribute of a thread
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            self.path,
            timeout=_WAIT_S,
            isolation_level=None,
            check_same_thread=False,
            factory=_Connection,
        )
        for statement in _PRAGMAS:
            connection.execute(statement)
        self._opened.add(connection)
        self._local.connection, self._local.process = connection, os.getpid()
        return connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._errors():
            connection = self._connection()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(
                what=f"The online store {self.path} does not respond: {summarize_error(error)}.",
                why="Features are read from it and written to it.",
                fix="Check the file, its rights and the free space; a damaged one may be removed:"
                " FeatureStore.materialize makes it anew.",
            ) from error


def _table(view: str) -> str:
    """Return a view's table, quoted; a and A are the same name in SQLite, and ^ is in none of ours."""
    name = re.sub("[A-Z]", r"^\g<0>", view).replace('"', '""')
    return f'"entries of {name}"'


def _create(view: str) -> str:
    return (
        f"CREATE TABLE IF NOT EXISTS {_table(view)} (key BLOB PRIMARY KEY, sort_key BLOB NOT NULL,"
        " is_deleted INTEGER NOT NULL, value BLOB NOT NULL) WITHOUT ROWID"
    )


@lru_cache(1024)
def _upsert(view: str) -> str:
    return (
        f"INSERT INTO {_table(view)} AS known VALUES (?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET"  # noqa: S608 - quoted
        " sort_key = excluded.sort_key, is_deleted = excluded.is_deleted, value = excluded.value"
        " WHERE excluded.sort_key > known.sort_key"
    )


@lru_cache(1024)
def _select(view: str, count: int) -> str:
    marks = ", ".join("?" * count)
    return f"SELECT key, sort_key, is_deleted, value FROM {_table(view)} WHERE key IN ({marks})"  # noqa: S608 - quoted


def _exists(connection: sqlite3.Connection, view: str) -> bool:
    name = _table(view)[1:-1].replace('""', '"')
    query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
    return connection.execute(query, (name,)).fetchone() is not None


def _progress(connection: sqlite3.Connection, view: str) -> Progress | None:
    query = 'SELECT "table", version, definition FROM progress WHERE view = ?'
    row = connection.execute(query, (view,)).fetchone()
    return None if row is None else Progress(*row)


def _record(connection: sqlite3.Connection, view: str, reached: Progress) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO progress VALUES (?, ?, ?, ?)",
        (view, reached.table, reached.version, reached.definition),
    )
