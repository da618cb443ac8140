"""OnlineStore: the protocol of stores that hold the winner of each key, as bytes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    import polars as pl

Entry: TypeAlias = tuple[bytes, bool, bytes]
"""Sort key, ``is_deleted`` and value of a key."""

NOTHING = -1
"""The version of a history that is before all others."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The online part of a history: all rows up to a version.

    Args:
        table: Id of the history's Delta table.
        version: The version.
        definition: The view's definition as JSON text, by which the entries were written.
    """

    table: str
    version: int
    definition: str


class OnlineStore(Protocol):
    """A store of entries: ``key``, ``sort_key``, ``is_deleted``, ``value``, as ``RowCodec`` makes them.

    Threads and processes: any number may put and get at the same time. The comparison of sort keys
        happens in the store, so that an older row never replaces a newer row.
    """

    @property
    def url(self) -> str:
        """Where the store is, without secrets."""
        ...

    def put(
        self,
        view: str,
        entries: "pl.DataFrame",
        *,
        progress: Progress | None = None,
        after: int = NOTHING,
    ) -> int:
        """Store entries whose sort key is larger than that of their key's entry.

        Repeating a call changes nothing. Deletes are entries, too: an older row that comes late
        must not return.

        Args:
            view: Name of the view.
            entries: Entries in any order; several may have the same key.
            progress: State after these entries, recorded with them or after them,
                by the rule of ``advance``.
            after: The version up to which all rows were online before.

        Returns:
            The number of keys whose entry changed.
        """
        ...

    def get(self, view: str, keys: Sequence[bytes]) -> list[Entry | None]:
        """Return sort key, ``is_deleted`` and value of each key; None where there is no entry."""
        ...

    def read_progress(self, view: str) -> Progress | None:
        """Return the online part of the view's history; None if nothing was recorded."""
        ...

    def scan(self, view: str) -> Iterator[tuple[bytes, Entry]]:
        """Return the entries of all keys, each once, in any order."""
        ...

    def remove(self, view: str, keys: Sequence[bytes]) -> int:
        """Remove the entries of keys, and return how many there were."""
        ...

    def clear(self, view: str) -> None:
        """Remove all entries of a view, and the view's progress."""
        ...

    def replace(self, view: str, by: str, version: int) -> bool:
        """Replace a view's entries and progress by those of a second view, in a single step; the second is removed.

        Returns:
            Whether that was done: not if the second view has not progressed to the version.
        """
        ...

    def scrub(self) -> None:
        """Overwrite the remains of removed entries on disk.

        Raises:
            StoreError: If readers or the service prevent it; nothing is lost, and the call may be
                repeated.
        """
        ...

    def close(self) -> None:
        """Release connections; the store may be used again."""
        ...


def advance(known: Progress | None, progress: Progress, after: int) -> Progress | None:
    """Return the online state after a put: no gap is jumped over, and nothing goes back.

    Args:
        known: Recorded progress before.
        progress: Progress of the put.
        after: The version after which the put's rows began.
    """
    reached = NOTHING if known is None else known.version
    same = known is None or known.table == progress.table
    return progress if same and after <= reached <= progress.version else known
