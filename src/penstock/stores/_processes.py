"""Which process works on a run, and whether it is still there."""

import os
import socket
import time
from functools import lru_cache
from pathlib import Path

# Start times are read from clocks of different fineness; two starts of one pid are further apart.
_SAME_START_S = 2.0
_PROC = Path("/proc/self/stat")


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
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    # The command in parentheses may hold spaces; state is the first field behind it.
    after = stat.rpartition(")")[2].split()
    if after[0] in {"Z", "X"}:
        return None
    return _boot_time() + float(after[19]) / os.sysconf("SC_CLK_TCK")


@lru_cache(maxsize=1)
def _boot_time() -> float:
    for line in Path("/proc/stat").read_text(encoding="ascii").splitlines():
        if line.startswith("btime "):
            return float(line.split()[1])
    return 0.0
