"""``Incoming``: files on their way into a folder, on the disk before they get their names."""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from time import time
from types import TracebackType
from typing import IO, Self

from penstock.core import new_id
from penstock.stores._modes import make_shared
from penstock.stores.artifacts._digests import folder_trouble

_NAME = "incoming"
_TO_DISK = 16 << 20
_AT_ONCE = 8
_LEFT_BEHIND_S = 24 * 3600  # no write takes a day without a sign of life


class Incoming:
    """New files of a folder, which get their names together when the block succeeds.

    A reader, a process after a kill and a machine after a power cut see a name only with all bytes.
    Many files share the waiting for the disk: the wait comes once all are written.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with Incoming(folder) as incoming:
    ...     incoming.name(incoming.write([b"a", b"b"]), folder / "x" / "y")
    >>> (folder / "x" / "y").read_bytes()
    b'ab'

    Args:
        folder: The target folder; created with the first file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written: list[Path] = []
        self._named: list[tuple[Path, Path]] = []

    def write(self, parts: Iterable[bytes]) -> Path:
        """Write a file that has no name yet; return the temporary path.

        Raises:
            StoreError: If the file cannot be written; errors of the chunks' iterator pass through.
        """
        beside = self._folder / _NAME / new_id()
        with folder_trouble(self._folder, "written"):
            if not self._written:
                make_shared(beside.parent)
            file = beside.open("xb")
        self._written.append(beside)
        size = begun = 0
        try:
            for part in parts:
                with folder_trouble(self._folder, "written"):
                    file.write(part)
                size += len(part)
                if size - begun >= _TO_DISK:
                    _begin(file, begun)
                    begun = size
            with folder_trouble(self._folder, "written"):
                file.close()
        except BaseException:
            with suppress(OSError):  # closing writes again, and must not hide the first error
                file.close()
            raise
        return beside

    def name(self, beside: Path, place: Path) -> None:
        """Set the name of a written file from the block's end on."""
        self._named.append((beside, place))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                with folder_trouble(self._folder, "written"):
                    self._settle()
        finally:
            for beside in self._written:
                with suppress(OSError):
                    beside.unlink()

    def _settle(self) -> None:
        _for_each(_sync, [beside for beside, _ in self._named])
        folders = list({place.parent for _, place in self._named})
        missing = [folder for folder in folders if not folder.exists()]
        for folder in missing:
            make_shared(folder)
        if missing:
            _sync_folder(self._folder)
        for beside, place in self._named:
            beside.replace(place)
        _for_each(_sync_folder, folders)
        self._written.clear()


def sweep(folder: Path) -> None:
    """Remove old leftovers of killed writers."""
    try:
        entries = list(os.scandir(folder / _NAME))
    except OSError:
        return  # nothing was ever written, or writing will report the error
    for entry in entries:
        with suppress(OSError):
            if time() - entry.stat().st_mtime > _LEFT_BEHIND_S:
                Path(entry).unlink()


def _for_each(sync: Callable[[Path], None], paths: Sequence[Path]) -> None:
    # Waiting side by side: the disk and the file system's journal serve many at once.
    if len(paths) > 1:
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            list(threads.map(sync, paths))
    else:
        for path in paths:
            sync(path)


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDWR)
    try:
        os.fsync(file)
    finally:
        os.close(file)


if sys.platform == "win32":

    def _sync_folder(path: Path) -> None:
        """Leave syncing to the system: a folder cannot be opened there."""

else:

    def _sync_folder(path: Path) -> None:
        """Sync a folder so that new names survive a crash of the machine."""
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


if sys.platform == "linux":

    def _begin(file: IO[bytes], start: int) -> None:
        """Start writing to the disk: else all writing waits for the end."""
        # Linux starts to write pages that are declared not needed soon.
        os.posix_fadvise(file.fileno(), start, 0, os.POSIX_FADV_DONTNEED)

else:

    def _begin(file: IO[bytes], start: int) -> None:
        """Leave writing to the system."""
