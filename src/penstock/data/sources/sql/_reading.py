"""Reading of a SqlSource: one transaction, one statement, and what is worth telling about them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from penstock.core import MissingPackageError, NotFoundError, did_you_mean, now, require
from penstock.data._finding import Finding
from penstock.data._moments import ends_of, moments_of, time_columns, time_name
from penstock.data.sources._protocol import Reading
from penstock.data.sources._window import Window
from penstock.data.sources.sql._address import SqlAddress
from penstock.data.sources.sql._alchemy import AlchemyDatabase
from penstock.data.sources.sql._columns import Relation, require_distinct
from penstock.data.sources.sql._database import SqlDatabase
from penstock.data.sources.sql._duckdb import DuckDatabase
from penstock.data.sources.sql._postgres import AdbcDatabase
from penstock.data.sources.sql._sqlite import SqliteDatabase
from penstock.data.sources.sql._statement import pushed, query_rows, select_rows, table_rows
from penstock.tables.reading import time_rule

if TYPE_CHECKING:
    import polars as pl

_DATABASES: dict[str, type[SqlDatabase]] = {
    "postgresql": AdbcDatabase,
    "sqlite": SqliteDatabase,
    "duckdb": DuckDatabase,
}


class Request(NamedTuple):
    """What is read: the settings of a source, with names in place."""

    address: SqlAddress
    table: str
    schema: str | None
    query: str
    order_by: tuple[str, ...]
    types: tuple[tuple[str, str], ...]
    times: tuple[str, ...]
    partitions: int

    @property
    def title(self) -> str:
        """The table or query, for people."""
        return f"'{self.table}'" if self.table else "the query"


def open_database(request: Request) -> SqlDatabase:
    """Return the database of a request, not yet connected.

    Raises:
        MissingPackageError: If the driver is not installed.
    """
    kind, purpose = request.address.kind, f"rows from {request.address.kind.title}"
    if kind.module:
        require_driver(kind.module, kind.install, purpose)
    database = _DATABASES.get(request.address.scheme, AlchemyDatabase)(
        request.address, request.types, request.times
    )
    if isinstance(database, AdbcDatabase):
        database.partitions = request.partitions
    return database


def require_driver(module: str, install: str, purpose: str) -> None:
    """Import a driver, or raise the error with the command that installs it.

    Raises:
        MissingPackageError: If the driver is not installed.
    """
    try:
        require(module, extra="sql", purpose=purpose)
    except MissingPackageError as error:
        raise MissingPackageError(
            what=error.what, why=error.why, fix=f'Run: pip install "{install}"', module=module
        ) from error


def find_relation(database: SqlDatabase, request: Request) -> Relation:
    """Return the table or query of a request with its columns.

    Raises:
        NotFoundError: If the table, or a column of ``order_by``, does not exist.
        SchemaError: If a column's type has no counterpart here.
    """
    title = request.title
    with database.explained(title):
        if request.query:
            columns = database.columns(query_rows(request.query), title)
            names, key = [column.name for column in columns], list[str]()
            rows = query_rows(request.query, list(map(database.exact, names)))
        else:
            database.require_table(request.table, request.schema)
            table = database.exact(request.table)
            schema = database.exact(request.schema) if request.schema else None
            columns = database.columns(table_rows(table, schema), title)
            names = [column.name for column in columns]
            rows = table_rows(table, schema, list(map(database.exact, names)))
            key = database.key(request.table, request.schema)
    require_distinct(names, title)
    columns = [replace(column, name=database.exact(column.name)) for column in columns]
    for name in request.order_by:
        if name not in names:
            raise NotFoundError(
                what=f"order_by= names the column {name!r}, which {title} does not have.",
                fix=did_you_mean(name, names),
                column=name,
            )
    return Relation(rows, columns, key, title)


def read_rows(request: Request, window: Window, reading: Reading) -> "Iterator[pl.DataFrame]":
    """Read the rows of a request; facts and findings are complete after the last batch."""
    started, count = now(), _Count(window)
    with open_database(request) as database:
        relation = find_relation(database, request)
        window.require_columns(relation.names)
        with database.explained(relation.title):
            statement = select_rows(relation, window, request.order_by, database.bind)
            relation = database.settle(relation, statement)
            statement = select_rows(relation, window, request.order_by, database.bind)
            text, values = database.render(statement)
            batches = database.batches(statement, relation)
        reading.facts |= {"statement": text, "values": _plain(values), **_times(started)}
        while (batch := _next(database, batches, relation.title)) is not None:
            yield count.keep(batch, reading)
        if window.is_limited and not count.kept and count.read == 0:
            count.ends = _ends(database, relation, window)
        reading.facts |= {**database.facts, "rows": count.kept, "finished_at": now().isoformat()}
    count.finish(reading, relation, request)


def _next(
    database: SqlDatabase, batches: "Iterator[pl.DataFrame]", title: str
) -> "pl.DataFrame | None":
    with database.explained(title):
        return next(batches, None)


def _times(started: datetime) -> dict[str, str]:
    return {"started_at": started.isoformat()}


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.isoformat() if hasattr(value, "isoformat") else value
        for name, value in values.items()
    }


def _ends(database: SqlDatabase, relation: Relation, window: Window) -> Sequence[Any]:
    """Return the earliest and the latest time of all rows, for the error of an empty window."""
    import polars as pl
    import sqlalchemy as sa

    if not isinstance(window.time, str) or not pushed(relation, window.time):
        return (None, None)
    column = relation.rows.c[window.time]
    statement = sa.select(sa.func.min(column), sa.func.max(column)).select_from(relation.rows)
    with database.explained(relation.title):
        values = list(database.first(statement))
    return ends_of(moments_of(pl.DataFrame({window.time: values}), window.time))


class _Count:
    """Rows that were read and kept, batch by batch."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self.read = self.kept = self.unknown = 0
        self.ends: Sequence[Any] = (None, None)

    def keep(self, batch: "pl.DataFrame", reading: Reading) -> "pl.DataFrame":
        """Return the rows of a batch inside the window."""
        name = time_columns(self._window.time)[:1]
        kept, _ = self._window.keep(batch, is_part=True)
        if name:
            self.unknown += batch[name[0]].null_count()
            if name[0] not in reading.rules and kept.height:
                rule = time_rule(batch[name[0]], kept[name[0]], self._window.time_format)
                reading.rules[name[0]] = rule
        self.read += batch.height
        self.kept += kept.height
        return kept

    def finish(self, reading: Reading, relation: Relation, request: Request) -> None:
        """Add findings on what was left out, and on the order of rows.

        Raises:
            DataError: If rows were read, and all lie outside of the window.
        """
        window = self._window
        if window.is_limited and not self.kept:
            raise window.none_left(*self.ends)
        where = time_name(window.time) if window.time else ""
        if self.unknown:
            what = (
                "left out: they cannot be placed in time"
                if window.is_limited
                else ("kept: no since or cutoff was given")
            )
            text = f"{self.unknown:,} rows have no time in '{where}'; they were {what}."
            reading.findings.append(Finding("warn", "no_time", where, text))
        late = [window.available_at] if window.available_at and window.cutoff else []
        for name in [*([where] if window.is_limited else []), *late]:
            if not pushed(relation, name):
                text = (
                    f"The times of '{name}' were compared after reading, for the database cannot"
                    f" do it for certain: {self.read:,} rows were read, {self.kept:,} kept."
                )
                reading.findings.append(Finding("info", "window", name, text))
        if not relation.key:
            order = ", ".join(request.order_by)
            text = (
                f"{relation.title[0].upper()}{relation.title[1:]} has no primary key: its rows are"
                f" in the order of {order + ', then of ' if order else ''}all columns, so that each"
                " reading gives the same. order_by= a column with an index is faster."
            )
            reading.findings.append(Finding("info", "order", "", text))
