"""How an artifact's digest names its place and proves its bytes, in a folder and in a bucket."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from penstock.core import ParameterError, StoreError

PREFIX = "sha256:"
HEX_LENGTH = 64
_HEX = frozenset("0123456789abcdef")


def place_of(digest: str) -> str:
    """Give the place of a digest's bytes: ``ab/cdef…``.

    Raises:
        ParameterError: If it is no digest; nothing else ever becomes a path.
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
    """Give the digest whose place this is; None if it is another file's.

    >>> digest_at("incoming/x") is None
    True
    """
    name = place.replace("/", "")
    is_one = len(name) == HEX_LENGTH and place[2:3] == "/" and set(name) <= _HEX
    return PREFIX + name if is_one else None


def gone(digest: str, url: str) -> StoreError:
    """Tell that the bytes of a digest are not there."""
    return StoreError(
        what=f"The bytes of {digest} are gone from {url}.",
        why="Something outside penstock removed them, or the artifacts are kept elsewhere.",
        fix="Restore them or set PENSTOCK_ARTIFACTS to where they are; or run the step again.",
        digest=digest,
    )


def damaged(digest: str, url: str) -> StoreError:
    """Tell that the bytes of a digest are others."""
    return StoreError(
        what=f"The bytes of {digest} in {url} are damaged.",
        why="Their digest is another one now.",
        fix="Restore them from a backup, or delete them and run the step again.",
        digest=digest,
    )


@contextmanager
def checked_file(path: Path, digest: str, url: str) -> Iterator[Callable[[bytes], None]]:
    """Write a digest's bytes to a file; if they are others or do not end, no file stays."""
    state = hashlib.sha256()
    try:
        with path.open("wb") as file:

            def write(chunk: bytes) -> None:
                state.update(chunk)
                file.write(chunk)

            yield write
        _require_digest(PREFIX + state.hexdigest(), digest, url)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def require_bytes(chunks: Iterable[bytes], digest: str, url: str) -> None:
    """Digest bytes that come in parts.

    Raises:
        StoreError: If they are others than the digest says.
    """
    state = hashlib.sha256()
    for chunk in chunks:
        state.update(chunk)
    _require_digest(PREFIX + state.hexdigest(), digest, url)


def _require_digest(found: str, digest: str, url: str) -> None:
    if found != digest:
        raise damaged(digest, url)
