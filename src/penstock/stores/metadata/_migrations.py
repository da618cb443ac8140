"""Tables of this package's version: up to date, created fresh, or migrated."""
# ruff: noqa: S608 - statements are made of our own names; values are always bound

import re
import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.core import NoStoreError, StoreError
from penstock.stores._locks import file_lock
from penstock.stores._modes import make_shared, share
from penstock.stores.metadata._database import Database
from penstock.stores.metadata._postgres import PostgresDatabase, PostgresUrl, connect
from penstock.stores.metadata._postgres import explain as explain_postgres
from penstock.stores.metadata._sqlite import SQLiteDatabase, explain

if TYPE_CHECKING:
    from sqlalchemy import Connection

# The numbers of the migrations in migrations/versions, oldest first (tested against Alembic).
VERSIONS = (
    "0001",
    "0002",
    "0003",
    "0004",
    "0005",
    "0006",
    "0007",
    "0008",
    "0009",
    "0010",
    "0011",
    "0012",
    "0013",
    "0014",
    "0015",
    "0016",
)
_PENSTOCK = "penstock_version"
_VERSION_TABLE = (
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL,"
    " CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
)
_HERE = Path(__file__).parent
_NEARBY = 3  # folders that are shown
_FRESH = _HERE / "fresh_sqlite.sql"


def _meant(path: Path) -> str:
    """Return the address of a server, if it looks as if one were meant."""
    is_address = re.fullmatch(r"(localhost|[\w-]+(\.[\w-]+)+):\d{2,5}", path.name)
    return f"Did you mean http://{path.name}? " if is_address else ""


def _nearby(path: Path) -> str:
    """Return which folders of a project's folder have a store, if the project has none."""
    project, place = path.parent.parent, Path(path.parent.name, path.name)
    if path.parent.name != ".penstock":
        return ""
    found = sorted(each.name for each in project.glob("*") if (each / place).is_file())[:_NEARBY]
    return f"Folders with a store: {', '.join(found)}. Change to one of them. " if found else ""


def prepare_sqlite(path: Path, *, create: bool) -> SQLiteDatabase:
    """Open a SQLite store with tables of this version.

    Args:
        path: The database file.
        create: Create the file if absent.

    Raises:
        NoStoreError: If the file is absent and not created.
        StoreError: If the file cannot be written, belongs to a foreign program or is newer.
    """
    if not path.exists():
        if not create:
            raise NoStoreError(
                what=f"There is no store at {path}.",
                why="Nothing has been recorded here yet.",
                fix=_meant(path)
                + _nearby(path)
                + "Go to the project's folder, name its store with --store or PENSTOCK_STORE, or run "
                "a pipeline first: penstock run FILE.py",
                url=f"sqlite:///{path}",
            )
        _make_folder(path)
    elif not path.is_file():
        raise StoreError(
            what=f"The store {path} is not a file.",
            fix="Name a file, for example sqlite:///.penstock/penstock.db.",
            path=path,
        )
    if path.exists():
        share(path)  # the files beside it, which SQLite creates, get the same mode
    database = SQLiteDatabase(path)
    try:
        if _version(database) != VERSIONS[-1]:
            _bring_up(database)
    except (sqlite3.Error, OSError) as error:
        raise explain(path, error) from error
    return database


def _make_folder(path: Path) -> None:
    try:
        make_shared(path.parent)
    except OSError as error:
        raise explain(path, error) from error


def _version(database: SQLiteDatabase) -> str | None:
    with closing(database.connect()) as connection:
        try:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return None
            raise
    return None if row is None else str(row[0])


def _bring_up(database: SQLiteDatabase) -> None:
    lock = database.path.with_name(database.path.name + ".lock")
    with file_lock(lock):
        share(lock)
        version = _version(database)  # a different process may have been faster
        if version == VERSIONS[-1]:
            return
        if version is None:
            _create(database)
        elif version in VERSIONS:
            migrate_sqlite(database.path)
        else:
            raise _newer(database, str(database.path), version)
        _remember_version(database)


def _create(database: SQLiteDatabase) -> None:
    with closing(database.connect()) as connection:
        if connection.execute("SELECT name FROM sqlite_master LIMIT 1").fetchone():
            raise StoreError(
                what=f"{database.path} is a SQLite database of another program.",
                why="penstock keeps its tables in a file of its own.",
                fix="Set PENSTOCK_STORE to another file.",
                path=database.path,
            )
        share(database.path)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("BEGIN IMMEDIATE")
        for statement in _fresh_statements():
            connection.execute(statement)
        connection.execute("COMMIT")


def _fresh_statements() -> list[str]:
    # Written from the tables in _schema (a test compares): importing SQLAlchemy takes 0.2 s.
    tables = _FRESH.read_text(encoding="utf-8").strip().removesuffix(";").split(";\n\n")
    return [
        *tables,
        _VERSION_TABLE,
        f"INSERT INTO alembic_version VALUES ('{VERSIONS[-1]}')",
    ]


def migrate_sqlite(path: Path, *, to: str = "head") -> None:
    """Run the missing migrations of a store, in a single transaction."""
    from sqlalchemy import create_engine, event
    from sqlalchemy.pool import NullPool

    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)

    @event.listens_for(engine, "connect")
    def _by_hand(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # sqlite3 would commit before each CREATE TABLE

    @event.listens_for(engine, "begin")
    def _at_once(connection: "Connection") -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    with engine.begin() as connection:
        migrate(connection, to=to)
    engine.dispose()


def migrate(connection: "Connection", *, to: str = "head") -> None:
    """Run the migrations on an open connection of any database."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_HERE / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def prepare_postgres(url: PostgresUrl, *, create: bool) -> PostgresDatabase:
    """Open a store in PostgreSQL with tables of this version.

    The tables are in a separate schema, so that no foreign tables are touched.

    Raises:
        StoreError: If the server cannot be reached, or the store does not exist or is newer.
    """
    database = PostgresDatabase(url)
    try:
        if _postgres_version(database) != VERSIONS[-1]:
            _bring_up_postgres(database, create=create)
    except BaseException:
        database.close()
        raise
    return database


def _postgres_version(database: PostgresDatabase) -> str | None:
    with database.read() as transaction:
        # The catalog lists tables that this role may not read, too.
        there = transaction.execute(
            "SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n"
            " ON n.oid = c.relnamespace WHERE n.nspname = ? AND c.relname = 'alembic_version'",
            (database.url.schema,),
        ).fetchone()
        if there is None:
            return None
        # Fully qualified: without permission on the schema a short name would not exist.
        table = f'"{database.url.schema}".alembic_version'
        row = transaction.execute(f"SELECT version_num FROM {table}").fetchone()
    return None if row is None else str(row[0])


def _bring_up_postgres(database: PostgresDatabase, *, create: bool) -> None:
    with database.write(durable=True) as transaction:
        database.alone(transaction, "migrations")
        version = _postgres_version(database)  # a different process may have been faster
        if version is None and not create:
            raise NoStoreError(
                what=f"There is no store in {database.url.shown}.",
                why="Nothing has been recorded here yet.",
                fix="Go to the project's folder, name its store with --store or PENSTOCK_STORE, or run "
                "a pipeline first: penstock run FILE.py",
                url=database.url.shown,
            )
        if version is not None and version not in VERSIONS:
            raise _newer(database, database.url.shown, version)
        if version != VERSIONS[-1]:
            _migrate_postgres(database.url)
    _remember_version(database)


def _migrate_postgres(url: PostgresUrl) -> None:
    from sqlalchemy import create_engine, exc, text
    from sqlalchemy.pool import NullPool

    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: connect(url, autocommit=False), poolclass=NullPool
    )
    try:
        with engine.begin() as connection:
            there = text("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = :name")
            # A role that may not create schemas may still use a schema of an administrator.
            if connection.execute(there, {"name": url.schema}).first() is None:
                connection.execute(text(f'CREATE SCHEMA "{url.schema}"'))
            migrate(connection)
    except exc.DBAPIError as error:
        raise explain_postgres(url, error.orig or error) from error
    finally:
        engine.dispose()


def _remember_version(database: Database) -> None:
    with database.write() as transaction:
        transaction.execute(
            "INSERT INTO settings (name, value) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (_PENSTOCK, _own_version()),
        )


def _newer(database: Database, place: str, version: str) -> StoreError:
    with database.read() as transaction:
        row = transaction.execute(
            "SELECT value FROM settings WHERE name = ?", (_PENSTOCK,)
        ).fetchone()
    needed = row[0] if row else "a newer version"
    return StoreError(
        what=f"The store {place} has tables of version {version}, made by penstock"
        f" {needed}; this is penstock {_own_version()}, which knows {VERSIONS[-1]}.",
        why="Writing to it could damage it.",
        fix=f'Run: pip install "penstock>={needed}"',
        place=place,
        needed=needed,
    )


@cache
def _own_version() -> str:
    from importlib.metadata import version  # slow: it reads all that the package says of itself

    return version("penstock")
