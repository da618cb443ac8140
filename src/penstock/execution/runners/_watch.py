"""Watch: ends the child processes of this process when this process ends, even if killed."""

import subprocess
import sys
import threading
from contextlib import suppress

from penstock.core import ClosedAtExit, new_id
from penstock.execution.runners import _watcher
from penstock.execution.runners._watcher import FAREWELL, end_all


class Watch(ClosedAtExit):
    """Guard that ends registered processes, with all descendants, if this process is gone.

    The guard is a separate program, started with the first process. `close` ends the program but
    no process: ending processes is up to the code that started them.
    """

    def __init__(self) -> None:
        self.mark = new_id()
        """Prefix of the variable MARK of processes that are ended, too."""
        self._lock = threading.Lock()
        self._program: subprocess.Popen[str] | None = None

    def add(self, process: int) -> None:
        """Register a process, the leader of a session, to be ended when this process is gone."""
        with self._lock:
            self._program = self._program or self._start()
            _say(self._program, str(process))

    def end(self, process: int) -> None:
        """Kill a registered process and all descendants."""
        end_all([], {process})

    def close(self) -> None:
        """End the program."""
        with self._lock:
            program, self._program = self._program, None
        if program is not None:
            _say(program, FAREWELL)
            with suppress(OSError):
                program.communicate()

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(  # noqa: S603 - this interpreter on our own file
            [sys.executable, "-I", "-S", _watcher.__file__, f"{self.mark}."],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a signal to this process's group must not reach the program
            text=True,
        )


def _say(program: subprocess.Popen[str], line: str) -> None:
    if program.stdin is not None:
        with suppress(OSError):
            program.stdin.write(f"{line}\n")
            program.stdin.flush()
