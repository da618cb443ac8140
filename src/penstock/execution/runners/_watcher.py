"""A process that briefly outlives a killed run and ends the descendants of the run's workers.

Started by file name in an interpreter without packages, so that the start is cheap: only the
standard library is imported here. The ids of the workers' processes come on standard input; if the
input ends without a farewell, the run is gone, for whatever reason.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence

FAREWELL = "done"
MARK = "PENSTOCK_WORKERS"
"""Variable in the environment of a run's workers and of all their descendants."""

_ROUNDS, _PAUSE_S = 40, 0.05
_STAT_SESSION, _STAT_PARENT = 3, 1  # fields after the name of the program in /proc/PID/stat


def main() -> None:
    """Wait for the end of the run whose mark is the argument."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    workers: set[int] = set()
    for line in sys.stdin:
        if line.strip() == FAREWELL:
            return
        workers.add(int(line))
    end_all([sys.argv[1]], workers)


def end_all(marks: Sequence[str], workers: set[int]) -> None:
    """Kill workers and their descendants: found by mark, session, group and parent.

    Args:
        marks: Prefixes of the value of the variable MARK.
        workers: Process ids of workers; each leads a session.
    """
    marked = tuple(f"{MARK}={mark}".encode() for mark in marks)
    known, quiet = set(workers), 0
    for _ in range(_ROUNDS):  # a killed process may have started a process just before
        descendants = _descendants(marked, known)  # first of all, while each still has its parent
        for process in descendants:
            with contextlib.suppress(OSError):
                os.kill(process, signal.SIGKILL)
        for worker in workers:
            with contextlib.suppress(OSError):
                os.killpg(worker, signal.SIGKILL)
        quiet = 0 if descendants else quiet + 1
        if quiet > 1:
            return
        time.sleep(_PAUSE_S)


def _descendants(marked: tuple[bytes, ...], known: set[int]) -> list[int]:
    """Return the living descendants; adds them to ``known``."""
    alive = [each for each in _processes() if each[0] != os.getpid() and each[3] != "Z"]
    descendants: dict[int, None] = {}
    grown = True
    while grown:
        grown = False
        for process, session, parent, _ in alive:
            if process in descendants:
                continue
            related = not known.isdisjoint((process, session, parent))
            if related or _is_marked(process, marked):
                descendants[process] = None
                known.add(process)
                grown = True
    return list(descendants)


def _processes() -> Iterator[tuple[int, int, int, str]]:
    try:
        names = os.listdir("/proc")  # noqa: PTH208 - only the numbers are needed
    except OSError:  # macOS has no /proc: only the groups are known
        return
    for name in names:
        if not name.isdigit():
            continue
        with contextlib.suppress(OSError, ValueError, IndexError):
            rest = _read(f"/proc/{name}/stat").rpartition(b")")[2].decode().split()
            yield int(name), int(rest[_STAT_SESSION]), int(rest[_STAT_PARENT]), rest[0]


def _is_marked(process: int, marked: tuple[bytes, ...]) -> bool:
    try:
        entries = _read(f"/proc/{process}/environ").split(b"\0")
        return any(entry.startswith(marked) for entry in entries)
    except OSError:
        return False


def _read(file: str) -> bytes:
    with open(file, "rb") as opened:  # noqa: PTH123 - pathlib takes as long to load as Python to start
        return opened.read()


if __name__ == "__main__":
    main()
