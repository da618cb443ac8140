"""HelperProcess: a Python process beside this one that answers messages, and may die without harm."""

import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress

from penstock.core import PenstockError

_MOST_REPLY = 1 << 31
# A helper has no secrets: not the environment of this process, which may hold passwords.
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "LD_LIBRARY_PATH")
_ADDED = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "JOBLIB_MULTIPROCESSING": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "MALLOC_PERTURB_": "165",  # what is read from freed memory is no leftover that happens to fit
    "TOKENIZERS_PARALLELISM": "false",
}


class ProcessEndedError(PenstockError):
    """A helper process that has ended without an answer; ``reason`` says how."""


class ProcessTimeoutError(PenstockError):
    """A helper process that did not answer in time, and was killed."""


def has_processes() -> bool:
    """Return whether this system can start helper processes: any but Windows."""
    return os.name == "posix"


class HelperProcess:
    """A process that executes a module and answers each message.

    The module's process gets the number of an open socket as the argument, and ends when that is
    closed. Replies are bytes: the caller checks the contents.

    Threads: a single call at a time; further callers wait.

    Args:
        module: The module, executed as ``python -m``.
        quiet: Whether printed text is thrown away.
    """

    def __init__(self, module: str, *, quiet: bool = True) -> None:
        ours, theirs = socket.socketpair()
        # -P: a file in the current folder must not be imported for a library.
        command = [sys.executable, "-P", "-m", module, str(theirs.fileno())]
        self._popen = subprocess.Popen(  # noqa: S603 - this interpreter on our own module
            command,
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if quiet else 2,
            stderr=subprocess.DEVNULL if quiet else None,
            start_new_session=True,
            cwd=os.sep,
            env=_environment(),
        )
        theirs.close()
        # Imported here: few processes start a helper, and all import this module.
        from multiprocessing.connection import Connection

        self._connection = Connection(ours.detach())
        self._lock = threading.Lock()
        self._owner = os.getpid()

    @property
    def is_usable(self) -> bool:
        """Whether the process lives and is this process's own, not that of a forked parent."""
        return self._owner == os.getpid() and self._popen.poll() is None

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._popen.pid

    def call(self, *parts: bytes, timeout_s: float, most: int = _MOST_REPLY) -> bytes:
        """Send a message of parts, and return the reply.

        Args:
            parts: The parts; a large part is sent without a copy.
            timeout_s: Seconds until the process is killed.
            most: Bytes that the reply may have.

        Raises:
            ProcessEndedError: If the process ends first.
            ProcessTimeoutError: If there is no reply in time.
        """
        with self._lock:
            try:
                for part in parts:
                    self._connection.send_bytes(part)
                if not self._connection.poll(timeout_s):
                    self.close()
                    raise ProcessTimeoutError(
                        what=f"There was no answer within {timeout_s:g} seconds.",
                        why="The process that was asked has been killed.",
                        timeout_s=timeout_s,
                    )
                return self._connection.recv_bytes(most)
            except (EOFError, OSError) as error:
                self.close()
                reason = describe_exit(self._popen.returncode)
                raise ProcessEndedError(
                    what=f"The process that was asked has ended: {reason}.", reason=reason
                ) from error

    def close(self) -> None:
        """End the process, and wait for that."""
        with suppress(OSError):
            self._connection.close()
        if self._owner == os.getpid():
            with suppress(OSError, subprocess.TimeoutExpired):
                self._popen.wait(timeout=0.2)  # an exit code of its own says more than our kill
            with suppress(OSError):
                self._popen.kill()
            self._popen.wait()


def describe_exit(code: int | None) -> str:
    """Return how a process ended, in words.

    >>> describe_exit(-11), describe_exit(3)
    ('killed by SIGSEGV', 'exit code 3')

    Args:
        code: Exit code; negative for a signal.
    """
    if code is None or code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    path = os.pathsep.join(each for each in sys.path if each)
    return {**kept, **_ADDED, "PYTHONPATH": path}
