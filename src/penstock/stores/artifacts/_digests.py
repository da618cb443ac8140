"""Digests as places of bytes and as proofs of bytes, in a folder and in a bucket."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from penstock.core import ParameterError, StoreError

PREFIX = "sha256:"
CLAIMS = "stores"  # beside the bytes: the stores with bytes there
HEX_LENGTH = 64
_HEX = frozenset("0123456789abcdef")


def place_of(digest: str) -> str:
    """Return the place of a digest's bytes: ``ab/cdef…``.

    Raises:
        ParameterError: If the text is not a digest; nothing else ever becomes a path.
    """
    name = digest.removeprefix(PREFIX)
    if len(name) != HEX_LENGTH or not set(name) <= _HEX:
        raise ParameterError(
            what=f"{digest!r} is no digest.",
            fix="A digest is sha256: and 64 hexadecimal digits.",
            digest=digest,
        )
    return f"{name[:2]}/{name[2:]}"


def digest_at(place: str) -> str | None:
    """Return the digest that belongs to a place; None for a different file.

    >>> digest_at("incoming/x") is None
    True
    """
    name = place.replace("/", "")
    is_one = len(name) == HEX_LENGTH and place[2:3] == "/" and set(name) <= _HEX
    return PREFIX + name if is_one else None


def gone(digest: str, url: str) -> StoreError:
    """Return the error for missing bytes of a digest."""
    return StoreError(
        what=f"The bytes of {digest} are gone from {url}.",
        why="Something outside penstock removed them, or the artifact store is elsewhere.",
        fix="Restore them or set PENSTOCK_ARTIFACTS to where they are; or run the step again.",
        digest=digest,
    )


def damaged(digest: str, url: str) -> StoreError:
    """Return the error for bytes with a wrong digest."""
    return StoreError(
        what=f"The bytes of {digest} in {url} are damaged.",
        why="Their digest has changed.",
        fix="Restore them from a backup, or delete them and run the step again.",
        digest=digest,
    )


@contextmanager
def folder_trouble(folder: Path, what: str) -> Iterator[None]:
    """Convert an OSError into the error of an artifacts folder.

    Raises:
        StoreError: If the block raises OSError.
    """
    try:
        yield
    except OSError as error:
        raise StoreError(
            what=f"The artifacts folder {folder} cannot be {what} ({error.strerror or error}).",
            why="Step outputs are stored there.",
            fix="Check its permissions and free space, or set PENSTOCK_ARTIFACTS to another folder.",
            path=folder,
        ) from error


@contextmanager
def readable(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that is to be stored.

    Raises:
        StoreError: If the file cannot be opened or read.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise _unreadable(path, error) from error
    with file:
        try:
            yield file
        except OSError as error:
            raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> StoreError:
    return StoreError(
        what=f"{path} cannot be read ({error.strerror or error}).",
        why="What is kept is a copy of it.",
        fix="Check its permissions, and whether it is still there.",
        path=path,
    )


@contextmanager
def checked_file(path: Path, digest: str, url: str) -> Iterator[Callable[[bytes], None]]:
    """Write a digest's bytes to a file; if they are wrong or incomplete, no file remains."""
    state = hashlib.sha256()
    try:
        with writable(path):
            file = path.open("wb")
        with file:

            def write(chunk: bytes) -> None:
                state.update(chunk)
                with writable(path):
                    file.write(chunk)

            yield write
            with writable(path):
                file.flush()
        _require_digest(PREFIX + state.hexdigest(), digest, url)
    except BaseException:
        with suppress(OSError):
            path.unlink(missing_ok=True)
        raise


@contextmanager
def writable(path: Path) -> Iterator[None]:
    """Convert an OSError into the error of this output file.

    Raises:
        StoreError: If the block raises OSError.
    """
    try:
        yield
    except OSError as error:
        raise StoreError(
            what=f"{path} cannot be written ({error.strerror or error}).",
            why="The artifact's bytes are to be there.",
            fix="Check the folder's permissions and free space, or choose another folder.",
            path=path,
        ) from error


def require_bytes(chunks: Iterable[bytes], digest: str, url: str) -> None:
    """Check the digest of bytes that arrive in chunks.

    Raises:
        StoreError: If the bytes have a different digest.
    """
    state = hashlib.sha256()
    for chunk in chunks:
        state.update(chunk)
    _require_digest(PREFIX + state.hexdigest(), digest, url)


def _require_digest(actual: str, digest: str, url: str) -> None:
    if actual != digest:
        raise damaged(digest, url)
