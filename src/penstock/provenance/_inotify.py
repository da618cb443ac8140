"""FolderWatch: files of some folders that any process opened or wrote, on Linux.

Python's own audit events miss files that native code opens (polars, pyarrow, duckdb, xgboost) and
all that a child process does; the kernel sees both. Elsewhere there is no watch.
"""

import ctypes
import os
import select
import struct
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from penstock.provenance._stamps import kind_of

_OPEN, _CLOSE_WRITE = 0x20, 0x08
_MOVED_TO, _CREATE = 0x80, 0x100
_IS_FOLDER, _IGNORED, _OVERFLOW = 0x40000000, 0x8000, 0x4000
_MASK = _OPEN | _CLOSE_WRITE | _MOVED_TO | _CREATE | 0x01000000  # only if it is a folder
_NONBLOCK, _CLOEXEC = 0o4000, 0o2000000
_HEAD = struct.Struct("iIII")
_MAX_FOLDERS = 10_000
_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages", "dist-packages"})
_WATCHES = 8
_watches: dict[str, "FolderWatch"] = {}


class FolderWatch:
    """The files below some folders that are opened and written.

    Args:
        skipped: Returns whether a folder is left out.
    """

    def __init__(self, skipped: Callable[[str], bool]) -> None:
        self._skipped = skipped
        self._libc = _libc()
        self._file = self._libc.inotify_init1(_NONBLOCK | _CLOEXEC) if self._libc else -1
        self._folders: dict[int, str] = {}
        self._watched: set[str] = set()
        self._alone: set[str] = set()  # watched without their subfolders
        self.pid = os.getpid()
        self._poll = _poll_of(self._file) if self._file >= 0 else None
        self.is_partial = self._file < 0
        self.overflowed = False
        self._opened: Counter[str] = Counter()
        self._closed: Counter[str] = Counter()  # after writing
        self._moved: set[str] = set()
        self._listed: Counter[str] = Counter()

    def add(self, folder: str, *, deep: bool = True) -> None:
        """Watch a folder, and with ``deep`` all folders below."""
        waiting, before = [folder], len(self._watched)
        while waiting and self._file >= 0 and os.getpid() == self.pid:
            place = waiting.pop()
            if place in self._watched and not (deep and place in self._alone):
                continue
            if len(self._watched) >= _MAX_FOLDERS:
                self.is_partial = True
                return
            number = self._libc.inotify_add_watch(self._file, os.fsencode(place), _MASK)
            if number < 0:
                self.is_partial = self.is_partial or os.path.isdir(place)  # noqa: PTH112 - hot
                continue
            self._folders[number] = place
            self._watched.add(place)
            if deep:
                self._alone.discard(place)
                waiting += self._below(place)
            else:
                self._alone.add(place)
        if len(self._watched) > before:
            self._read()  # the kernel merges equal events: ours would hide the next listing

    def start(self) -> None:
        """Reset the watch: drop all events until now."""
        self._read()
        for known in (self._opened, self._closed, self._moved, self._listed):
            known.clear()
        self.overflowed = False

    def collect(self) -> tuple[set[str], set[str]]:
        """Return the files that were read, and those that were written, since the start."""
        self._read()
        if not (self._moved or self._closed or self._opened):
            return set(), set()
        written = self._moved | self._closed.keys()
        # Writing opens a file too: a file opened more often than written was read.
        read = {path for path, times in self._opened.items() if times > self._closed[path]}
        return read - self._moved, written

    def folder_opens(self) -> Counter[str]:
        """Return how often each folder was opened, as a listing does, since the start."""
        return self._listed

    def drain(self) -> None:
        """Read the pending events, so that the kernel's queue does not overflow."""
        self._read()

    def close(self) -> None:
        """End the watch."""
        if self._file >= 0 and os.getpid() == self.pid:
            os.close(self._file)
        self._file, self._poll = -1, None

    def _below(self, folder: str) -> Iterable[str]:
        try:
            with os.scandir(folder) as entries:
                watched = [
                    entry.path
                    for entry in entries
                    if not entry.name.startswith(".")
                    and entry.name not in _SKIPPED
                    and entry.is_dir(follow_symlinks=False)
                ]
        except OSError:
            return []
        return [path for path in watched if not self._skipped(path)]

    def _read(self) -> None:
        if self._poll is None or os.getpid() != self.pid:
            return
        while self._poll.poll(0):  # cheaper than an exception if there is nothing to read
            try:
                data = os.read(self._file, 1 << 20)
            except BlockingIOError:  # another thread was there first
                return
            place = 0
            while place < len(data):
                number, mask, _, length = _HEAD.unpack_from(data, place)
                place += _HEAD.size
                name = data[place : place + length].rstrip(b"\0")
                place += length
                self._take(number, mask, os.fsdecode(name))

    def _take(self, number: int, mask: int, name: str) -> None:
        if mask & _OVERFLOW:
            self.overflowed = True
            return
        folder = self._folders.get(number)
        if folder is None:
            return
        if mask & _IGNORED:
            del self._folders[number]
            self._watched.discard(folder)
            self._alone.discard(folder)
            return
        if not name and mask & _OPEN:
            self._listed[folder] += 1
        if name and not name.startswith("."):
            self._take_inside(folder, mask, name)

    def _take_inside(self, folder: str, mask: int, name: str) -> None:
        path = f"{folder}/{name}"
        if mask & _IS_FOLDER:
            is_new = mask & (_CREATE | _MOVED_TO) and folder not in self._alone
            if is_new and name not in _SKIPPED and not self._skipped(path):
                self.add(path)
            return
        if mask & _MOVED_TO:
            self._moved.add(path)
        elif mask & _CLOSE_WRITE:
            self._closed[path] += 1
        elif mask & _OPEN:
            self._opened[path] += 1


def _poll_of(file: int) -> Any:
    poll = select.poll()
    poll.register(file, select.POLLIN)
    return poll


@cache
def _libc() -> Any:
    if sys.platform != "linux":
        return None
    try:
        library = ctypes.CDLL(None, use_errno=True)
        library.inotify_add_watch.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32]
    except (OSError, AttributeError):
        return None
    return library


def watch_of(project: str, skipped: tuple[str, ...]) -> FolderWatch:
    """Return the watch of a project's folder; that of an earlier step is used again."""
    watch = _watches.pop(project, None)
    if watch is None or watch.pid != os.getpid():
        watch = FolderWatch(
            lambda path: f"{path}\0".startswith(skipped) or kind_of(f"{path}/pyvenv.cfg") == "file"
        )
        watch.add(project)
    _watches[project] = watch
    while len(_watches) > _WATCHES:
        _watches.pop(next(iter(_watches))).close()
    return watch
