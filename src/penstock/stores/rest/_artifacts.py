"""RestArtifacts: bytes of a penstock server, streamed both ways with a check of their digest."""

import hashlib
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from penstock.core import StoreError, digest_bytes
from penstock.stores.artifacts._digests import (
    PREFIX,
    checked_file,
    damaged,
    place_of,
    readable,
)
from penstock.stores.rest._connection import ROOT, RestConnection
from penstock.stores.rest._operations import BYTES, operations

_CHUNK = 1 << 20
_BATCH = 16 << 20  # bytes of small values in one request
_LENGTH = struct.Struct(">Q")
OCTETS = "application/octet-stream"


class RestArtifacts:
    """ArtifactStore of a penstock server.

    Args:
        connection: Connection to the server.
    """

    def __init__(self, connection: RestConnection) -> None:
        self._connection = connection

    @property
    def url(self) -> str:
        """The server's URL: it knows where the bytes are."""
        return self._connection.url.shown

    def write(self, data: bytes) -> str:
        """Store bytes and return the digest, ``sha256:…``."""
        digest = digest_bytes(data)
        self._upload(lambda: data, digest)
        return digest

    def write_many(self, values: Sequence[bytes]) -> list[str]:
        """Store byte strings; see ArtifactStore."""
        digests = [digest_bytes(data) for data in values]
        for batch in _batches(values):
            body = b"".join(part for data in batch for part in (_LENGTH.pack(len(data)), data))
            self._post(f"{BYTES}/write-many", body)
        return digests

    def write_file(self, path: Path) -> str:
        """Store a file's bytes in chunks, without the whole file in memory."""
        return self.write_files([path])[0][0]

    def write_files(self, paths: Sequence[Path]) -> list[tuple[str, int]]:
        """Store the bytes of files; see ArtifactStore."""
        found: list[tuple[str, int]] = []
        for group, is_large in _by_size(paths):
            if is_large:
                found += [self._write_large(path) for path in group]
            else:
                values = [_read_whole(path) for path in group]
                sizes = [len(data) for data in values]
                found += zip(self.write_many(values), sizes, strict=True)
        return found

    def read(self, digest: str, *, check: bool = False) -> bytes:
        """Return the bytes; always checked, as they come from elsewhere."""
        del check
        data = self._connection.download(_place(digest))
        if digest_bytes(data) != digest:
            raise damaged(digest, self.url)
        return data

    def read_range(self, digest: str, start: int, length: int) -> bytes:
        """Return a range of the bytes; fewer at the end."""
        return self._connection.download(f"{_place(digest)}?start={start}&length={max(0, length)}")

    def fetch(self, digest: str, path: Path) -> None:
        """Write the bytes to a file, checked; see ArtifactStore."""
        with checked_file(path, digest, self.url) as write:
            for chunk in self._connection.chunks(_place(digest), _CHUNK):
                write(chunk)

    def verify(self, digest: str) -> None:
        """Check the digest of the bytes, at the server."""
        self._perform("verify", digest)

    def link(self, digest: str, *, expires: timedelta) -> str | None:
        """Return a URL of the bucket, else of the server, which may ask for a token."""
        link = self._perform("link", digest, expires=expires)
        is_web = link is not None and link.startswith(("https://", "http://"))
        return str(link) if is_web else f"{self.url}{ROOT}/{_place(digest)}"

    def exists(self, digest: str) -> bool:
        """Return whether the bytes exist."""
        return bool(self._perform("exists", digest))

    def written_at(self, digest: str) -> datetime:
        """Return the time of the last write of the bytes; see ArtifactStore."""
        found: datetime = self._perform("written_at", digest)
        return found

    def delete(self, digest: str, *, unless_written_since: datetime | None = None) -> None:
        """Delete the bytes; nothing happens if they are absent."""
        self._perform("delete", digest, unless_written_since=unless_written_since)

    def claim(self, owner: str, told: str) -> None:
        """Record that a store has bytes here; see ArtifactStore."""
        self._perform("claim", owner, told)

    def claims(self) -> dict[str, str]:
        """Return the stores with bytes here; see ArtifactStore."""
        found: dict[str, str] = self._perform("claims")
        return found

    def list(self) -> list[str]:
        """List the digests of all stored bytes, sorted."""
        found: list[str] = self._perform("list")
        return found

    def path(self, digest: str) -> Path | None:
        """Return None: the bytes are elsewhere."""
        place_of(digest)
        return None

    def _perform(self, verb: str, *args: Any, **kwargs: Any) -> Any:
        return self._connection.perform(operations()[BYTES][verb], args, kwargs)

    def _post(self, path: str, body: bytes) -> Any:
        return self._connection.json("POST", path, content=lambda: body, kind=OCTETS)

    def _upload(self, content: Callable[[], Any], digest: str) -> None:
        self._connection.json("POST", f"{BYTES}?digest={digest}", content=content, kind=OCTETS)

    def _write_large(self, path: Path) -> tuple[str, int]:
        """Send a file while its digest is computed: it may change between two readings."""
        sent = _Sent(path)
        answer = self._connection.json("POST", BYTES, content=sent.chunks, kind=OCTETS)
        if answer["digest"] != sent.digest:
            raise StoreError(
                what=f"The bytes of {path} arrived at {self.url} as other bytes.",
                why="They were changed on the way.",
                fix="Try again; if it happens twice, look for a proxy that changes what it passes.",
            )
        return sent.digest, sent.size


class _Sent:
    """A file on its way: the digest and size of what was sent last."""

    def __init__(self, path: Path) -> None:
        self._path, self.digest, self.size = path, "", 0

    def chunks(self) -> Iterator[bytes]:
        state, self.size = hashlib.sha256(), 0
        with readable(self._path) as file:
            while chunk := file.read(_CHUNK):
                state.update(chunk)
                self.size += len(chunk)
                yield chunk
        self.digest = PREFIX + state.hexdigest()


def _place(digest: str) -> str:
    place_of(digest)
    return f"{BYTES}/{digest}"


def _batches(values: Iterable[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for data in values:
        if batch and size + len(data) > _BATCH:
            yield batch
            batch, size = [], 0
        batch.append(data)
        size += len(data)
    if batch:
        yield batch


def _by_size(paths: Sequence[Path]) -> Iterator[tuple[list[Path], bool]]:
    """Yield runs of small files, and of large ones, in order."""
    group: list[Path] = []
    total = 0
    for path in paths:
        size = _size_of(path)
        if size > _CHUNK:
            if group:
                yield group, False
            yield [path], True
            group, total = [], 0
            continue
        if total + size > _BATCH:
            yield group, False
            group, total = [], 0
        group.append(path)
        total += size
    if group:
        yield group, False


def _size_of(path: Path) -> int:
    with readable(path):
        return path.stat().st_size


def _read_whole(path: Path) -> bytes:
    with readable(path) as file:
        return file.read()
