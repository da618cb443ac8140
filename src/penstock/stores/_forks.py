"""Forking while threads work: a fork waits for the locks in use, so that the child is consistent.

A child has the memory of the parent and a single thread. A lock that a different thread held at the
moment of the fork is never released in the child, and the protected data is half changed: SQLite's
own mutexes, SQLite's record of open transactions, the journal's next position, a module during
import. So a fork waits for the locks of all guarded objects, a few microseconds each, and the child
gets new locks.
"""

import os
import threading
import weakref
from collections.abc import Iterable
from importlib import import_module
from typing import Protocol

# A write transaction that waits for a different process can take so long; then the fork goes on.
_LONGEST_S = 120.0


class Lock(Protocol):
    """A lock of the module threading."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Wait for the lock, at most ``timeout`` seconds; return whether it is held."""
        ...

    def release(self) -> None:
        """Release the lock."""
        ...


class Guarded(Protocol):
    """An object that threads share and that must be consistent in a forked child."""

    def fork_locks(self) -> Iterable[Lock]:
        """Return the locks that a fork waits for, each requested once the previous lock is held."""
        ...

    def renew(self) -> None:
        """Reset the object in a forked child, which has none of the parent's threads."""
        ...


_objects: "weakref.WeakSet[Guarded]" = weakref.WeakSet()
_changing = threading.Lock()
_importing = threading.RLock()
_held: list[Lock] = []


def guard(one: Guarded) -> None:
    """Register an object that every fork of this process must wait for."""
    with _changing:
        _objects.add(one)


def import_whole(module: str) -> None:
    """Import a module that threads will need, while no fork takes place."""
    with _importing:
        import_module(module)


def _hold() -> None:
    _take(_importing)
    _take(_changing)
    for one in list(_objects):
        for lock in one.fork_locks():
            _take(lock)


def _take(lock: Lock) -> None:
    if lock.acquire(timeout=_LONGEST_S):
        _held.append(lock)


def _release() -> None:
    while _held:
        _held.pop().release()


def _renew() -> None:
    global _changing, _importing
    _held.clear()
    _changing, _importing = threading.Lock(), threading.RLock()
    for one in list(_objects):
        one.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold, after_in_parent=_release, after_in_child=_renew)
