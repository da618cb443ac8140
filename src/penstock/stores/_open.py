"""``open_store``: the only place that reads a store URL."""

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from penstock.core import (
    ParameterError,
    SettingsError,
    StoreError,
    did_you_mean,
    new_id,
    require_type,
    settings,
)
from penstock.stores._store import DATABASE, IDENTITY, PLACE, Store
from penstock.stores.artifacts._local import LocalArtifacts
from penstock.stores.artifacts._protocol import ArtifactStore
from penstock.stores.artifacts._s3 import S3Artifacts
from penstock.stores.journals._home import journals_home, user_path
from penstock.stores.metadata._database import Database
from penstock.stores.metadata._migrations import prepare_postgres, prepare_sqlite
from penstock.stores.metadata._postgres import PostgresUrl
from penstock.stores.metadata._sql import SQLMetadataStore
from penstock.stores.rest._connection import ServerUrl
from penstock.stores.rest._store import SCHEMES, open_rest

_log = logging.getLogger("penstock")
_SQLITE, _S3 = "sqlite:///", "s3://"
_POSTGRES = ("postgresql://", "postgres://")
_SHARED = (
    "%s is a copy of another store, whose bytes are in %s as well: gc removes none of them. If that"
    " store is gone, remove its file from the folder stores there."
)
_opened: dict[tuple[int, str, str], tuple[Store, int | None]] = {}


@dataclass(frozen=True, slots=True)
class _Place:
    """The location of a store's facts, whatever the database.

    Args:
        url: Address to show; without a password.
        open: Opens the database; the argument is whether to create a new database.
        file: The database's file; None for a server.
    """

    url: str
    open: Callable[[bool], Database]
    file: Path | None = None


def open_store(
    url: Store | str | None = None,
    *,
    artifacts: str | None = None,
    create: bool = True,
    project: Path | None = None,
) -> Store:
    """Open the store of the project, or the named store.

    >>> import tempfile
    >>> store = open_store(f"sqlite:///{tempfile.mkdtemp()}/penstock.db")
    >>> store.metadata.models.list()
    []

    Args:
        url: ``sqlite:///path``, ``postgresql://user@host/database``, or ``https://host`` of a
            `penstock server`, with the token from PENSTOCK_TOKEN; by default PENSTOCK_STORE, else the project's setting, else ``.penstock/penstock.db`` in the project folder. An
            open store is returned unchanged, so that functions accept either.
        artifacts: Folder or ``s3://bucket/prefix`` for bytes; by default PENSTOCK_ARTIFACTS, else
            the project's setting, else ``artifacts`` beside the database's file.
        create: Create the store if absent.
        project: Project whose store to open if no URL is passed; by default that of the current
            folder, else of the script that is run.

    Raises:
        StoreError: If the store cannot be opened; the message has a reason and a fix.
        ParameterError: If the value is neither a text nor an open store.
    """
    if isinstance(url, Store):
        return url
    if url is not None:
        require_type("store", url, str, 'Give a URL, "sqlite:///runs.db", or an open store.')
    chosen = settings(url, artifacts, project=project)
    if chosen.store.value.startswith(SCHEMES):
        return _open_rest(chosen.store.value, artifacts)
    place = _facts(chosen.store.value)
    kept_at = _bytes_url(chosen.artifacts.value, place)
    key = (os.getpid(), place.url, kept_at)
    opened = _opened.get(key)
    # A new file at the same path means that the store was replaced while we had it open.
    if opened is not None and opened[1] == _file_id(place) and not opened[0].closed:
        return opened[0].hold()
    keeper = _bytes(kept_at)
    database = place.open(create)
    metadata = SQLMetadataStore(database)
    team = place.file is None
    address = chosen.store.value if team else place.url
    store = Store(
        place.url,
        metadata,
        keeper,
        journals_home(place.url, place.file),
        team=team,
        address=address,
    )
    _bring_in(store)
    _claim(store, place, database)
    # Runs of killed processes must not look alive to the first listing.
    store.metadata.runs.kill_dead()
    _opened[key] = (store, _file_id(place))
    return store


def _open_rest(url: str, artifacts: str | None) -> Store:
    """Open a store over HTTP; the server counts dead runs, and claims the bytes."""
    if artifacts is not None and not artifacts.startswith(SCHEMES):
        raise ParameterError(
            what=f"The store {ServerUrl(url).shown} cannot have its artifacts in {artifacts!r}.",
            why="The server knows where they are, and passes them on.",
            fix="Leave artifacts out.",
        )
    server = ServerUrl(url)
    key = (os.getpid(), server.address, "")
    opened = _opened.get(key)
    if opened is not None and not opened[0].closed:
        return opened[0].hold()
    parts = open_rest(url)
    store = Store(
        parts.url,
        parts.metadata,
        parts.artifacts,
        journals_home(parts.url, None),
        team=not parts.single_user,
        address=parts.address,
        sender=parts.sender,
    )
    _bring_in(store)
    _opened[key] = (store, None)
    return store


def _bring_in(store: Store) -> None:
    """Load the logs of ended processes; an error must not prevent opening the store."""
    try:
        store.flush()
    except StoreError as error:
        _log.warning("Metrics of an earlier process are not in the store yet. %s", error)


def _claim(store: Store, place: _Place, database: Database) -> None:
    """Record the store's ownership beside the bytes: gc removes no bytes that stores share.

    A copy of a database has the original's id, and would take the original's bytes as well: the
    copy gets a new id.
    """
    with suppress(StoreError, OSError):  # nothing is removed where nothing can be written
        metadata, is_here = (
            store.metadata,
            store.metadata.settings.get(PLACE) == store.artifacts.url,
        )
        if _is_copy(store, database):
            old = str(metadata.settings.get(IDENTITY))
            if is_here:
                _log.warning(_SHARED, store.url, store.artifacts.url)
            elif isinstance(store.artifacts, LocalArtifacts) and _is_beside(store, place):
                store.artifacts.disclaim(old)  # the bytes were copied with the database
            metadata.settings.set(IDENTITY, new_id())
        elif is_here:
            if metadata.settings.get(DATABASE) is None:
                metadata.settings.set(DATABASE, database.identity())
            return
        store.artifacts.claim(metadata.settings.add(IDENTITY, new_id()), store.url)
        metadata.settings.set(PLACE, store.artifacts.url)
        metadata.settings.set(DATABASE, database.identity())


def _is_beside(store: Store, place: _Place) -> bool:
    return place.file is not None and store.artifacts.url == str(place.file.parent / "artifacts")


def _is_copy(store: Store, database: Database) -> bool:
    known = store.metadata.settings.get(DATABASE)
    if known is not None:
        return not database.is_same(known)
    own = store.metadata.settings.get(IDENTITY)
    if own is None or store.metadata.settings.get(PLACE) != store.artifacts.url:
        return False
    # Of a time when the database was not recorded: the claim names the store that wrote it.
    return store.artifacts.claims().get(own, store.url) != store.url


def _facts(url: str) -> _Place:
    if url.startswith(_POSTGRES):
        server = PostgresUrl(url)
        return _Place(server.shown, lambda create: prepare_postgres(server, create=create))
    path = _sqlite_path(url)
    return _Place(f"{_SQLITE}{path}", lambda create: prepare_sqlite(path, create=create), path)


def _sqlite_path(url: str) -> Path:
    if "://" not in url:
        return user_path(url)
    if not url.startswith(_SQLITE):
        scheme = url.partition("://")[0]
        raise StoreError(
            what=f"{url.partition('@')[2] or url!r} is no store that this penstock can open.",
            why="The metadata store is SQLite, PostgreSQL or a penstock server.",
            fix=f"{did_you_mean(scheme, ['sqlite', 'postgresql', 'https'])} Write"
            " sqlite:///path/penstock.db, postgresql://user@host/database or https://host",
            scheme=scheme,
        )
    path = unquote(url.removeprefix(_SQLITE))
    if path in {"", ":memory:"}:
        raise StoreError(
            what=f"{url!r} names no file.",
            why="Runs are stored for other processes to read.",
            fix="Write sqlite:///path/penstock.db",
        )
    return user_path(path)


def _file_id(place: _Place) -> int | None:
    try:
        return None if place.file is None else place.file.stat().st_ino
    except OSError:
        return None


def _bytes_url(chosen: str, place: _Place) -> str:
    """Return the location of the bytes: a folder's path, or the URL of a bucket."""
    if not chosen:
        if place.file is None:
            raise SettingsError(
                what=f"The store {place.url} has no place for artifacts.",
                why="PostgreSQL stores the records; models and tables need an artifact store.",
                fix="Set PENSTOCK_ARTIFACTS to s3://bucket/prefix or to a folder that all share.",
            )
        return str(place.file.parent / "artifacts")
    if chosen.startswith(_S3):
        return chosen.rstrip("/")
    if "://" in chosen and not chosen.startswith("file://"):
        raise StoreError(
            what=f"{chosen!r} is no place for artifacts that this penstock can use.",
            why="The artifact store is a folder or an S3 bucket.",
            fix="Set PENSTOCK_ARTIFACTS to a folder or to s3://bucket/prefix.",
        )
    return str(user_path(chosen.removeprefix("file://")))


def _bytes(url: str) -> ArtifactStore:
    return S3Artifacts(url) if url.startswith(_S3) else LocalArtifacts(Path(url))
