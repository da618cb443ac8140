"""UploadRoom: whether an upload may go on, by its size and by the room on the disks that it passes.

A full disk stops a store for everyone: SQLite cannot write there either. So an upload is refused while
there is still room for records, before its first byte where its length is said.
"""

import errno
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from penstock.http._messages import HttpError

RESERVE = 64 << 20
"""Bytes of a disk that uploads leave free, for records."""
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class UploadRoom:
    """Limits of the uploads of a server.

    >>> room = UploadRoom(most=10)
    >>> room.require(10)
    >>> room.require(11)
    Traceback (most recent call last):
    ...
    penstock.http._messages.HttpError: The upload is longer than 10 bytes. This server ...

    Threads: any number at once.

    Args:
        folder: Folder in which the artifact store has its files; None for one elsewhere.
        most: Most bytes of an upload; 0 for any number.
        reserve: Bytes that stay free on each disk.
    """

    def __init__(
        self, folder: Path | None = None, *, most: int = 0, reserve: int = RESERVE
    ) -> None:
        self._folder, self._most, self._reserve = folder, most, reserve

    @classmethod
    def of_store(cls, url: str, most: int) -> "UploadRoom":
        """Return the room for an artifact store, whose URL is a path or an address of elsewhere."""
        return cls(None if "://" in url else Path(url), most=most)

    def require(self, size: int, *, written: int = 0) -> None:
        """Check that an upload may have a size, as far as is known of it.

        Args:
            size: Bytes of the upload: declared, or arrived so far.
            written: Bytes of it that are in a temporary file already.

        Raises:
            HttpError: 413 for an upload that is too long, or longer than the disk; 507 for one without room.
        """
        if 0 < self._most < size:
            raise HttpError(
                413,
                f"The upload is longer than {self._most:,} bytes.",
                "This server takes no larger artifact; nothing of it was stored.",
                "Split it, or ask whoever runs the server for a larger --max-artifact-size.",
            )
        for folder, needed in self._needs(size, size - written):
            with suppress(OSError):
                disk = shutil.disk_usage(folder)
                if needed + self._reserve > disk.total:
                    raise _larger_than_disk(size, disk.total)
                if needed + self._reserve > disk.free:
                    raise _no_room(folder, size, disk.free)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Say so in a sentence when a disk is full all the same.

        Raises:
            HttpError: 507.
        """
        try:
            yield
        except OSError as error:
            if error.errno not in _FULL:
                raise
            raise _no_room(Path(tempfile.gettempdir()), None, 0) from error

    def _needs(self, stored: int, spooled: int) -> Iterator[tuple[Path, int]]:
        """Yield a folder of each disk, with the bytes that are still to be written there."""
        found: dict[int, list[tuple[Path, int]]] = defaultdict(list)
        places = [(Path(tempfile.gettempdir()), spooled)]
        if self._folder is not None:
            places.append((_existing(self._folder), stored))
        for folder, needed in places:
            with suppress(OSError):
                found[folder.stat().st_dev].append((folder, needed))
        for parts in found.values():
            yield parts[-1][0], sum(needed for _, needed in parts)


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above that exists: the first file makes it."""
    return next((each for each in (folder, *folder.parents) if each.exists()), folder)


def _larger_than_disk(size: int, total: int) -> HttpError:
    return HttpError(
        413,
        f"The upload of {size:,} bytes is larger than the server's disk, which has {total:,}.",
        "No freeing of space could make room for it; nothing of it was stored.",
        "Split it, or check the length that the client declares.",
    )


def _no_room(folder: Path, size: int | None, free: int) -> HttpError:
    what = "The disk of the server is full." if size is None else (
        f"The disk of the server has no room for an upload of {size:,} bytes: {free:,} are free."
    )  # fmt: skip
    return HttpError(
        507,
        what,
        "A full disk would stop every run that is recorded here; nothing of the upload was stored.",
        f"Free some space in {folder}, for example with: penstock store gc",
    )
