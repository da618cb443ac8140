"""``open_store``: the only place that reads a store URL."""

import logging
import os
from pathlib import Path
from urllib.parse import unquote

from penstock.core import StoreError, did_you_mean, digest_bytes, settings
from penstock.stores._store import Store
from penstock.stores.artifacts._local import LocalArtifacts
from penstock.stores.metadata._migrations import prepare_sqlite
from penstock.stores.metadata._sql import SQLMetadataStore

_log = logging.getLogger("penstock")
_SQLITE = "sqlite:///"
_opened: dict[tuple[int, str, str], tuple[Store, int | None]] = {}


def open_store(
    url: str | None = None, *, artifacts: str | None = None, create: bool = True
) -> Store:
    """Open the store of the project, or another one.

    >>> import tempfile
    >>> store = open_store(f"sqlite:///{tempfile.mkdtemp()}/penstock.db")
    >>> store.metadata.list_models()
    []

    Args:
        url: ``sqlite:///path``; by default PENSTOCK_STORE, else the project's setting, else
            ``.penstock/penstock.db`` in the project folder.
        artifacts: Folder for bytes; by default PENSTOCK_ARTIFACTS, else the project's setting,
            else ``artifacts`` beside the database.
        create: Make the store if it does not exist.

    Raises:
        StoreError: If it cannot be opened; the message says why and what to do.
    """
    chosen = settings(url, artifacts)
    path = _sqlite_path(chosen.store.value)
    folder = _artifacts_folder(chosen.artifacts.value, path)
    key = (os.getpid(), str(path), str(folder))
    found = _opened.get(key)
    # Another file at the same path means that someone replaced the store while we had it open.
    if found is not None and found[1] == _file_id(path) and not found[0].closed:
        return found[0].hold()
    database = prepare_sqlite(path, create=create)
    store = Store(
        f"{_SQLITE}{path}",
        SQLMetadataStore(database),
        LocalArtifacts(folder),
        _journals_folder(path),
    )
    _bring_in(store)
    store.metadata.kill_dead_runs()
    _opened[key] = (store, _file_id(path))
    return store


def _bring_in(store: Store) -> None:
    """Take in what processes had logged that are gone; trouble with it must not close the store."""
    try:
        store.flush()
    except StoreError as error:
        _log.warning("Metrics of an earlier process are not in the store yet. %s", error)


def _sqlite_path(url: str) -> Path:
    if "://" not in url:
        return Path(url).expanduser().absolute()
    if not url.startswith(_SQLITE):
        scheme = url.partition("://")[0]
        raise StoreError(
            what=f"{url.partition('@')[2] or url!r} is no store that this penstock can open.",
            why="This version keeps its facts in SQLite.",
            fix=f"{did_you_mean(scheme, ['sqlite'])} Write sqlite:///path/penstock.db",
            scheme=scheme,
        )
    path = unquote(url.removeprefix(_SQLITE))
    if path in {"", ":memory:"}:
        raise StoreError(
            what=f"{url!r} names no file.",
            why="Runs are kept, and other processes read them.",
            fix="Write sqlite:///path/penstock.db",
        )
    return Path(path).expanduser().absolute()


def _journals_folder(database: Path) -> Path:
    """Choose where this machine's processes keep what the store has not taken yet."""
    chosen = os.environ.get("PENSTOCK_JOURNALS")
    if chosen:
        # Several stores may share the folder.
        return Path(chosen).expanduser().absolute() / digest_bytes(str(database).encode())[-16:]
    return database.with_name(f"{database.name}-journals")


def _file_id(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


def _artifacts_folder(place: str, database: Path) -> Path:
    if not place:
        return database.parent / "artifacts"
    if "://" in place and not place.startswith("file://"):
        raise StoreError(
            what=f"{place!r} is no place for artifacts that this penstock can use.",
            why="This version keeps bytes in a folder.",
            fix="Set PENSTOCK_ARTIFACTS to a folder.",
        )
    return Path(place.removeprefix("file://")).expanduser().absolute()
