"""Site: the store as read by the pages, with a memory cache of immutable values."""

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
from penstock.people import scope_store

if TYPE_CHECKING:
    from penstock.server.openid import OpenId
    from penstock.stores import Store
    from penstock.stores.metadata import MetadataStore

_KEPT = 128
_LOOK_EVERY_S = 5.0


class Site:
    """Cached reads of a store. Artifacts are immutable, so values computed from them are cached.

    Threads: may be used from any thread.

    Args:
        store: The store.
        openid: Sign-in with an OpenID provider; None without.
        url: URL under which browsers reach the server; empty if nobody says so.
    """

    def __init__(self, store: "Store", openid: "OpenId | None" = None, url: str = "") -> None:
        self._store, self.openid, self.url = store, openid, url
        self._made: dict[tuple[str, str], Any] = {}
        self._lock = Lock()
        self._looked = -_LOOK_EVERY_S

    def note_dead_runs(self) -> None:
        """Record running runs whose process has died, at most every few seconds."""
        if monotonic() - self._looked > _LOOK_EVERY_S:
            self._looked = monotonic()
            with suppress(StoreError):  # an error in a journal must not hide the pages
                self._store.flush()
            self._store.metadata.runs.kill_dead()

    @property
    def store(self) -> "Store":
        """The store, as far as the signed-in user may read."""
        return scope_store(store=self._store)

    @property
    def metadata(self) -> "MetadataStore":
        """The facts, as whoever has signed in may read them."""
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
        """Load a value, unless the stored format can run code.

        Raises:
            SerializationError: If loading the value could run code.
        """
        record = self.metadata.artifacts.get(digest)
        if record.unsafe:
            raise SerializationError(
                what=f"The artifact {digest} is stored as {record.format}.",
                why="Loading it can run code; pages load data only.",
                fix="Load it with store.get if you trust its origin.",
            )
        return self.store.load(record)

    def computed(self, kind: str, digest: str, make: Callable[[Any], Any]) -> Any:
        """Return the result of ``make`` for an artifact, computed once.

        Args:
            kind: Kind of the result; with the digest the key of the cache.
            digest: The artifact.
            make: Function from the loaded value to the result.
        """
        key = (kind, digest)
        with self._lock:
            if key in self._made:
                return self._made[key]
        # Outside the lock: a slow load must not block other pages, and computing twice is harmless.
        result = make(self.load(digest))
        with self._lock:
            while len(self._made) >= _KEPT:
                self._made.pop(next(iter(self._made)))
            self._made[key] = result
        return result

    def facts(self, digest: str | None) -> Mapping[str, Any] | None:
        """Return a stored report or manifest as plain JSON; None if unreadable."""
        if not digest:
            return None
        try:
            made = self.computed("facts", digest, _as_json)
        except (PenstockError, OSError):
            return None
        return made if isinstance(made, Mapping) else None


def _as_json(value: Any) -> Any:
    return value.to_json() if hasattr(value, "to_json") else value
