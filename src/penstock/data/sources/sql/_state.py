"""State of a database: the digest of a file, or a cheap mark; None where neither is certain."""

from pathlib import Path
from typing import Any

from penstock.core import digest_file
from penstock.data._moments import TimeColumn
from penstock.data.sources.sql._database import SqlDatabase
from penstock.data.sources.sql._postgres import AdbcDatabase
from penstock.data.sources.sql._reading import Request, open_database
from penstock.data.sources.sql._statement import table_rows

# Changes beside the file that are not in it yet.
_LOGS = {"sqlite": ("", "-wal", "-journal"), "duckdb": ("", ".wal")}
# Counters of one table's changes; its file's number changes when it is emptied or rewritten.
_COUNTERS = (
    "SELECT s.n_tup_ins, s.n_tup_upd, s.n_tup_del, pg_relation_filenode(c.oid), pg_relation_size(c.oid)"
    " FROM pg_class c JOIN pg_stat_all_tables s ON s.relid = c.oid"
    " WHERE c.oid = to_regclass(current_setting('penstock.table')) AND c.relkind = 'r'"
    " AND NOT pg_is_in_recovery() AND current_setting('track_counts') = 'on'"
)
# Whether the time column has an index, whose end is found at once.
_INDEXED = (
    "SELECT count(*) FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid"
    " AND a.attnum = i.indkey[0] WHERE i.indrelid = to_regclass(current_setting('penstock.table'))"
    " AND a.attname = current_setting('penstock.column') AND i.indpred IS NULL"
)
_SNAPSHOT = "SELECT CAST(pg_current_snapshot() AS text)"


def fingerprint_of(request: Request) -> dict[str, Any] | None:
    """Return the digests of a file; None for servers, and for rows that are not all in the file.

    Raises:
        NotFoundError: If the table does not exist.
    """
    if not request.address.kind.is_file or request.query:
        return None
    with open_database(request) as database, database.explained(request.title):
        database.require_table(request.table, request.schema)
        if not database.holds(request.table, request.schema):
            return None
    files = _files(request)
    return {"files": {name: digest_file(file) for name, file in files.items()}}


def stamp_of(request: Request, time: TimeColumn | None) -> dict[str, Any] | None:
    """Return a cheap mark that differs whenever the state does; None where there is none.

    Raises:
        NotFoundError: If the table does not exist.
    """
    if request.address.kind.is_file:
        facts = {name: file.stat() for name, file in _files(request).items()}
        return {name: [fact.st_size, fact.st_mtime_ns] for name, fact in facts.items()}
    if request.address.scheme != "postgresql":
        return None
    with open_database(request) as database, database.explained(request.title):
        if request.table:
            database.require_table(request.table, request.schema)
            counters = database.first(_COUNTERS)
            if counters:
                return {"counters": [*counters], "latest": _latest(database, request, time)}
        # Of a query or view nothing is counted: any writing transaction of the server differs.
        return {"snapshot": database.first(_SNAPSHOT)[0]}


def _latest(database: SqlDatabase, request: Request, time: TimeColumn | None) -> str | None:
    """Return the latest time where that is cheap: counters lag behind by some seconds."""
    import sqlalchemy as sa

    if not isinstance(time, str) or not isinstance(database, AdbcDatabase):
        return None
    database.set_column(time)
    if not database.first(_INDEXED)[0]:
        return None
    schema = database.exact(request.schema) if request.schema else None
    rows = table_rows(database.exact(request.table), schema, [database.exact(time)])
    return str(database.first(sa.select(sa.func.max(rows.c[time])).select_from(rows))[0])


def _files(request: Request) -> dict[str, Path]:
    """Return the database's files by name: what they end with."""
    known = {end: Path(request.address.database + end) for end in _LOGS[request.address.scheme]}
    return {end or "file": path for end, path in known.items() if path.is_file()}
