"""A journal's folder on the disk: created with an owner's lock, recovered after the owner's end."""

import logging
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from penstock.core import StoreError, new_id
from penstock.stores._locks import try_lock
from penstock.stores._modes import make_shared, share
from penstock.stores.journals._records import OWNER, POINTS, SERIES

_UNFINISHED, _FINISHED, _DAMAGED = ".new-", ".done-", "damaged-"
_REASON = "damage.txt"
_ABANDONED_S = 3600  # creation takes a millisecond
_log = logging.getLogger("penstock")
_warned: set[Path] = set()
ADVICE = (
    "What can be read of it is in the store. Keep {folder} if you want to look for the rest, or"
    " delete it."
)


def make_folder(home: Path) -> tuple[Path, IO[bytes]]:
    """Create a journal of this process; return the folder, and the file whose lock shows our life.

    Raises:
        StoreError: If the folder cannot be created.
    """
    name = new_id()
    # Under a temporary name until the lock is held: it must not be taken for a dead process's.
    begun = home / (_UNFINISHED + name)
    try:
        make_shared(home)
        begun.mkdir()
        share(begun)
        (begun / SERIES).touch()
        owner = try_lock(begun / OWNER)
        share(begun / OWNER)
        begun.rename(home / name)
    except OSError as error:
        shutil.rmtree(begun, ignore_errors=True)
        raise cannot_write(home, error) from error
    assert owner is not None, "a name of our own is locked by nobody"
    return home / name, owner


@contextmanager
def dead_journals(home: Path) -> Iterator[list[Path]]:
    """Lock the journals whose processes are gone, against concurrent recoveries."""
    held: list[IO[bytes]] = []
    journals: list[Path] = []
    try:
        for folder in _folders(home):
            with suppress(OSError):
                # Without an owner's file no process can prove to be alive.
                owner = try_lock(folder / OWNER, create=_is_journal(folder))
                if owner is not None:
                    held.append(owner)
                    journals.append(folder)
        # A different process may have removed a journal between our look and our lock.
        yield [folder for folder in journals if (folder / OWNER).exists()]
    finally:
        for owner in held:
            owner.close()


def remove_folder(folder: Path) -> bool:
    """Remove a journal whose points are all in the store; the removal is atomic for readers.

    Returns:
        Whether the journal is gone. If not, the store must go on to remember the journal's
        position.
    """
    done = folder.with_name(_FINISHED + folder.name)
    try:
        folder.rename(done)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    shutil.rmtree(done, ignore_errors=True)
    return True


def set_aside(folder: Path, reason: str) -> bool:
    """Rename a damaged journal, so that no later recovery fails.

    Returns:
        Whether the rename succeeded. If not, the store must go on to remember the journal's
        position.
    """
    aside = folder.with_name(_DAMAGED + folder.name)
    try:
        (folder / _REASON).write_text(reason, encoding="utf-8")
        folder.rename(aside)
    except OSError:
        aside = folder
    if aside not in _warned:
        _warned.add(aside)
        _log.warning("%s %s", reason, ADVICE.format(folder=aside))
    return aside is not folder


def damaged_journals(home: Path) -> list[tuple[Path, str]]:
    """List the journals that were set aside, each with the reason."""
    try:
        journals = sorted(Path(entry) for entry in os.scandir(home) if _is_aside(entry.name))
    except OSError:
        return []
    return [(folder, _reason(folder)) for folder in journals]


def _is_aside(name: str) -> bool:
    return name.startswith(_DAMAGED)


def _reason(folder: Path) -> str:
    try:
        return (folder / _REASON).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "It is damaged."


def cannot_write(home: Path, error: OSError) -> StoreError:
    """Return the error for a journal that cannot be written."""
    return StoreError(
        what=f"The metric journal in {home} cannot be written ({error.strerror or error}).",
        why="Logged values wait there until they are in the store.",
        fix="Free some space or give yourself write permission; or set PENSTOCK_JOURNALS to another"
        " folder.",
        path=home,
    )


def _folders(home: Path) -> list[Path]:
    try:
        entries = [Path(entry) for entry in os.scandir(home)]
    except OSError:
        return []
    for entry in entries:
        if _is_left_over(entry):
            shutil.rmtree(entry, ignore_errors=True)
    return sorted(
        entry
        for entry in entries
        if not entry.name.startswith(".") and not _is_aside(entry.name) and entry.is_dir()
    )


def _is_journal(folder: Path) -> bool:
    return (folder / SERIES).exists() or any(folder.glob(f"*{POINTS}"))


def _is_left_over(entry: Path) -> bool:
    """Return whether a process was killed while creating or removing this folder."""
    if entry.name.startswith(_UNFINISHED):
        with suppress(OSError):
            return time.time() - entry.stat().st_mtime > _ABANDONED_S
    return entry.name.startswith(_FINISHED)
