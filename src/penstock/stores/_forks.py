"""Forking while threads work: which locks are held at that moment, so that the child is whole.

A child has the memory of its parent and one of its threads. A lock that another thread held at the
moment of the fork is never released in the child, and what it protects is half done: SQLite's own
mutexes, its record of which transactions are open, the journal's next place, a module that is being
imported. So a fork waits for the locks of all guarded objects, a few microseconds each, and the
child gets new ones.
"""

import os
import threading
import weakref
from collections.abc import Iterable
from importlib import import_module
from typing import Protocol

# A write transaction that waits for another process can take so long; then the fork goes on.
_LONGEST_S = 120.0


class Lock(Protocol):
    """A lock of the module threading."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool: ...
    def release(self) -> None: ...


class Guarded(Protocol):
    """What is shared by threads and must be whole in a forked child."""

    def fork_locks(self) -> Iterable[Lock]:
        """Give the locks that a fork waits for, each asked for once the one before is held."""
        ...

    def renew(self) -> None:
        """Begin anew in a forked child, which has none of the parent's threads."""
        ...


_objects: "weakref.WeakSet[Guarded]" = weakref.WeakSet()
_changing = threading.Lock()
_importing = threading.RLock()
_held: list[Lock] = []


def guard(one: Guarded) -> None:
    """Let every fork of this process wait until the object is whole."""
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
