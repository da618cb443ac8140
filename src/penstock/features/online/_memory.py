"""MemoryOnlineStore: the reference for all online stores; holds nothing after the process."""

from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


class MemoryOnlineStore:
    """An OnlineStore in a dict, for tests and for functions that run in a notebook.

    >>> MemoryOnlineStore().get("spend", [b"7"])
    [None]
    """

    def __init__(self) -> None:
        self._entries: dict[tuple[str, bytes], tuple[bytes, bool, bytes]] = {}
        self._lock = Lock()

    def put(self, view: str, entries: "pl.DataFrame") -> int:
        """Store entries whose sort key is larger; see OnlineStore."""
        changed = set()
        with self._lock:
            for key, sort_key, is_deleted, value in entries.iter_rows():
                known = self._entries.get((view, key))
                if known is None or sort_key > known[0]:
                    self._entries[view, key] = (sort_key, is_deleted, value)
                    changed.add(key)
        return len(changed)

    def get(self, view: str, keys: Sequence[bytes]) -> list[tuple[bytes, bool, bytes] | None]:
        """Return the entries of keys; see OnlineStore."""
        return [self._entries.get((view, key)) for key in keys]
