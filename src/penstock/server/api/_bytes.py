"""Bytes of artifacts, streamed both ways with a check of their digest; memory stays flat.

No route takes a path: bytes have the digest of what was sent as their only address.
"""

import hashlib
import struct
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from penstock.core import ParameterError, StoreError
from penstock.http import HttpError, UploadRoom, reply_json
from penstock.server.api._exchange import Exchange, in_thread
from penstock.stores import ArtifactStore

_CHUNK = 1 << 20
_MOST_MANY = 32 << 20  # bytes of small values in one request
_LENGTH = struct.Struct(">Q")
_LARGEST_RANGE = 64 << 20
_OCTETS = "application/octet-stream"


class Spool:
    """A body on its way into the store: in memory while small, then in a temporary file.

    Args:
        room: Says whether the body may be as long as it is.
    """

    def __init__(self, room: UploadRoom) -> None:
        self._room = room
        self._state, self._parts, self._waiting = hashlib.sha256(), list[bytes](), 0
        self._file: IO[bytes] | None = None
        self.size = 0

    async def take(self, chunks: AsyncIterator[bytes]) -> None:
        """Read a body to its end.

        Raises:
            HttpError: 413 if it is too long, 507 if there is no room for it.
        """
        async for chunk in chunks:
            self._parts.append(chunk)
            self._waiting += len(chunk)
            self.size += len(chunk)
            if self._waiting >= _CHUNK:
                await in_thread(self._pour)

    def _pour(self) -> None:
        self._room.require(self.size, written=self.size - self._waiting)
        data = b"".join(self._parts)
        self._parts, self._waiting = [], 0
        self._state.update(data)
        if self._file is None:
            # No context manager: it lives as long as the spool, which closes it.
            self._file = tempfile.NamedTemporaryFile(prefix="penstock-upload-")  # noqa: SIM115
        with self._room.writing():
            self._file.write(data)

    def store(self, artifacts: ArtifactStore, expected: str | None) -> str:
        """Store the body and return its digest.

        Raises:
            ParameterError: If the digest is not the expected one.
        """
        if self._file is None:
            data = b"".join(self._parts)
            self._room.require(len(data), written=len(data))
            self._require(expected, hashlib.sha256(data).hexdigest())
            return artifacts.write(data)
        self._pour()
        self._require(expected, self._state.hexdigest())
        with self._room.writing():
            self._file.flush()
        digest = artifacts.write_file(Path(self._file.name))
        self._require(digest, self._state.hexdigest())
        return digest

    def _require(self, expected: str | None, found: str) -> None:
        if expected not in {None, f"sha256:{found}"}:
            raise ParameterError(
                what=f"The bytes have the digest sha256:{found}, not {expected}.",
                why="They were damaged on the way, or changed meanwhile; nothing was stored.",
                fix="Send them again.",
            )

    def close(self) -> None:
        """Remove the temporary file."""
        if self._file is not None:
            with suppress(OSError):  # what a full disk has not taken
                self._file.close()


async def upload(artifacts: ArtifactStore, room: UploadRoom, exchange: Exchange) -> None:
    """Store the body of a request; the answer has digest and size."""
    require_octets(exchange)
    expected, spool = exchange.query.get("digest"), Spool(room)
    await in_thread(lambda: room.require(exchange.declared_size))
    try:
        await spool.take(exchange.chunks())
        digest = await in_thread(lambda: spool.store(artifacts, expected))
    finally:
        spool.close()
    await exchange.reply(reply_json({"digest": digest, "size_bytes": spool.size}))


async def upload_many(artifacts: ArtifactStore, room: UploadRoom, exchange: Exchange) -> None:
    """Store many small values: each is its length in 8 bytes, big-endian, and its bytes."""
    require_octets(exchange)
    body = await exchange.body(_MOST_MANY)
    values = list(_values(body))
    longest = max((len(value) for value in values), default=0)
    await in_thread(lambda: room.require(longest, written=longest))
    digests = await in_thread(lambda: artifacts.write_many(values))
    await exchange.reply(reply_json({"digests": digests}))


async def download(artifacts: ArtifactStore, exchange: Exchange, digest: str) -> None:
    """Send the bytes of a digest, or a range of them."""
    start, length = _range(exchange.query)
    size = _CHUNK if length is None else min(length, _LARGEST_RANGE)
    try:
        first = await in_thread(lambda: artifacts.read_range(digest, start, size))
    except StoreError as error:
        if await in_thread(lambda: artifacts.exists(digest)):
            raise
        raise Absent(error) from error
    following = iter(()) if length is not None else _rest(artifacts, digest, start + len(first))
    await exchange.stream(first, lambda: next(following, b""))


class Absent(Exception):  # noqa: N818 - a status for an error, not an error of its own
    """What a client asks for does not exist: an error of the store with the status 404."""

    def __init__(self, error: StoreError) -> None:
        super().__init__(str(error))
        self.error = error


def require_octets(exchange: Exchange) -> None:
    """Refuse bodies of other types, which a foreign page could send.

    Raises:
        HttpError: 415.
    """
    kind = (exchange.call.header(b"content-type") or "").partition(";")[0].strip().lower()
    if kind != _OCTETS or exchange.call.header(b"content-encoding"):
        raise HttpError(415, "Bytes are sent as application/octet-stream, uncompressed.")


def _rest(artifacts: ArtifactStore, digest: str, start: int) -> Iterator[bytes]:
    while chunk := artifacts.read_range(digest, start, _CHUNK):
        yield chunk
        start += len(chunk)


def _range(query: dict[str, Any]) -> tuple[int, int | None]:
    found = list[int | None]()
    for name in ("start", "length"):
        text = query.get(name)
        if text is None:
            found.append(None)
        elif text.isascii() and text.isdecimal() and len(text) < 19:  # noqa: PLR2004 - 64 bits
            found.append(int(text))
        else:
            raise ParameterError(what=f"{name} is {text[:40]!r}.", fix="Send a whole number.")
    return found[0] or 0, found[1]


def _values(body: bytes) -> Iterator[bytes]:
    place = 0
    while place < len(body):
        head = body[place : place + _LENGTH.size]
        size = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else len(body)
        place += _LENGTH.size
        if place + size > len(body):
            raise ParameterError(
                what="The body ends inside a value.",
                why="Each value is its length in 8 bytes, big-endian, and its bytes.",
                fix="Send the values again.",
            )
        yield body[place : place + size]
        place += size
