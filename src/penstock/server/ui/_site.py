"""Site: the store as the pages read it, with what never changes kept in memory."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any

from penstock.core import (
    ArtifactRecord,
    NotFoundError,
    PenstockError,
    SerializationError,
    StoreError,
)

if TYPE_CHECKING:
    from penstock.stores import Store
    from penstock.stores.metadata import MetadataStore

_KEPT = 128
_LOOK_EVERY_S = 5.0


class Site:
    """Reads of one store. Artifacts are immutable, so what was made of one is kept.

    Threads: may be used from any thread.
    """

    def __init__(self, store: "Store") -> None:
        self.store = store
        self._made: dict[tuple[str, str], Any] = {}
        self._lock = Lock()
        self._looked = -_LOOK_EVERY_S

    def note_dead_runs(self) -> None:
        """Let the store see which running runs have died, at most every few seconds."""
        if monotonic() - self._looked > _LOOK_EVERY_S:
            self._looked = monotonic()
            with suppress(StoreError):  # trouble with a journal must not hide the pages
                self.store.flush()
            self.metadata.runs.kill_dead()

    @property
    def metadata(self) -> "MetadataStore":
        """The store's facts."""
        return self.store.metadata

    def artifact(self, digest: str | None) -> ArtifactRecord | None:
        """Return an artifact's record; None if there is none (any more)."""
        if not digest:
            return None
        try:
            return self.metadata.artifacts.get(digest)
        except NotFoundError:
            return None

    def load(self, digest: str) -> Any:
        """Load a value, but never one that can run code.

        Raises:
            SerializationError: If loading it could run code.
        """
        record = self.metadata.artifacts.get(digest)
        if record.unsafe:
            raise SerializationError(
                what=f"The artifact {digest} is stored as {record.format}.",
                why="Loading it can run code, and pages only show what is inert.",
                fix="Load it yourself with store.get, if you trust it.",
            )
        return self.store.load(record)

    def made(self, kind: str, digest: str, make: Callable[[Any], Any]) -> Any:
        """Return what ``make`` makes of an artifact, made once.

        Args:
            kind: What is made; with the digest it names the result.
            digest: The artifact.
            make: From the loaded value to the result.
        """
        key = (kind, digest)
        with self._lock:
            if key in self._made:
                return self._made[key]
        result = make(self.load(digest))
        with self._lock:
            while len(self._made) >= _KEPT:
                self._made.pop(next(iter(self._made)))
            self._made[key] = result
        return result

    def facts(self, digest: str | None) -> Mapping[str, Any] | None:
        """Return a stored report or manifest as plain JSON; None if it cannot be had."""
        if not digest:
            return None
        try:
            made = self.made("facts", digest, _as_json)
        except (PenstockError, OSError):
            return None
        return made if isinstance(made, Mapping) else None


def _as_json(value: Any) -> Any:
    return value.to_json() if hasattr(value, "to_json") else value
