"""ArtifactStore: bytes by digest; one contract suite (penstock.testing) proves every back end."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol


class ArtifactStore(Protocol):
    """Content-addressed bytes.

    Writing is atomic (written beside and renamed, or conditional put), durable when it returns,
    and idempotent: any number of threads and processes may write the same digest at once. Reading checks nothing by itself;
    ``read(..., check=True)`` digests what it read and raises StoreError if it is damaged.
    """

    @property
    def url(self) -> str: ...
    def write(self, data: bytes) -> str:
        """Store bytes and return their digest, ``sha256:…``."""
        ...

    def write_many(self, values: Sequence[bytes]) -> list[str]:
        """Store many byte strings in less time than one by one and return their digests."""
        ...

    def write_file(self, path: Path) -> str:
        """Store a file's bytes without reading it whole into memory."""
        ...

    def write_files(self, paths: Sequence[Path]) -> list[tuple[str, int]]:
        """Store many files' bytes in less time than one by one.

        Each one's digest and size are those of the bytes that were kept.
        """
        ...

    def read(self, digest: str, *, check: bool = False) -> bytes: ...
    def read_range(self, digest: str, start: int, length: int) -> bytes:
        """Give some of the bytes; fewer where they end."""
        ...

    def fetch(self, digest: str, path: Path) -> None:
        """Write the bytes to a new file, a part at a time, and check them on the way.

        If they are damaged or gone no file stays.
        """
        ...

    def verify(self, digest: str) -> None:
        """Digest the bytes a part at a time; StoreError if they are gone or damaged."""
        ...

    def link(self, digest: str, *, expires: timedelta) -> str | None:
        """An address to read the bytes from without the store; None if there is none."""
        ...

    def exists(self, digest: str) -> bool: ...
    def written_at(self, digest: str) -> datetime:
        """When the bytes were written last, or would have been had they not been there."""
        ...

    def delete(self, digest: str, *, unless_written_since: datetime | None = None) -> None:
        """Remove the bytes if they are there, unless someone has written them since then."""
        ...

    def claim(self, owner: str, told: str) -> None:
        """Say that a store keeps its bytes here: its id, and what people call it."""
        ...

    def claims(self) -> dict[str, str]:
        """Which stores keep their bytes here: what people call each, by its id."""
        ...

    def list(self) -> list[str]: ...
    def path(self, digest: str) -> Path | None:
        """A local file with the bytes, if there is one without copying."""
        ...
