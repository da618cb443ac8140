"""Content-addressed files in a folder: ``ab/cdef…`` below the folder."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import IO

from penstock.core import digest_bytes, new_id, require_name
from penstock.stores.artifacts._ahead import ahead
from penstock.stores.artifacts._digests import (
    CLAIMS,
    PREFIX,
    checked_file,
    damaged,
    digest_at,
    folder_trouble,
    gone,
    place_of,
    readable,
    require_bytes,
)
from penstock.stores.artifacts._incoming import Incoming, sweep

_CHUNK = 1 << 20  # larger chunks cost more in fresh memory than they save in calls


class LocalArtifacts:
    """An ArtifactStore in a folder of a local or shared disk.

    >>> import tempfile
    >>> artifacts = LocalArtifacts(Path(tempfile.mkdtemp()))
    >>> artifacts.read(artifacts.write(b"rows"))
    b'rows'

    Args:
        folder: Folder of the files; created with the first file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._swept = False

    @property
    def url(self) -> str:
        """Path of the folder."""
        return str(self._folder)

    def write(self, data: bytes) -> str:
        """Store bytes and return the digest, ``sha256:…``."""
        return self.write_many([data])[0]

    def write_many(self, values: Sequence[bytes]) -> list[str]:
        """Store byte strings; see ArtifactStore."""
        digests = [digest_bytes(data) for data in values]
        with self._incoming() as incoming:
            for digest, data in zip(digests, values, strict=True):
                self._write_new(digest, data, incoming)
        return digests

    def write_file(self, path: Path) -> str:
        """Store a file's bytes in chunks, without the whole file in memory."""
        return self.write_files([path])[0][0]

    def write_files(self, paths: Sequence[Path]) -> list[tuple[str, int]]:
        """Store the bytes of files; see ArtifactStore."""
        with self._incoming() as incoming:
            return [self._write_file(path, incoming) for path in paths]

    def read(self, digest: str, *, check: bool = False) -> bytes:
        """Return the bytes.

        Raises:
            StoreError: If they are gone; with ``check`` also if they are damaged.
        """
        with self._opened(digest) as file:
            data = file.read()
        if check and digest_bytes(data) != digest:
            raise damaged(digest, self.url)
        return data

    def read_range(self, digest: str, start: int, length: int) -> bytes:
        """Return a range of the bytes; fewer at the end."""
        with self._opened(digest) as file:
            file.seek(start)
            return file.read(max(0, length))

    def fetch(self, digest: str, path: Path) -> None:
        """Write the bytes to a file, checked; see ArtifactStore."""
        with self._opened(digest) as file, checked_file(path, digest, self.url) as write:
            for part in ahead(_parts(file)):
                write(part)

    def verify(self, digest: str) -> None:
        """Check the digest of the bytes; see ArtifactStore."""
        with self._opened(digest) as file:
            require_bytes(_parts(file), digest, self.url)

    def link(self, digest: str, *, expires: timedelta) -> str | None:  # noqa: ARG002 - the protocol's form
        """Return the file's URL, for programs on this machine."""
        place = self.path(digest)
        return None if place is None else place.absolute().as_uri()

    def exists(self, digest: str) -> bool:
        """Return whether the bytes exist."""
        return self._place(digest).exists()

    def written_at(self, digest: str) -> datetime:
        """Return the time of the last write of the bytes; see ArtifactStore."""
        with self._opened(digest) as file:
            return datetime.fromtimestamp(os.fstat(file.fileno()).st_mtime, UTC)

    def delete(self, digest: str, *, unless_written_since: datetime | None = None) -> None:
        """Delete the bytes; nothing happens if they are absent."""
        place = self._place(digest)
        # Renamed first: a writer no longer finds the bytes from now on, and writes them anew.
        aside = place.with_name(f".{place.name[:16]}-{new_id()}")
        with suppress(FileNotFoundError):
            place.rename(aside)
            since = unless_written_since
            if since is not None and aside.stat().st_mtime >= since.timestamp():
                aside.replace(place)
            else:
                aside.unlink()

    def claim(self, owner: str, told: str) -> None:
        """Record that a store has bytes here; see ArtifactStore."""
        place = self._folder / CLAIMS / require_name(owner, "store")
        with self._incoming() as incoming:
            incoming.name(incoming.write([told.encode()]), place)

    def disclaim(self, owner: str) -> None:
        """Delete the claim of the store that this folder is a copy of."""
        with suppress(OSError):
            (self._folder / CLAIMS / owner).unlink()

    def claims(self) -> dict[str, str]:
        """Return the stores with bytes here; see ArtifactStore."""
        with folder_trouble(self._folder, "read"):
            places = sorted((self._folder / CLAIMS).glob("*"))
            return {place.name: place.read_text("utf-8") for place in places}

    def list(self) -> list[str]:
        """List the digests of all stored bytes, sorted."""
        places = (f"{path.parent.name}/{path.name}" for path in self._folder.glob("??/*"))
        return sorted(digest for place in places if (digest := digest_at(place)))

    def path(self, digest: str) -> Path | None:
        """Return the file with the bytes; None if absent."""
        place = self._place(digest)
        return place if place.exists() else None

    def _place(self, digest: str) -> Path:
        return self._folder / place_of(digest)

    def _incoming(self) -> Incoming:
        if not self._swept:
            self._swept = True
            sweep(self._folder)
        return Incoming(self._folder)

    @contextmanager
    def _opened(self, digest: str) -> Iterator[IO[bytes]]:
        place = self._place(digest)
        with folder_trouble(self._folder, "read"):
            try:
                file = place.open("rb")
            except FileNotFoundError as error:
                raise gone(digest, self.url) from error
            with file:
                yield file

    def _write_file(self, path: Path, incoming: Incoming) -> tuple[str, int]:
        with readable(path) as source:
            start = source.read(_CHUNK)
            if len(start) < _CHUNK:
                digest = digest_bytes(start)
                self._write_new(digest, start, incoming)
                return digest, len(start)
            # Copied and digested in a single pass: the file may change during reading.
            state = hashlib.sha256()
            beside = incoming.write(ahead(_digesting(start, source, state.update)))
        digest = PREFIX + state.hexdigest()
        size = beside.stat().st_size
        incoming.name(beside, self._place(digest))
        return digest, size

    def _write_new(self, digest: str, data: bytes, incoming: Incoming) -> None:
        place = self._place(digest)
        if not _touch(place):
            incoming.name(incoming.write([data]), place)


def _parts(file: IO[bytes]) -> Iterator[bytes]:
    return iter(lambda: file.read(_CHUNK), b"")


def _digesting(
    start: bytes, source: IO[bytes], update: Callable[[bytes], object]
) -> Iterator[bytes]:
    for part in chain((start,), _parts(source)):
        update(part)
        yield part


def _touch(place: Path) -> bool:
    """Update the write time of bytes, for `delete`; return whether they exist."""
    try:
        os.utime(place)
    except PermissionError:
        return place.exists()  # another user's file
    except OSError:
        return False  # writing reports the error, if any
    return place.exists()  # a delete may have renamed the file between the two system calls
