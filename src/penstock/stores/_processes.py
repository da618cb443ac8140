"""Which process works on a run, and whether it is still there."""

import os
import socket
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

# Start times are read from clocks of different fineness; two starts of one pid are further apart.
_SAME_START_S = 2.0
_PROC = Path("/proc/self/stat")
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_SPACE = Path("/proc/self/ns/pid")
_SILENCE_S = 60.0


@lru_cache(maxsize=1)
def host_name() -> str:
    """Name this machine."""
    return socket.gethostname()


def process_start(pid: int) -> float | None:
    """Tell when a process on this machine began, in seconds since 1970; None if it is gone."""
    if _PROC.exists():
        return _start_from_proc(pid)
    import psutil  # only where there is no /proc: importing it takes 18 ms

    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return None


def is_alive(pid: int, started: float) -> bool:
    """Say whether the process with this id and start time still runs on this machine."""
    if pid <= 0:
        return False
    found = process_start(pid)
    return found is not None and (started <= 0 or abs(found - started) < _SAME_START_S)


def this_process() -> tuple[str, int, float]:
    """Name this process: host, process id, start time in seconds since 1970."""
    pid = os.getpid()
    return host_name(), pid, process_start(pid) or time.time()


def _start_from_proc(pid: int) -> float | None:
    ticks = _start_ticks(pid)
    return None if ticks is None else _boot_time() + ticks / os.sysconf("SC_CLK_TCK")


@lru_cache(maxsize=1)
def _boot_time() -> float:
    for line in Path("/proc/stat").read_text(encoding="ascii").splitlines():
        if line.startswith("btime "):
            return float(line.split()[1])
    return 0.0


@dataclass(frozen=True, slots=True)
class Trace:
    """Where a process is and when it was seen, by clocks that nobody can set.

    Args:
        boot: Id of the running system; a restart gives another one.
        space: Number of its namespace of process ids; containers have their own.
        start: When it began, in ticks since the system did.
        beat: When it was seen last, in seconds since the system began.
    """

    boot: str
    space: int
    start: int
    beat: float

    def __str__(self) -> str:
        return f"{self.boot} {self.space} {self.start} {self.beat:.1f}"


def trace_here() -> str:
    """Describe this process as of now; empty where the system does not tell."""
    place = _place(os.getpid())
    return "" if place is None else str(Trace(*place, time.monotonic()))


def read_trace(text: str) -> Trace | None:
    """Read what `trace_here` wrote; None if it is empty."""
    words = text.split()
    if len(words) != 4:  # noqa: PLR2004 - its fields
        return None
    return Trace(words[0], int(words[1]), int(words[2]), float(words[3]))


def is_ours(host: str, pid: int, pid_started: float) -> bool:
    """Say whether a record names this process."""
    here, own, started = this_process()
    return pid == own and host == here and abs(started - pid_started) < _SAME_START_S


def is_gone(host: str, pid: int, pid_started: float, trace: str) -> bool | None:
    """Say whether a process has ended; None if that cannot be seen from here.

    Args:
        host: The machine that it was started on.
        pid: Its id there.
        pid_started: When it began, seconds since 1970.
        trace: What it wrote of itself; see `trace_here`.
    """
    seen, own = read_trace(trace), _place(os.getpid())
    if seen is None or own is None:
        return not is_alive(pid, pid_started) if host == host_name() else None
    boot, space, _ = own
    if seen.boot != boot:
        return None  # another machine; or this one before it was started again
    if seen.space != space:
        return time.monotonic() - seen.beat > _SILENCE_S
    start = _start_ticks(pid)
    if start is None and _exists(pid):
        return time.monotonic() - seen.beat > _SILENCE_S  # hidden from us
    return start != seen.start


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True  # another user's
    except OSError:
        return False
    return _is_hidden(pid)


def _is_hidden(pid: int) -> bool:
    """Say whether /proc shows nothing of a process; one that waits to be buried it does show."""
    return not Path(f"/proc/{pid}/stat").exists()


@lru_cache(maxsize=4)
def _place(pid: int) -> tuple[str, int, int] | None:
    try:
        boot = _BOOT.read_text(encoding="ascii").strip()
        space = _SPACE.stat().st_ino
    except OSError:
        return None
    start = _start_ticks(pid)
    return None if start is None else (boot, space, start)


def _start_ticks(pid: int) -> int | None:
    """Read when a process began, in ticks since the system did; None if it has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    # The command in parentheses may hold spaces; state is the first field behind it.
    after = stat.rpartition(")")[2].split()
    return None if after[0] in {"Z", "X"} else int(after[19])
