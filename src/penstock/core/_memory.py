"""Memory that a process may still take: of the machine, of its container, and of its own limit."""

import sys
from pathlib import Path

_PROC, _CGROUP = Path("/proc"), Path("/sys/fs/cgroup")
_STATUS = {"VmSize": "RLIMIT_AS", "VmData": "RLIMIT_DATA"}


def available_memory() -> int | None:
    """Return the bytes that this process may still take; None if that is not known here.

    >>> (available_memory() or 1) > 0
    True
    """
    amounts = [_of_machine(), _of_container(), *_of_limits()]
    return min((amount for amount in amounts if amount is not None), default=None)


def _of_machine() -> int | None:
    return _kilobytes(_PROC / "meminfo", "MemAvailable")


def _of_container() -> int | None:
    """Return what is left below the limit of the container, without the cache of files."""
    try:
        limit = (_CGROUP / "memory.max").read_text().strip()
        used = int((_CGROUP / "memory.current").read_text())
        facts = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return None
    return None if limit == "max" else int(limit) - used + int(facts.get("inactive_file", 0))


def _of_limits() -> list[int | None]:
    if sys.platform == "win32":
        return []
    import resource

    left: list[int | None] = []
    for fact, name in _STATUS.items():
        limit = resource.getrlimit(getattr(resource, name))[0]
        used = _kilobytes(_PROC / "self" / "status", fact)
        if limit != resource.RLIM_INFINITY and used is not None:
            left.append(max(limit - used, 0))
    return left


def _kilobytes(path: Path, name: str) -> int | None:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith(f"{name}:")]
    return int(found[0]) * 1024 if found else None
