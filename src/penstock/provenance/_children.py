"""Children: look-ups of a step's forked processes, passed to the process that records.

A forked process has the recorder's code but a copy of the memory: the look-ups are written to a
file without a name that both processes have open.
"""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from typing import Any


class Children:
    """The processes that a step starts.

    Args:
        are_there: True if the step has started any.
    """

    def __init__(self) -> None:
        self.are_there = False
        self._pid = os.getpid()
        self._file: int | None = None

    def expect(self) -> None:
        """Open the shared file before a process is forked."""
        self.are_there = True
        if self._file is None and os.getpid() == self._pid:
            self._file = _nameless_file()

    def report(self, kind: str, name: str, value: Any) -> None:
        """Pass a recorded look-up on, if this is a forked process."""
        if self._file is not None and os.getpid() != self._pid:
            os.write(self._file, json.dumps([kind, name, value]).encode() + b"\n")

    def take(self) -> Iterator[tuple[str, str, Any]]:
        """Return the look-ups so far as kind, name and value; later ones are not received."""
        if self._file is None:
            return
        size = os.lseek(self._file, 0, os.SEEK_CUR)
        lines = os.pread(self._file, size, 0).splitlines()
        os.close(self._file)
        self._file = None
        for line in lines:
            with suppress(ValueError):  # of a process that was killed while writing
                kind, name, value = json.loads(line)
                yield kind, name, value


def _nameless_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("penstock-trace")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
