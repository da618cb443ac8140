"""``backup_store``: a consistent copy, taken while the store is in use."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from penstock.core import ParameterError, StoreError
from penstock.stores._open import open_store
from penstock.stores._store import DATABASE, IDENTITY, PLACE
from penstock.stores.metadata._garbage import Garbage
from penstock.stores.metadata._sqlite import SQLiteDatabase
from penstock.stores.upkeep._check import StoreFault, check_store
from penstock.stores.upkeep._copy import copy_store

if TYPE_CHECKING:
    from penstock.stores._store import Store

_PAGES = 2000


def backup_store(
    folder: Path,
    *,
    progress: Callable[[str, int, int], None] | None = None,
    store: "Store | str | None" = None,
) -> list[StoreFault]:
    """Write a backup into a folder that is a store itself: open in place, or copy back.

    The facts are those of a single moment (SQLite's online backup; a store on a server is copied
    into a SQLite file). The bytes follow: bytes named by a fact exist before the fact. At the end
    the whole backup is checked, every byte.

    Args:
        folder: An empty or new folder.
        progress: Called with the kind of the copied objects, the number done and the total.
        store: The store; may be written meanwhile; by default the project's.

    Returns:
        Findings of `check_store` for the backup: empty if complete.

    Raises:
        ParameterError: If the folder is not empty.
        StoreError: If the backup cannot be written.
    """
    store = open_store(store)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ParameterError(
            what=f"{folder} is not empty.",
            why="A backup must not be mixed with another.",
            fix="Name a new folder, for example with the day in its name.",
            folder=folder,
        )
    store.flush()
    database = store.metadata.database
    # Named when complete: the rest of a killed backup is not taken for a backup.
    begun, whole = folder / "unfinished.db", folder / "penstock.db"
    if isinstance(database, SQLiteDatabase):
        _copy_file(database, begun)
    with _opened(begun) as backup:
        if isinstance(database, SQLiteDatabase):
            _copy_bytes(store, backup, progress)
        else:
            copy_store(store, backup, progress=progress)
    begun.rename(whole)
    for beside in folder.glob(f"{begun.name}*"):
        shutil.rmtree(beside) if beside.is_dir() else beside.unlink()
    with _opened(whole) as backup:
        return check_store(store=backup)


def _opened(path: Path) -> "Store":
    url = f"sqlite:///{quote(str(path.absolute()))}"
    return open_store(url, artifacts=str(path.absolute().with_name("artifacts")))


def _copy_file(database: SQLiteDatabase, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(database.connect()) as source, closing(sqlite3.connect(path)) as target:
            source.backup(target, pages=_PAGES)
            # A journal's position is of use only beside the journal.
            target.execute("DELETE FROM journals")
            # The backup is a separate store, with separate bytes: gc distinguishes stores by this.
            target.execute(
                "DELETE FROM settings WHERE name IN (?, ?, ?)", (IDENTITY, PLACE, DATABASE)
            )
            target.commit()
    except (OSError, sqlite3.Error) as error:
        raise StoreError(
            what=f"The backup {path} cannot be written ({error}).",
            fix="Check the folder's permissions and its free space.",
            path=path,
        ) from error


def _copy_bytes(
    store: "Store", backup: "Store", progress: Callable[[str, int, int], None] | None
) -> None:
    records = Garbage(backup.metadata.database).artifacts()
    digests = sorted({record.digest for record in records if record.inline is None})
    part = Path(backup.artifacts.url).with_name("unfinished")
    for place, digest in enumerate(digests, start=1):
        store.artifacts.fetch(digest, part)
        backup.artifacts.write_file(part)
        part.unlink()
        if progress is not None:
            progress("artifacts", place, len(digests))
