"""Content-addressed files in a folder: ``ab/cdef…`` below it."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

from penstock.core import StoreError, digest_bytes, new_id
from penstock.stores.artifacts._digests import (
    PREFIX,
    checked_file,
    damaged,
    digest_at,
    gone,
    place_of,
    require_bytes,
)

_CHUNK = 1 << 20


class LocalArtifacts:
    """An ArtifactStore in a folder of a local or shared disk.

    >>> import tempfile
    >>> artifacts = LocalArtifacts(Path(tempfile.mkdtemp()))
    >>> artifacts.read(artifacts.write(b"rows"))
    b'rows'

    Args:
        folder: Where the files are; made when the first is written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def url(self) -> str:
        """The folder's path."""
        return str(self._folder)

    def write(self, data: bytes) -> str:
        """Store bytes and return their digest, ``sha256:…``."""
        digest = digest_bytes(data)
        place = self._place(digest)
        if not _touch(place):
            with self._beside(place) as file:
                file.write(data)
        return digest

    def write_file(self, path: Path) -> str:
        """Store a file's bytes without reading it whole into memory."""
        state = hashlib.sha256()
        # Copied and digested in one pass: the file may change while it is read.
        holder = self._folder / "incoming" / new_id()
        try:
            with path.open("rb") as source, self._beside(holder) as file:
                while chunk := source.read(_CHUNK):
                    state.update(chunk)
                    file.write(chunk)
            digest = PREFIX + state.hexdigest()
            place = self._place(digest)
            place.parent.mkdir(parents=True, exist_ok=True)
            holder.replace(place)
        except OSError as error:
            raise self._cannot("written", error) from error
        return digest

    def read(self, digest: str, *, check: bool = False) -> bytes:
        """Give the bytes back.

        Raises:
            StoreError: If they are gone; with ``check`` also if they are damaged.
        """
        try:
            data = self._place(digest).read_bytes()
        except FileNotFoundError as error:
            raise gone(digest, self.url) from error
        except OSError as error:
            raise self._cannot("read", error) from error
        if check and digest_bytes(data) != digest:
            raise damaged(digest, self.url)
        return data

    def read_range(self, digest: str, start: int, length: int) -> bytes:
        """Give some of the bytes; fewer at the end."""
        try:
            with self._place(digest).open("rb") as file:
                file.seek(start)
                return file.read(max(0, length))
        except FileNotFoundError as error:
            raise gone(digest, self.url) from error
        except OSError as error:
            raise self._cannot("read", error) from error

    def fetch(self, digest: str, path: Path) -> None:
        """Write the bytes to a file, checked; see ArtifactStore."""
        try:
            with (
                self._place(digest).open("rb") as source,
                checked_file(path, digest, self.url) as write,
            ):
                while chunk := source.read(_CHUNK):
                    write(chunk)
        except FileNotFoundError as error:
            raise gone(digest, self.url) from error
        except OSError as error:
            raise self._cannot("read", error) from error

    def verify(self, digest: str) -> None:
        """Digest the bytes; see ArtifactStore."""
        try:
            with self._place(digest).open("rb") as file:
                require_bytes(iter(lambda: file.read(_CHUNK), b""), digest, self.url)
        except FileNotFoundError as error:
            raise gone(digest, self.url) from error
        except OSError as error:
            raise self._cannot("read", error) from error

    def link(self, digest: str, *, expires: timedelta) -> str | None:  # noqa: ARG002 - the protocol's form
        """Give the file's address, for programs on this machine."""
        place = self.path(digest)
        return None if place is None else place.absolute().as_uri()

    def exists(self, digest: str) -> bool:
        """Say whether the bytes are there."""
        return self._place(digest).exists()

    def written_at(self, digest: str) -> datetime:
        """Say when the bytes were written last; see ArtifactStore."""
        try:
            return datetime.fromtimestamp(self._place(digest).stat().st_mtime, UTC)
        except FileNotFoundError as error:
            raise gone(digest, self.url) from error

    def delete(self, digest: str, *, unless_written_since: datetime | None = None) -> None:
        """Remove the bytes; nothing happens if they are not there."""
        place = self._place(digest)
        # Put aside first: whoever writes them from now on does not find them, and writes them anew.
        aside = place.with_name(f".{place.name[:16]}-{new_id()}")
        with suppress(FileNotFoundError):
            place.rename(aside)
            since = unless_written_since
            if since is not None and aside.stat().st_mtime >= since.timestamp():
                aside.replace(place)
            else:
                aside.unlink()

    def list(self) -> list[str]:
        """List the digests of all stored bytes, sorted."""
        places = (f"{path.parent.name}/{path.name}" for path in self._folder.glob("??/*"))
        return sorted(digest for place in places if (digest := digest_at(place)))

    def path(self, digest: str) -> Path | None:
        """Give the file with the bytes; None if there is none."""
        place = self._place(digest)
        return place if place.exists() else None

    def _place(self, digest: str) -> Path:
        return self._folder / place_of(digest)

    @contextmanager
    def _beside(self, place: Path) -> Iterator[IO[bytes]]:
        # Written beside and renamed: a reader, or a process after a crash, sees all or nothing.
        beside = place.with_name(f".{place.name[:16]}-{new_id()}")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with beside.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            beside.replace(place)
        except BaseException as error:
            with suppress(OSError):
                beside.unlink()
            if isinstance(error, OSError):
                raise self._cannot("written", error) from error
            raise

    def _cannot(self, what: str, error: OSError) -> StoreError:
        return StoreError(
            what=f"The artifacts folder {self._folder} cannot be {what} ({error.strerror or error}).",
            why="Values that steps give are kept there.",
            fix="Check its permissions and free space, or set PENSTOCK_ARTIFACTS to another folder.",
            path=self._folder,
        )


def _touch(place: Path) -> bool:
    """Note that bytes are written again, for `delete`; says whether they are there."""
    try:
        os.utime(place)
    except PermissionError:
        return place.exists()  # another user's file
    except OSError:
        return False  # writing it tells what is wrong, if anything is
    return place.exists()  # it may have been put aside between the system's look and its touch
