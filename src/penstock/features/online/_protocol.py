"""OnlineStore: the protocol of stores that hold the winner of each key, as bytes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import polars as pl


class OnlineStore(Protocol):
    """A store of entries: ``key``, ``sort_key``, ``is_deleted``, ``value``, as ``RowCodec`` makes them.

    Threads and processes: any number may put and get at the same time. The comparison of sort keys
        happens in the store, so that an older row never replaces a newer one.
    """

    def put(self, view: str, entries: "pl.DataFrame") -> int:
        """Store entries whose sort key is larger than that of their key's entry.

        Repeating a call changes nothing. Deletes are entries, too: an older row that comes late
        must not return.

        Args:
            view: Name of the view.
            entries: Entries in any order; several may have the same key.

        Returns:
            The number of keys whose entry changed.
        """
        ...

    def get(self, view: str, keys: Sequence[bytes]) -> "list[tuple[bytes, bool, bytes] | None]":
        """Return sort key, ``is_deleted`` and value of each key; None where there is no entry."""
        ...
