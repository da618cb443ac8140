"""Requests that are done once: a repetition gets the first answer; for servers.

A client whose connection breaks cannot know whether a request was done. The client sends the same
id again. The id and the answer are written in the transaction of the change itself, so that they
exist exactly if the change does, whichever of several servers was asked, and whatever was killed.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from penstock.core import now_micros
from penstock.stores.metadata._database import Database, Transaction
from penstock.stores.metadata._sql import SQLMetadataStore

if TYPE_CHECKING:
    from penstock.stores.metadata._protocol import MetadataStore

Request = tuple[str | bytes, ...]
"""Identity of a request: its sender, its operation, an id by the client, and its body."""
_REMEMBERED_MICROS = 24 * 3600 * 1_000_000
_SWEEP_S = 600.0
_CLAIM = (
    "INSERT INTO requests (request, at, answer) VALUES (?, ?, '') ON CONFLICT (request) DO NOTHING"
)
_ANSWER = "UPDATE requests SET answer = ? WHERE request = ?"
_READ = "SELECT answer FROM requests WHERE request = ?"
_SWEEP = "DELETE FROM requests WHERE at < ?"


class _Answered(BaseException):
    """A request that was done before."""

    def __init__(self, answer: str) -> None:
        super().__init__()
        self.answer = answer


class RequestMemory:
    """A store's facts, changed by requests that may be repeated.

    Threads: any number at once.

    Args:
        database: Database of the store.
    """

    def __init__(self, database: Database) -> None:
        self._database = _JoiningDatabase(database)
        self.metadata: MetadataStore = SQLMetadataStore(self._database)

    def once(self, request: Request, act: Callable[[], str]) -> str:
        """Do a request that changes ``metadata``, unless done before; return the answer.

        Args:
            request: Identity of the request.
            act: Function that acts and returns the answer.
        """
        unit = _Unit(_name(request))
        token = _unit.set(unit)
        try:
            with unit.stack:
                answer = act()
                unit.remember(answer)
                return answer
        except _Answered as known:
            return known.answer
        finally:
            _unit.reset(token)

    def known(self, request: Request) -> str | None:
        """Return the answer of a request that was done before; None if it was not.

        For what looks at the store before it changes it: done once, it may not be possible again.
        """
        with self._database.read() as transaction:
            row = transaction.execute(_READ, (_name(request),)).fetchone()
        return None if row is None else str(row[0])


def _name(request: Request) -> str:
    state = hashlib.sha256()
    for place, part in enumerate(request):
        state.update(b"\0" if place else b"")
        # A body of megabytes is read where it is.
        state.update(part.encode("utf-8", "backslashreplace") if isinstance(part, str) else part)
    return state.hexdigest()


class _Unit:
    """The only transaction of a request; begins with the first change."""

    def __init__(self, name: str) -> None:
        self.name, self.stack = name, ExitStack()
        self.transaction: Transaction | None = None

    def begin(self, database: Database, *, durable: bool) -> Transaction:
        if self.transaction is None:
            begun = self.stack.enter_context(database.write(durable=durable))
            if not begun.execute(_CLAIM, (self.name, now_micros())).rowcount:
                raise _Answered(str(begun.execute(_READ, (self.name,)).fetchone()[0]))
            self.transaction = begun
        return self.transaction

    def remember(self, answer: str) -> None:
        if self.transaction is not None:
            self.transaction.execute(_ANSWER, (answer, self.name))
            if _sweeper.is_due():
                self.transaction.execute(_SWEEP, (now_micros() - _REMEMBERED_MICROS,))


class _JoiningDatabase:
    """A database whose transactions are part of the request's, if there is a request."""

    def __init__(self, database: Database) -> None:
        self._inner = database

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        unit = _unit.get()
        if unit is not None and unit.transaction is not None:
            yield unit.transaction
            return
        with self._inner.read() as transaction:
            yield transaction

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[Transaction]:
        unit = _unit.get()
        if unit is not None:
            yield unit.begin(self._inner, durable=durable)
            return
        with self._inner.write(durable=durable) as transaction:
            yield transaction

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _Sweeper:
    """When old requests are to be forgotten: from time to time."""

    def __init__(self) -> None:
        self._lock, self._last = threading.Lock(), time.monotonic()

    def is_due(self) -> bool:
        with self._lock:
            due = time.monotonic() - self._last > _SWEEP_S
            if due:
                self._last = time.monotonic()
        return due


_unit: ContextVar[_Unit | None] = ContextVar("penstock_request", default=None)
_sweeper = _Sweeper()
