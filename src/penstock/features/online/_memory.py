"""MemoryOnlineStore: the reference for all online stores; holds nothing after the process."""

from collections.abc import Iterator, Sequence
from threading import Lock
from typing import TYPE_CHECKING

from penstock.features.online._protocol import NOTHING, Entry, Progress, advance

if TYPE_CHECKING:
    import polars as pl


class MemoryOnlineStore:
    """An OnlineStore in a dict, for tests and for functions that run in a notebook.

    >>> MemoryOnlineStore().get("spend", [b"7"])
    [None]
    """

    url = "memory"

    def __init__(self) -> None:
        self._entries: dict[str, dict[bytes, Entry]] = {}
        self._progress: dict[str, Progress] = {}
        self._lock = Lock()

    def put(
        self,
        view: str,
        entries: "pl.DataFrame",
        *,
        progress: Progress | None = None,
        after: int = NOTHING,
    ) -> int:
        """Store entries whose sort key is larger; see OnlineStore."""
        changed = set()
        with self._lock:
            stored = self._entries.setdefault(view, {})
            for key, sort_key, is_deleted, value in entries.iter_rows():
                known = stored.get(key)
                if known is None or sort_key > known[0]:
                    stored[key] = (sort_key, is_deleted, value)
                    changed.add(key)
            if progress is not None:
                reached = advance(self._progress.get(view), progress, after)
                if reached is not None:
                    self._progress[view] = reached
        return len(changed)

    def get(self, view: str, keys: Sequence[bytes]) -> list[Entry | None]:
        """Return the entries of keys; see OnlineStore."""
        stored = self._entries.get(view, {})
        return [stored.get(key) for key in keys]

    def read_progress(self, view: str) -> Progress | None:
        """Return the online part of the view's history; see OnlineStore."""
        return self._progress.get(view)

    def scan(self, view: str) -> Iterator[tuple[bytes, Entry]]:
        """Return the entries of all keys; see OnlineStore."""
        with self._lock:
            return iter(list(self._entries.get(view, {}).items()))

    def remove(self, view: str, keys: Sequence[bytes]) -> int:
        """Remove the entries of keys; see OnlineStore."""
        with self._lock:
            stored = self._entries.get(view, {})
            return sum(stored.pop(key, None) is not None for key in set(keys))

    def clear(self, view: str) -> None:
        """Remove all entries of a view, and the view's progress."""
        with self._lock:
            self._entries.pop(view, None)
            self._progress.pop(view, None)

    def replace(self, view: str, by: str, version: int) -> bool:
        """Replace a view's entries by those of a second view; see OnlineStore."""
        with self._lock:
            reached = self._progress.get(by)
            if reached is None or reached.version < version:
                return False
            self._entries[view] = self._entries.pop(by, {})
            self._progress[view] = self._progress.pop(by)
        return True

    def scrub(self) -> None:
        """Do nothing: there is no disk."""

    def close(self) -> None:
        """Do nothing: there are no connections."""
