"""Location of the journals of a machine's processes, also for users without a home folder."""

import logging
import os
import tempfile
from pathlib import Path

from penstock.core import StoreError, digest_bytes

_log = logging.getLogger("penstock")
_told: set[Path] = set()


def journals_home(url: str, file: Path | None) -> Path:
    """Return the folder of a store's journals on this machine.

    PENSTOCK_JOURNALS has precedence; otherwise the folder is beside the store's file; for a store
    on a server the folder is in the user's state folder, and where that cannot be written in a
    folder for temporary files.

    Args:
        url: The store, without a password.
        file: The database's file; None for a server.

    Raises:
        StoreError: If there is no folder that is safe to write.
    """
    chosen = os.environ.get("PENSTOCK_JOURNALS")
    if file is not None and not chosen:
        return file.with_name(f"{file.name}-journals")
    home = user_path(chosen) if chosen else _state_folder()
    # Several stores may share the folder.
    return home / digest_bytes(url.encode())[-16:]


def user_path(text: str) -> Path:
    """Return the path that a text means, ``~`` for the user's home.

    Raises:
        StoreError: If this user has no home.
    """
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError as error:
        raise StoreError(
            what=f"{text!r} is below a home, and this user has none.",
            fix="Write the whole path, or set HOME.",
        ) from error


def _state_folder() -> Path:
    try:
        state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
        home, why = state.absolute() / "penstock" / "journals", "it cannot be written"
    except RuntimeError:
        home, why = Path("~/.local/state/penstock/journals"), "this user has no home"
    else:
        if _can_be_made(home):
            return home
    passing = _passing_folder()
    if passing not in _told:
        _told.add(passing)
        _log.warning(
            "The folder for metric journals is %s, since %s is no place for them (%s). It may be"
            " emptied when the machine starts again; set PENSTOCK_JOURNALS to another folder.",
            passing,
            home,
            why,
        )
    return passing


def _can_be_made(folder: Path) -> bool:
    there = next(one for one in (folder, *folder.parents) if _exists(one))
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a folder above cannot be searched
        return False


def _passing_folder() -> Path:
    """Return a temporary folder of this user's own, created by this user."""
    user = os.geteuid() if hasattr(os, "geteuid") else 0
    folder = Path(tempfile.gettempdir()) / f"penstock-journals-{user}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        owner = folder.lstat().st_uid
        safe = not folder.is_symlink() and (owner == user or os.name != "posix")
    except OSError:
        safe = False
    if safe:
        return folder
    raise StoreError(
        what=f"There is no folder for metric journals: {folder} is another user's or cannot be made.",
        why="Logged values wait there until they are in the store.",
        fix="Set PENSTOCK_JOURNALS to a folder that you can write.",
        path=folder,
    )
