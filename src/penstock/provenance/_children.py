"""Children: what the forked processes of a step look up, told to the process that records.

A forked process has the recorder's code but a copy of its memory: it writes what it notes into a
file without a name that both have open.
"""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from typing import Any


class Children:
    """The processes that one step starts.

    Args:
        are_there: True if it has started any.
    """

    def __init__(self) -> None:
        self.are_there = False
        self._pid = os.getpid()
        self._file: int | None = None

    def expect(self) -> None:
        """Make ready: a process is about to be forked."""
        self.are_there = True
        if self._file is None and os.getpid() == self._pid:
            self._file = _nameless_file()

    def tell(self, kind: str, name: str, value: Any) -> None:
        """Pass on what was noted, if this is a forked process."""
        if self._file is not None and os.getpid() != self._pid:
            os.write(self._file, json.dumps([kind, name, value]).encode() + b"\n")

    def take(self) -> Iterator[tuple[str, str, Any]]:
        """Return what they told until now, as kind, name and value; then nothing more is taken."""
        if self._file is None:
            return
        size = os.lseek(self._file, 0, os.SEEK_CUR)
        lines = os.pread(self._file, size, 0).splitlines()
        os.close(self._file)
        self._file = None
        for line in lines:
            with suppress(ValueError):  # of a process that was killed while it wrote
                kind, name, value = json.loads(line)
                yield kind, name, value


def _nameless_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("penstock-trace")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
