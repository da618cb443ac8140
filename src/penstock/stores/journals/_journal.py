"""``Journal``: a point logged in a microsecond survives kill -9; a thread fills the store."""

import atexit
import logging
import mmap
import os
import threading
import time
import weakref
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from penstock.core import MetricColumns, StoreError
from penstock.stores._forks import Lock, guard, import_whole
from penstock.stores.journals._facts import Fact, apply, deliver, write_fact
from penstock.stores.journals._folder import cannot_write, make_folder, remove_folder
from penstock.stores.journals._records import (
    FACTS,
    MARK,
    RECORD,
    SERIES,
    columns_of,
    page_and_place,
    page_path,
    position_of,
    write_name,
)
from penstock.stores.journals._recovery import recover_journals
from penstock.stores.metadata import MetadataStore

_log = logging.getLogger("penstock")
_EVERY_S = 0.5
_LONGEST_WAIT_S = 30.0  # between tries while the store cannot be written
_FIRST_PAGE, _PAGE = 1 << 16, 1 << 22
_MOST_PAGES = 64  # 8 million points that the store has not received yet
_MOST_AT_ONCE = 8
_SIZE = RECORD.size
_pack_into = RECORD.pack_into
_all: "weakref.WeakSet[Journal]" = weakref.WeakSet()


class _Page:
    """A file of the journal, mapped into memory."""

    __slots__ = ("map", "number", "path", "size", "taken")

    def __init__(self, path: Path, number: int, size: int) -> None:
        self.path, self.number, self.size = path, number, size
        self.taken = 0  # number of bytes that are in the store
        with path.open("xb+") as file:
            # Blocks are allocated now: a full disk is an error here, not a signal at a later write.
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.write(bytes(size))
                file.flush()
            self.map = mmap.mmap(file.fileno(), size)

    def remove(self) -> None:
        self.map.close()
        with suppress(OSError):  # the points are in the store, and the store records that
            self.path.unlink()


class Line:
    """A metric that is being logged: number of the series, and the next step."""

    __slots__ = ("following", "series")

    def __init__(self, series: int, following: float) -> None:
        self.series, self.following = series, following


class Journal:
    """The points that this process has logged and the store has not received yet.

    Threads: all methods may be called from any thread. A forked child begins a separate journal;
        the numbers of the series stay the same. Points accepted by `append` survive the end of the
        process, however caused, but not a power cut in the same moment.

    Args:
        home: The folder of the journals of a store; this journal's folder is created below on
            demand.
        metadata: The store that receives the points.
    """

    def __init__(self, home: Path, metadata: MetadataStore) -> None:
        self.home, self._metadata = home, metadata
        self._lines: dict[str, dict[str, Line]] = {}
        self._names: list[tuple[str, str]] = []
        self._numbers: dict[tuple[str, str], int] = {}
        self._begin()
        _all.add(self)
        guard(self)

    def _begin(self) -> None:
        """Start empty: at first, in a forked child, after the journal was closed."""
        self._lock, self._draining = threading.Lock(), threading.Lock()
        self._wake, self._drained = threading.Event(), threading.Event()
        self._folder: Path | None = None
        self._owner: IO[bytes] | None = None
        self._series_file: IO[bytes] | None = None
        self._pages: list[_Page] = []
        self._place = self._end = 0
        self._map: mmap.mmap | None = None
        self._in_doubt = self.behind = False  # behind: the store could not be written
        self._facts: list[Fact] = []

    def lines(self, run_id: str) -> dict[str, Line]:
        """Return the metrics of a run that this process logs, by name, as a shared dict."""
        return self._lines.setdefault(run_id, {})

    def series(self, run_id: str, key: str) -> int:
        """Return the number of a series, for `append`.

        Raises:
            StoreError: If the journal cannot be written.
        """
        name = run_id, key
        if not self._names:
            import_whole("numpy")  # our thread needs it, and must not import while others fork
        with self._lock:
            number = self._numbers.get(name)
            if number is None:
                number = len(self._names)
                self._open()
                assert self._series_file is not None
                try:
                    self._series_file.write(write_name(number, run_id, key))
                except OSError as error:
                    raise cannot_write(self.home, error) from error
                self._names.append(name)
                self._numbers[name] = number
        return number

    def append(self, series: int, value: float, step: float, micros: int) -> None:
        """Log a point; once this returns the point survives the process.

        Args:
            series: Number of the series; see `series`.
            value: Any number.
            step: A finite number.
            micros: Microseconds since 1970.

        Raises:
            StoreError: If there is no room for the point.
            struct.error: If a value is not a number.
        """
        while True:
            with self._lock:
                place = self._place
                if place < self._end:
                    # Moved first: a signal handler that logs, too, must get a different position.
                    self._place = place + _SIZE
                    _pack_into(self._map, place, value, step, micros, series, MARK)  # type: ignore[arg-type] # there is a page
                    return
            self._make_room()

    def append_records(self, data: bytes) -> None:
        """Log many points, written by `pack_points` or `pack_columns`; see `append`."""
        begin = 0
        while begin < len(data):
            with self._lock:
                place = self._place
                size = min(self._end - place, len(data) - begin)
                if size > 0:
                    assert self._map is not None
                    self._place = place + size
                    self._map[place : place + size] = data[begin : begin + size]
                    begin += size
                    continue
            self._make_room()

    def record(self, fact: Fact, *, keep: bool = True) -> StoreError | None:
        """Record a fact now; or store that here, if the store fails or facts are waiting.

        Returns:
            Reason for the wait; None if the fact was recorded.

        Raises:
            StoreError: If the fact can be neither recorded nor stored here.
            PenstockError: If the store refuses the fact.
        """
        why = None
        if not self._facts:
            try:
                apply(self._metadata, fact)
            except StoreError as error:
                if not keep:
                    raise
                why = error
            else:
                return None
        self.keep(fact)
        return why

    def keep(self, fact: Fact) -> None:
        """Store a fact that cannot be recorded now, for a later delivery.

        Raises:
            StoreError: If the journal cannot be written.
        """
        with self._lock:
            self._open()
            assert self._folder is not None
            try:
                with (self._folder / FACTS).open("ab") as file:
                    file.write(write_fact(fact))
            except OSError as error:
                raise cannot_write(self.home, error) from error
            self._facts.append(fact)

    def flush(self) -> None:
        """Write all points logged before the call to the store, including those of dead processes.

        Raises:
            StoreError: If the store cannot be written; nothing is lost then.
        """
        self._drain()
        recover_journals(self.home, self._metadata)

    def close(self) -> None:
        """Write everything to the store and remove the journal; the next point begins a new journal."""
        try:
            self._drain()
        except StoreError as error:
            self._warn(error)
            with self._lock:
                self._let_go()
            return
        with self._draining, self._lock:
            folder, pages = self._folder, self._pages
            if folder is None or self._facts or any(self._new_in(page) for page in pages):
                return  # closed by a different thread, or logged to meanwhile: the journal stays
            for page in pages:
                page.remove()
            self._let_go()
        if remove_folder(folder):
            with suppress(StoreError):
                self._metadata.metrics.forget_journal(folder.name)

    def _let_go(self) -> None:
        """Release the journal's folder to the next process that opens the store."""
        for file in (self._series_file, self._owner):
            if file is not None:
                file.close()
        self._pages, self._place, self._end = [], 0, 0
        self._facts = []
        self._folder = self._owner = self._series_file = self._map = None
        self._wake.set()  # the thread finds nothing left, and ends

    def _open(self) -> None:
        """Create the folder and start the thread, unless done already."""
        if self._folder is not None:
            return
        self._folder, self._owner = make_folder(self.home)
        try:
            # Unbuffered: written bytes belong to the system, and survive the process.
            self._series_file = (self._folder / SERIES).open("ab", buffering=0)
            lines = [write_name(place, *name) for place, name in enumerate(self._names)]
            self._series_file.write(b"".join(lines))
        except OSError as error:
            self._let_go()
            raise cannot_write(self.home, error) from error
        self._wake, self._drained = threading.Event(), threading.Event()
        threading.Thread(
            target=_work, args=(weakref.ref(self), self._wake), name="penstock-journal", daemon=True
        ).start()

    def _make_room(self) -> None:
        """Begin the next page; wait for a store that is far behind."""
        # Points do not wait for a store that cannot be written now.
        until = time.monotonic() + (0.0 if self.behind else _LONGEST_WAIT_S)
        while len(self._pages) >= _MOST_PAGES:
            self._wake.set()
            self._drained.clear()
            left = until - time.monotonic()
            if not self._drained.wait(max(0.0, min(1.0, left))) and left <= 0:
                raise StoreError(
                    what=f"The metric journal in {self.home} is full: the store takes nothing.",
                    why="What is in it will be stored; this point is not.",
                    fix="See what keeps the store from being written, with: penstock doctor",
                    path=self.home,
                )
        with self._lock:
            if self._place < self._end:
                return  # a different thread has made room
            self._open()
            assert self._folder is not None
            number = self._pages[-1].number + 1 if self._pages else 0
            path = page_path(self._folder, number)
            try:
                page = _Page(path, number, _PAGE if number else _FIRST_PAGE)
            except OSError as error:
                with suppress(OSError):
                    path.unlink()
                raise cannot_write(self.home, error) from error
            self._pages.append(page)
            self._map, self._place, self._end = page.map, 0, page.size
        if number:
            self._wake.set()

    def _drain(self) -> None:
        with self._draining:
            while self._take_some():
                pass
            self._deliver()

    def _deliver(self) -> None:
        """Record the waiting facts in order."""
        while self._facts:
            fact = self._facts[0]
            deliver(self._metadata, fact)
            with self._lock:
                self._facts = self._facts[1:]
                if not self._facts and self._folder is not None:
                    with suppress(OSError):  # delivering them again would do no harm
                        (self._folder / FACTS).unlink()
            self.behind = False

    def _take_some(self) -> bool:
        """Write a few pages to the store; return whether there are more."""
        self._settle_doubt()
        with self._lock:
            folder, names = self._folder, self._names
            pages = [(page, self._end_of(page)) for page in self._pages[:_MOST_AT_ONCE]]
            more = len(self._pages) > len(pages)
        new = [(page, end) for page, end in pages if end > page.taken]
        if folder is None or not new:
            return False
        data = b"".join(page.map[page.taken : end] for page, end in new)
        columns = list(columns_of(data, names))
        last, end = new[-1]
        self._store(columns, folder.name, position_of(last.number, end))
        for page, end in new:
            page.taken = end
        self._retire()
        return more

    def _store(self, columns: Sequence[MetricColumns], journal: str, position: int) -> None:
        try:
            self._metadata.metrics.append(columns, journal=journal, position=position)
        except BaseException:
            self._in_doubt = True
            raise
        self.behind = False

    def _settle_doubt(self) -> None:
        """Query the store's position after a failure: the commit may have gone through."""
        folder = self._folder
        if not self._in_doubt or folder is None:
            return
        known = self._metadata.metrics.journal_position(folder.name)
        number, place = page_and_place(known)
        for page in self._pages:
            if known >= 0 and page.number <= number:
                taken = page.size if page.number < number else place
                page.taken = max(page.taken, taken)
        self._in_doubt = False
        self._retire()

    def _retire(self) -> None:
        """Remove the pages whose points are all in the store."""
        with self._lock:
            done = [page for page in self._pages[:-1] if page.taken >= page.size]
            self._pages = [page for page in self._pages if page not in done]
        for page in done:
            page.remove()
        self._drained.set()

    def _end_of(self, page: _Page) -> int:
        return self._place if page is self._pages[-1] else page.size

    def _new_in(self, page: _Page) -> bool:
        return self._end_of(page) > page.taken

    def _warn(self, error: StoreError) -> None:
        if not self.behind:
            self.behind = True
            _log.warning(
                "Logged metrics wait in %s and are stored as soon as it is possible. %s",
                self.home,
                error,
            )

    def fork_locks(self) -> list[Lock]:
        """Return the lock that a fork waits for; see Guarded."""
        return [self._lock]

    def renew(self) -> None:
        """Release the parent's journal in a forked child."""
        for file in (self._owner, self._series_file):
            if file is not None:
                file.close()  # the lock belongs to the parent's end of the file, and stays
        self._begin()


def _work(reference: "weakref.ref[Journal]", wake: threading.Event) -> None:
    """Write points to the store in the background, as long as the journal lives."""
    wait = _EVERY_S
    while True:
        wake.wait(wait)
        wake.clear()
        journal = reference()
        if journal is None or journal._wake is not wake or journal._folder is None:  # noqa: SLF001 - its own thread
            return
        try:
            journal._drain()  # noqa: SLF001 - its own thread
            wait = _EVERY_S
        except StoreError as error:
            journal._warn(error)  # noqa: SLF001 - its own thread
            wait = min(2 * wait, _LONGEST_WAIT_S)
        del journal


def _close_all() -> None:
    for journal in list(_all):
        journal.close()


atexit.register(_close_all)
