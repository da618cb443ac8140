"""SqlSource: rows of a table or query in a database, inside the window and in a fixed order."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

from penstock.core import ParameterError, did_you_mean, digest_bytes, require_number
from penstock.data._moments import Moment, TimeColumn, time_columns
from penstock.data.sources._arguments import (
    require_address,
    require_mapping,
    require_names,
    require_texts,
    settle_time,
)
from penstock.data.sources._batches import collect
from penstock.data.sources._paths import LocalFiles, caller_folder
from penstock.data.sources._protocol import Reading, Scan
from penstock.data.sources._window import Window
from penstock.data.sources.sql._address import SqlAddress
from penstock.data.sources.sql._query import require_query
from penstock.data.sources.sql._reading import Request, read_rows
from penstock.data.sources.sql._sqlite_types import TYPES
from penstock.data.sources.sql._state import fingerprint_of, stamp_of

if TYPE_CHECKING:
    import polars as pl

_PARTITIONS = 2
_OPTIONS = ("table", "query", "schema", "name", "time", "time_format", "available_at", "order_by")


@dataclass(frozen=True)
class SqlSource:
    """Rows of a table or of a query in a database.

    >>> source = SqlSource("postgresql://ada:${PG_PASSWORD}@db/shop", table="rides", time="at")
    >>> source.name, source.describe()["url"]
    ('rides', 'postgresql://ada:${PG_PASSWORD}@db/shop')

    Reads in a transaction that cannot write and sees one state of the database, in batches. The
    window becomes bound values of the statement. Rows have the order of the primary key, or of
    ``order_by``; without either, of all columns.

    Args:
        url: ``postgresql``, ``sqlite``, ``duckdb``, ``mysql``, ``mariadb``, ``mssql``,
            ``snowflake`` or ``bigquery``, as ``scheme://user@host/database`` or
            ``scheme:///file``. A password is a reference, ``${NAME}``, to a variable, or stays in
            the client's own files. A relative file is looked up like that of ``FileSource``.
        table: Table or view; ``schema.table`` where it lies in a schema.
        query: One SELECT, in the place of a table.
        name: Name in lineage; by default that of the table.
        time: Column with the time of a row, or a date column and an hour column.
        time_format: Format of that column in strftime codes, if a text that is not ISO.
        available_at: Column with the time at which a row became known, if that was later.
        order_by: Columns that order the rows, before the primary key.
        schema: Schema of the table.
        types: Types of SQLite's columns by name, for those without one of their own: ``text``,
            ``integer``, ``number``, ``boolean``, ``date`` or ``datetime``.
        partitions: Number of ranges of the primary key that are read at a time, in one snapshot;
            PostgreSQL only.
    """

    url: str
    table: str = field(default="", kw_only=True)
    query: str = field(default="", kw_only=True)
    name: str = field(default="", kw_only=True)
    time: TimeColumn | None = field(default=None, kw_only=True)
    time_format: str | None = field(default=None, kw_only=True)
    available_at: str | None = field(default=None, kw_only=True)
    order_by: str | Sequence[str] = field(default=(), kw_only=True)
    schema: str | None = field(default=None, kw_only=True)
    types: Mapping[str, str] = field(default_factory=dict, kw_only=True, hash=False)
    partitions: int = field(default=_PARTITIONS, kw_only=True)
    _home: Path | None = field(default=None, init=False, repr=False, compare=False)
    _address: SqlAddress = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        url = require_address(
            "SqlSource", "url", self.url, 'SqlSource("postgresql://host/shop", table="rides")'
        )
        address = SqlAddress.of(url)
        order = (self.order_by,) if isinstance(self.order_by, str) else self.order_by
        order = require_names("SqlSource", "order_by", order, '["at", "id"]')
        _require_settings(self)
        table, schema = self.table, self.schema
        if schema is None and table.count(".") == 1:
            schema, table = table.split(".")
        query = require_query(self.query, address.scheme) if self.query else ""
        settle = {
            "url": address.url,
            "table": table,
            "schema": schema,
            "query": query,
            "name": self.name
            or re.sub(r"[/@]+|^-+", "-", table).lstrip("-")
            or _name_of(address, query),
            "time": settle_time("SqlSource", self.time),
            "order_by": order,
            "types": dict(self.types),
            "_home": caller_folder(),
            "_address": address,
        }
        for key, value in settle.items():
            object.__setattr__(self, key, value)

    @classmethod
    def from_url(cls, text: str, folder: Path | None = None) -> Self:
        """Create a source from one text: the URL, with the settings among its options.

        >>> SqlSource.from_url("sqlite:///shop.db?table=orders&time=ordered_at").time
        'ordered_at'

        Args:
            text: The URL.
            folder: The folder that a relative file is looked up in first.

        Raises:
            ParameterError: If the text names no table and no query.
        """
        parts = urlsplit(text)
        options = dict(parse_qsl(parts.query))
        own = {name: options.pop(name) for name in _OPTIONS if name in options}
        own["order_by"] = tuple(filter(None, own.get("order_by", "").split(",")))  # type: ignore[assignment] # a list in one text
        query = urlencode(options, safe="${}/")
        plain = text.partition("?")[0] + (f"?{query}" if query else "")
        source = cls(plain, **own)  # type: ignore[arg-type] # the same
        object.__setattr__(source, "_home", folder or source._home)
        return source

    def describe(self) -> dict[str, Any]:
        """Return the source's description as plain JSON, with references in the place of secrets."""
        given = {
            "available_at": self.available_at,
            "time_format": self.time_format,
            "schema": self.schema,
            "query": self.query,
            "table": self.table,
            "order_by": list(self.order_by),
            "types": dict(self.types),
        }
        return {
            "type": "SqlSource",
            "name": self.name,
            "url": self.url,
            "time": list(self.time) if isinstance(self.time, tuple) else self.time,
            **{name: value for name, value in given.items() if value},
        }

    def fingerprint(
        self,
        since: Moment | None = None,  # noqa: ARG002 - a file's digest is that of every window
        cutoff: Moment | None = None,  # noqa: ARG002
    ) -> dict[str, Any] | None:
        """Return the digests of a SQLite or DuckDB file; None where the state cannot be known.

        None too for a query or view, which may ask for the time of day or for other files.

        Raises:
            NotFoundError: If the file does not exist.
        """
        state = fingerprint_of(self._request())
        return None if state is None else {**self.describe(), **state}

    def stamp(self) -> dict[str, Any] | None:
        """Return a cheap mark of the state: times of a file, or PostgreSQL's counters.

        None where the database has no such mark.

        Raises:
            NotFoundError: If the file or table does not exist.
        """
        return stamp_of(self._request(), self.time)

    def read(self, since: Moment | None = None, cutoff: Moment | None = None) -> "pl.DataFrame":
        """Read the rows with ``since <= time < cutoff``.

        Raises:
            NotFoundError: If the table or a column does not exist.
            DataError: If the database cannot be read, or no row is left.
        """
        return collect(self.scan(since, cutoff), self.name)

    def scan(self, since: Moment | None = None, cutoff: Moment | None = None) -> Scan:
        """Read like ``read``, in batches, with the statement and the state that it saw."""
        reading = Reading()
        return Scan(read_rows(self._request(), Window.of(self, since, cutoff), reading), reading)

    def _request(self) -> Request:
        address = self._address
        if address.kind.is_file:
            file = LocalFiles(address.database, self._home).find()[0]
            address = replace(address, database=file.key)
        return Request(
            address,
            self.table,
            self.schema,
            self.query,
            tuple(self.order_by),
            tuple(self.types.items()),
            () if self.time_format else tuple(self._times()),
            self.partitions,
        )

    def _times(self) -> list[str]:
        known = [self.available_at] if self.available_at else []
        return [*time_columns(self.time)[:1], *known]


def _name_of(address: SqlAddress, query: str) -> str:
    """Return a name for a query: different queries must not share the record of a schema."""
    base = Path(address.database).stem or address.scheme
    return f"{base}-{digest_bytes(query.encode()).removeprefix('sha256:')[:8]}"


def _require_settings(source: SqlSource) -> None:
    require_texts(
        "SqlSource",
        table=source.table,
        query=source.query,
        name=source.name,
        schema=source.schema,
        time_format=source.time_format,
        available_at=source.available_at,
    )
    require_mapping("SqlSource", "types", source.types, '{"amount": "number"}')
    require_number("partitions", source.partitions, low=1, whole=True)
    if bool(source.table) == bool(source.query):
        given = "both table= and query=" if source.table else "neither table= nor query="
        raise ParameterError(
            what=f"SqlSource was given {given}.",
            why="It reads the rows of one of them.",
            fix='Write table="rides", or query="SELECT … FROM rides".',
        )
    for column, declared in source.types.items():
        if declared not in TYPES:
            raise ParameterError(
                what=f"types= says that {column!r} is {declared!r}, which is no type.",
                fix=did_you_mean(str(declared), TYPES),
                column=column,
            )
