"""Digests of models that a process of this machine has written or read before; apart: a small cache.

Only their names are kept, as empty files in the user's state folder: not in the store, which more
people may write. Where there is no such folder, a process remembers own models.
"""

import os
import time
from contextlib import suppress
from pathlib import Path

_DAY_S = 86400.0
_KEPT_S = 90 * _DAY_S
_MOST = 50_000
_LOOKED_THROUGH = 1000  # after so many that a process wrote
_known: set[str] = set()


def is_known(digest: str) -> bool:
    """Return whether a model of this digest was written or read before on this machine."""
    if digest in _known:
        return True
    folder = _folder()
    if folder is None:
        return False
    try:
        status = (folder / _name(digest)).lstat()
    except OSError:
        return False
    if time.time() - status.st_mtime > _DAY_S:
        with suppress(OSError):
            os.utime(folder / _name(digest))  # still in use
    _known.add(digest)
    return True


def remember(digest: str) -> None:
    """Remember that a model of this digest was written or read here."""
    if digest in _known:
        return
    _known.add(digest)
    folder = _folder()
    if folder is None:
        return
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / _name(digest)).touch(mode=0o600)
        if len(_known) % _LOOKED_THROUGH == 0:
            _forget_old(folder)


def _forget_old(folder: Path) -> None:
    files = sorted((each.stat().st_mtime, each.path) for each in os.scandir(folder))
    limit = time.time() - _KEPT_S
    for place, (changed, path) in enumerate(files):
        if changed < limit or place < len(files) - _MOST:
            with suppress(OSError):
                Path(path).unlink()


def _folder() -> Path | None:
    try:
        state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    except RuntimeError:  # a user without a home
        return None
    return state.absolute() / "penstock" / "models"


def _name(digest: str) -> str:
    return digest.rpartition(":")[2]
