"""Printed and logged output of a step, captured as lines and still echoed to standard error."""

import logging
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TextIO

from penstock.core import LogLine, hide_known, now_micros, redact

_KEPT_FIRST, _KEPT_LAST = 2_000, 3_000
_MAX_LINE = 4_000
_MAX_PIECES = 1_000  # of a line without an end
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_Line = tuple[int, str, str]


class LineLog:
    """Lines in order of arrival; of very many lines the first and the last are stored."""

    def __init__(self) -> None:
        # Microseconds, stream and text: of a million lines few become records.
        self._first: list[_Line] = []
        self._last: deque[_Line] = deque(maxlen=_KEPT_LAST)
        self._count = 0
        self._open: dict[str, str] = {}

    def feed(self, stream: str, text: str) -> None:
        """Add text as written; a line is complete at its newline."""
        if not self._open and text.find("\n") == len(text) - 1 >= 0:  # one whole line
            self.add(stream, text[:-1])
            return
        before = self._open.pop(stream, "") if self._open else ""
        *whole, rest = (before + text).split("\n")
        for line in whole:
            self.add(stream, line)
        if rest:
            self._open[stream] = rest[-_MAX_LINE:]

    def add(self, stream: str, line: str) -> None:
        """Add a line; of a progress bar's overwritten states only the last is stored."""
        if "\r" in line:
            line = next((part for part in reversed(line.split("\r")) if part), "")
        lines = self._first if self._count < _KEPT_FIRST else self._last
        # Now, as a secret of the step may be gone when the step ends.
        lines.append((now_micros(), stream, hide_known(line[:_MAX_LINE])))
        self._count += 1

    def lines(self) -> list[LogLine]:
        """Return all lines, unfinished lines too, with a note where lines were left out."""
        for stream, rest in sorted(self._open.items()):
            self.add(stream, rest)
        self._open.clear()
        dropped = self._count - len(self._first) - len(self._last)
        note = [(self._last[0][0], "penstock", f"[{dropped:,} lines left out]")] if dropped else []
        return [
            LogLine(_EPOCH + timedelta(microseconds=moment), stream, redact(text))
            for moment, stream, text in [*self._first, *note, *self._last]
        ]


@contextmanager
def captured_output(*, echo: bool = True) -> Iterator[LineLog]:
    """Capture everything printed or logged in the block.

    Standard output is echoed to standard error, so that a program's own output on standard output
    stays clean. Output written below Python (C libraries, child processes) is not captured.

    Args:
        echo: False to keep the terminal quiet.
    """
    log = LineLog()
    before = sys.stdout, sys.stderr
    target = before[1] if echo else None
    out, err = _Tee(log, "stdout", target), _Tee(log, "stderr", target)
    sys.stdout, sys.stderr = out, err
    handler = _Recorder(log, (out, err), target)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield log
    finally:
        root.removeHandler(handler)
        sys.stdout, sys.stderr = before
        out.close_log()
        err.close_log()


class _Tee:
    """A text stream that captures lines and passes them on; after `close_log`, only passes on.

    `print` writes a line in four pieces, which are joined here, once for the log and the terminal.
    As on a terminal, the beginning of a line appears when the line ends or is flushed.
    """

    def __init__(self, log: LineLog, stream: str, target: TextIO | None) -> None:
        self._log: LineLog | None = log
        self._stream, self._target = stream, target
        self._pieces: list[str] = []
        self._turn = threading.RLock()

    def write(self, text: str) -> int:
        pieces = self._pieces
        pieces.append(text)
        if "\n" in text or "\r" in text or len(pieces) > _MAX_PIECES:
            self._pass_on()
        return len(text)

    def _pass_on(self) -> None:
        with self._turn:
            pieces = self._pieces[:]  # a concurrent thread may write more meanwhile
            text = "".join(pieces)
            del self._pieces[: len(pieces)]
            if self._log is not None:
                self._log.feed(self._stream, text)
            if self._target is not None and text:
                self._target.write(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        self._pass_on()
        if self._target is not None:
            self._target.flush()

    def close_log(self) -> None:
        self._pass_on()
        self._log = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target if self._target is not None else sys.__stderr__, name)


class _Recorder(logging.Handler):
    """Handler that captures log records, and prints a record only if no further handler would."""

    def __init__(self, log: LineLog, tees: tuple[_Tee, ...], target: TextIO | None) -> None:
        super().__init__()
        self._log, self._tees, self._target = log, tees, target

    def emit(self, record: logging.LogRecord) -> None:
        others = [handler for handler in logging.getLogger().handlers if handler is not self]
        if any(getattr(handler, "stream", None) in self._tees for handler in others):
            return  # that handler writes into our stream: the record would appear twice
        try:
            text = self.format(record)
        except Exception:  # noqa: BLE001 - as every handler: a bad log call must not stop the work
            self.handleError(record)
            return
        line = f"{record.levelname} {record.name}: {text}"
        for part in line.split("\n"):
            self._log.add("log", part)
        # Without this handler, logging itself would print warnings and errors.
        if not others and self._target is not None and record.levelno >= logging.WARNING:
            self._target.write(line + "\n")
