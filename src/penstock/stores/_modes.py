"""Files that several users share: what penstock makes is as open as the folder that it is made in."""

import os
import stat
from contextlib import suppress
from pathlib import Path


def share(path: Path) -> None:
    """Let the group (or all) write a file or folder, if its folder lets them.

    A folder that all may write but where each owns what is theirs, such as /tmp, shares nothing
    with all. What belongs to someone else is left as it is.
    """
    if os.name != "posix":
        return
    with suppress(OSError):
        folder, found = path.parent.stat().st_mode, path.stat()
        wanted = _open_to(folder, is_folder=stat.S_ISDIR(found.st_mode))
        if found.st_mode & wanted != wanted and found.st_uid == os.geteuid():
            path.chmod(stat.S_IMODE(found.st_mode) | wanted)


def make_shared(folder: Path) -> None:
    """Make a folder and those above it that are missing; see `share`.

    Raises:
        OSError: If one cannot be made.
    """
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(exist_ok=True)
        share(one)


def _open_to(folder: int, *, is_folder: bool) -> int:
    wanted = 0
    if folder & stat.S_IWGRP:
        wanted |= 0o070 if is_folder else 0o060
    if folder & stat.S_IWOTH and not folder & stat.S_ISVTX:
        wanted |= 0o007 if is_folder else 0o006
    return wanted
