"""Digests of files: of bytes, cached by the file's state, and of code without comments.

A file's state is inode, size, time of writing and time of change. Programs cannot set the last, so
equal states mean equal bytes, unless the file was written in the same tick of the clock in which
the state was read; such a state is not trusted.
"""

import ast
import hashlib
import os
import stat
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

_TICK_NS = 50_000_000
_COARSE_TICK_NS = 2_100_000_000  # of file systems that keep whole seconds
_MAX_KNOWN = 100_000
_real_stat = os.stat  # the replacement during a trace must not see our own calls
_known: dict[tuple[str, bool], tuple[tuple[int, ...], str]] = {}

MISSING = "missing"
Stamp = tuple[int, int, int, int]


def stamp_of(path: str) -> Stamp | None:
    """Return a file's inode, size, time of writing and time of change; None if absent."""
    try:
        facts = _real_stat(path)
    except (OSError, ValueError):
        return None
    return (facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)


def kind_of(path: str) -> str:
    """Return the kind of a path: ``file``, ``folder``, ``other`` or ``missing``."""
    try:
        mode = _real_stat(path).st_mode
    except (OSError, ValueError):
        return MISSING
    if stat.S_ISREG(mode):
        return "file"
    return "folder" if stat.S_ISDIR(mode) else "other"


def is_settled(stamp: Sequence[int], at_ns: int) -> bool:
    """Return whether a write after a given time would have changed the file's state."""
    changed = stamp[3]
    tick = _COARSE_TICK_NS if changed % 1_000_000_000 == 0 else _TICK_NS
    return at_ns - changed > tick


def file_digest(path: str, *, as_code: bool = False) -> str:
    """Compute the digest of a file, or return the cached digest while the state is the same.

    Args:
        path: The file.
        as_code: True to ignore text that changes nothing on import: comments, layout.

    Returns:
        The digest; ``missing`` if absent, ``folder`` or ``other`` if not a file.
    """
    stamp = stamp_of(path)
    known = _known.get((path, as_code))
    if known is not None and known[0] == stamp:
        return known[1]
    kind = kind_of(path)
    if kind != "file" or stamp is None:
        return kind
    began = time.time_ns()
    try:
        digest = (_code_digest if as_code else _bytes_digest)(path)
    except OSError as error:
        return f"unreadable: {error.strerror}"
    if is_settled(stamp, began) and stamp_of(path) == stamp:
        if len(_known) >= _MAX_KNOWN:
            _known.clear()
        _known[path, as_code] = (stamp, digest)
    return digest


def _bytes_digest(path: str) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]


def _code_digest(path: str) -> str:
    source = Path(path).read_bytes()
    with suppress(SyntaxError, ValueError, RecursionError):
        source = ast.dump(ast.parse(source)).encode()
    return hashlib.sha256(source).hexdigest()[:32]
