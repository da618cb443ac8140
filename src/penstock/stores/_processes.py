"""The process that works on a run, and whether the process is alive."""

import os
import socket
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from penstock.core import StepClaim, new_id

# Start times are read from clocks of different fineness; two starts of one pid are further apart.
_SAME_START_S = 2.0
_PROC = Path("/proc/self/stat")
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_SPACE = Path("/proc/self/ns/pid")
_SILENCE_S = 60.0


@lru_cache(maxsize=1)
def host_name() -> str:
    """Return the name of this machine."""
    return socket.gethostname()


def process_start(pid: int) -> float | None:
    """Return the start of a process on this machine, in seconds since 1970; None if gone."""
    if _PROC.exists():
        return _start_from_proc(pid)
    import psutil  # only where there is no /proc: importing it takes 18 ms

    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return None


def is_alive(pid: int, started: float) -> bool:
    """Return whether the process with this id and start time still runs on this machine."""
    if pid <= 0:
        return False
    start = process_start(pid)
    return start is not None and (started <= 0 or abs(start - started) < _SAME_START_S)


def this_process() -> tuple[str, int, float]:
    """Return host, process id and start time (seconds since 1970) of this process."""
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
class ProcessSign:
    """Position of a process and time of the last sign of life, by clocks that cannot be set.

    Args:
        boot: Id of the running system; changes with a restart.
        space: Number of the namespace of process ids; containers have their own.
        start: Start of the process, in ticks since the system started.
        beat: Last sign of life, in seconds since the system started.
    """

    boot: str
    space: int
    start: int
    beat: float

    def __str__(self) -> str:
        return f"{self.boot} {self.space} {self.start} {self.beat:.1f}"


def trace_here() -> str:
    """Return the trace of this process as of now; empty where the system has no such facts."""
    place = _place(os.getpid())
    return "" if place is None else str(ProcessSign(*place, time.monotonic()))


def read_trace(text: str) -> ProcessSign | None:
    """Read a trace that `trace_here` wrote; None if empty."""
    words = text.split()
    if len(words) != 4:  # noqa: PLR2004 - its fields
        return None
    return ProcessSign(words[0], int(words[1]), int(words[2]), float(words[3]))


def is_ours(host: str, pid: int, pid_started: float) -> bool:
    """Return whether a record names this process."""
    here, own, started = this_process()
    return pid == own and host == here and abs(started - pid_started) < _SAME_START_S


def is_gone(host: str, pid: int, pid_started: float, trace: str) -> bool | None:
    """Return whether a process has ended; None if unknown from here.

    Args:
        host: The machine of the process.
        pid: Process id there.
        pid_started: Start of the process, seconds since 1970.
        trace: The process's own trace; see `trace_here`.
    """
    seen, own = read_trace(trace), _place(os.getpid())
    if seen is None or own is None:
        return not is_alive(pid, pid_started) if host == host_name() else None
    boot, space, _ = own
    if seen.boot != boot:
        return None  # another machine; or this machine before a restart
    if seen.space != space:
        return time.monotonic() - seen.beat > _SILENCE_S
    start = _start_ticks(pid)
    if start is None and _exists(pid):
        return time.monotonic() - seen.beat > _SILENCE_S  # hidden from us
    return start != seen.start


def has_ended_here(host: str, pid: int, pid_started: float, trace: str) -> bool:
    """Return whether a process that can be seen from here has ended; silence proves nothing.

    Takes the arguments of `is_gone`.
    """
    seen, own = read_trace(trace), _place(os.getpid())
    if seen is None or own is None:
        return host == host_name() and not is_alive(pid, pid_started)
    if (seen.boot, seen.space) != own[:2]:
        return False
    start = _start_ticks(pid)
    return start != seen.start and not (start is None and _exists(pid))


def claim_here(run_id: str, step: str, attempt: int) -> StepClaim:
    """Return a new claim of this process on a step; see StepStore.claim_step."""
    host, pid, started = this_process()
    return StepClaim(new_id(), run_id, step, attempt, host, pid, started, trace_here())


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True  # another user's
    except OSError:
        return False
    return _is_hidden(pid)


def _is_hidden(pid: int) -> bool:
    """Return whether /proc hides a process; a zombie is still listed there."""
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
    """Read the start of a process, in ticks since the system started; None if ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    # The command in parentheses may hold spaces; state is the first field behind it.
    after = stat.rpartition(")")[2].split()
    return None if after[0] in {"Z", "X"} else int(after[19])
