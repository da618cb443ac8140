"""Files shared by several users: penstock's files are as open as the folder around them."""

import os
import stat
from contextlib import suppress
from pathlib import Path


def share(path: Path) -> None:
    """Open a file or folder for writing by the group (or all), if the folder around allows that.

    A folder that all may write but where each user owns their files, such as /tmp, shares nothing
    with all. Files of other users are left unchanged.
    """
    if os.name != "posix":
        return
    with suppress(OSError):
        folder, modes = path.parent.stat().st_mode, path.stat()
        wanted = _open_to(folder, is_folder=stat.S_ISDIR(modes.st_mode))
        if modes.st_mode & wanted != wanted and modes.st_uid == os.geteuid():
            path.chmod(stat.S_IMODE(modes.st_mode) | wanted)


def make_shared(folder: Path) -> None:
    """Create a folder and missing parents; see `share`.

    Raises:
        OSError: If a folder cannot be created.
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
