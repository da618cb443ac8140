"""ArtifactStore: bytes by digest; a contract suite (penstock.testing) checks every back end."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol


class ArtifactStore(Protocol):
    """Content-addressed bytes.

    Writing is atomic (written beside and renamed, or conditional put), durable on return, and
    idempotent: any number of threads and processes may write the same digest at once. Reading
    checks nothing by itself; ``read(..., check=True)`` computes the digest of the bytes read and
    raises StoreError if they are damaged.
    """

    @property
    def url(self) -> str:
        """URL of the folder or bucket, without secrets."""
        ...

    def write(self, data: bytes) -> str:
        """Store bytes and return the digest, ``sha256:…``."""
        ...

    def write_many(self, values: Sequence[bytes]) -> list[str]:
        """Store many byte strings, faster than by `write`, and return the digests."""
        ...

    def write_file(self, path: Path) -> str:
        """Store a file's bytes in chunks, without the whole file in memory."""
        ...

    def write_files(self, paths: Sequence[Path]) -> list[tuple[str, int]]:
        """Store many files' bytes, faster than by `write_file`.

        Each digest and size are those of the stored bytes.
        """
        ...

    def read(self, digest: str, *, check: bool = False) -> bytes:
        """Return the bytes; StoreError if they are gone, or damaged where checked."""
        ...

    def read_range(self, digest: str, start: int, length: int) -> bytes:
        """Return a range of the bytes; fewer at the end."""
        ...

    def fetch(self, digest: str, path: Path) -> None:
        """Write the bytes to a new file in chunks, with a digest check.

        If they are damaged or gone no file remains.
        """
        ...

    def verify(self, digest: str) -> None:
        """Check the digest of the bytes in chunks; StoreError if they are gone or damaged."""
        ...

    def link(self, digest: str, *, expires: timedelta) -> str | None:
        """Return a URL to read the bytes without the store; None if there is none."""
        ...

    def exists(self, digest: str) -> bool:
        """Return whether there are bytes with the digest; the bytes are not checked."""
        ...

    def written_at(self, digest: str) -> datetime:
        """Return the time of the last write of the bytes, or of the last repeated write."""
        ...

    def delete(self, digest: str, *, unless_written_since: datetime | None = None) -> None:
        """Delete the bytes if present, unless written since the given time."""
        ...

    def claim(self, owner: str, told: str) -> None:
        """Record that a store has bytes here: the store's id, and a name for people."""
        ...

    def claims(self) -> dict[str, str]:
        """Return the stores with bytes here: names for people by id."""
        ...

    def list(self) -> list[str]:
        """List the digests of all bytes, sorted."""
        ...

    def path(self, digest: str) -> Path | None:
        """Return a local file with the bytes, if possible without copying; else None."""
        ...
