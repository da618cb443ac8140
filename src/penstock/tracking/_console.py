"""Console output of a tracked script: stored with the run, and still printed."""

import os
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self, TextIO

from penstock.core import LogLine, StoreError, now, redact

if TYPE_CHECKING:
    from penstock.stores import Store

_EVERY_S = 0.5
_MOST_LINES = 100_000
_MAX_LINE = 4_000
_OFF = {"off", "0", "no", "false"}


def wanted(requested: bool | None, variable: str) -> bool:
    """Check whether an option is on: as passed, else on unless the environment says otherwise."""
    return os.environ.get(variable, "").lower() not in _OFF if requested is None else requested


class Console:
    """Recorder of the lines that this process prints while a run is active.

    Output written below Python (C libraries, child processes) is not recorded. Lines are in the
    store within half a second; a progress bar's overwritten states count as a single line. A forked
    child's lines are not recorded.

    Args:
        run_id: The run.
        store: The store for the lines.
    """

    def __init__(self, run_id: str, store: "Store") -> None:
        self._run_id, self._store, self._pid = run_id, store, os.getpid()
        self._lock = threading.Lock()
        self._lines: list[LogLine] = []
        self._open: dict[str, str] = {}
        self._kept = self._dropped = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="penstock-console", daemon=True)
        self._tees: dict[str, _Tee] = {}

    def start(self) -> Self:
        """Start recording lines."""
        for name in ("stdout", "stderr"):
            tee = _Tee(self, name, getattr(sys, name))
            self._tees[name] = tee
            setattr(sys, name, tee)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Restore the streams and write the last lines to the store."""
        for name, tee in self._tees.items():
            if getattr(sys, name) is tee:  # the stream may have been replaced since
                setattr(sys, name, tee.target)
            tee.console = None
        self._ended.set()
        if self._pid == os.getpid() and self._thread.ident is not None:
            self._thread.join(timeout=5)
        with self._lock:
            for stream, rest in sorted(self._open.items()):
                self._add(stream, rest)
            self._open.clear()
            if self._dropped:
                note = f"[{self._dropped:,} lines left out]"
                self._lines.append(LogLine(now(), "penstock", note))
        self._flush()

    def feed(self, stream: str, text: str) -> None:
        """Receive text as written; a line counts at the end."""
        if self._pid != os.getpid():
            return
        with self._lock:
            *whole, rest = (self._open.pop(stream, "") + text).split("\n")
            for line in whole:
                self._add(stream, line)
            if rest:
                self._open[stream] = rest[-_MAX_LINE:]

    def _add(self, stream: str, line: str) -> None:
        if self._kept >= _MOST_LINES:
            self._dropped += 1
            return
        shown = next((part for part in reversed(line.split("\r")) if part), "")
        self._lines.append(LogLine(now(), stream, redact(shown[:_MAX_LINE])))
        self._kept += 1

    def _work(self) -> None:
        while not self._ended.wait(_EVERY_S):
            self._flush()

    def _flush(self) -> None:
        with self._lock:
            lines, self._lines = self._lines, []
        if not lines:
            return
        try:
            self._store.metadata.steps.add_logs(self._run_id, lines)
        except StoreError:
            with self._lock:
                self._lines = lines + self._lines  # the next try has them again


class _Tee:
    """A text stream that records the text passed on."""

    def __init__(self, console: Console, stream: str, target: TextIO) -> None:
        self.console: Console | None = console
        self.stream, self.target = stream, target

    def write(self, text: str) -> int:
        if self.console is not None:
            with suppress(Exception):  # if recording fails, printing goes on
                self.console.feed(self.stream, text)
        return self.target.write(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.target, name)
