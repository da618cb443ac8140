"""IcebergSource: rows of an Iceberg table in one snapshot, recorded and read again later."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from penstock.core import NotFoundError, ParameterError, require_number
from penstock.data._moments import Moment, TimeColumn
from penstock.data.sources._arguments import (
    require_address,
    require_facts,
    require_mapping,
    require_texts,
    settle_time,
)
from penstock.data.sources._protocol import Reading, Scan
from penstock.data.sources._references import require_no_secrets
from penstock.data.sources._window import Window
from penstock.data.sources.lakes._iceberg_files import IcebergPart
from penstock.data.sources.lakes._iceberg_table import open_table, require_snapshot

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class IcebergSource:
    """Rows of an Iceberg table, in one snapshot.

    The snapshot is fixed when the reading begins and stands in the run's record; ``pinned`` reads
    the same snapshot again. Files and row groups outside of the window are not read.

    >>> source = IcebergSource("shop.rides", catalog="lake", time="started_at")
    >>> source.name
    'rides'

    Args:
        table: ``namespace.table`` in a catalogue; or the path or URL of a table's metadata file.
        catalog: Name of the catalogue, as in PyIceberg's own settings.
        snapshot_id: Snapshot to read; by default the current one.
        name: Name in lineage; by default that of the table.
        time: Column with the time of a row, or a date column and an hour column.
        time_format: Format of that column in strftime codes, where the column is text.
        available_at: Column with the time at which a row became known, if that was later.
        options: Properties of the catalogue and the file system, over PyIceberg's settings;
            secrets as ``"${NAME}"``.
    """

    table: str
    catalog: str | None = field(default=None, kw_only=True)
    snapshot_id: int | None = field(default=None, kw_only=True)
    name: str = field(default="", kw_only=True)
    time: TimeColumn | None = field(default=None, kw_only=True)
    time_format: str | None = field(default=None, kw_only=True)
    available_at: str | None = field(default=None, kw_only=True)
    options: Mapping[str, str] = field(default_factory=dict, kw_only=True, hash=False)
    _uuid: str | None = field(default=None, init=False, repr=False)  # of a pinned table
    _schema: int | None = field(default=None, init=False, repr=False)  # the columns it had then
    _after: int | None = field(default=None, init=False, repr=False)  # rows added since then

    def __post_init__(self) -> None:
        table = require_address(
            "IcebergSource", "table", self.table, 'IcebergSource("sales.rides", catalog="shop")'
        )
        options = require_mapping("IcebergSource", "options", self.options, '{"uri": "…"}')
        require_no_secrets("IcebergSource", table, options)
        for value in options.values():
            if "://" in str(value):
                require_no_secrets("IcebergSource", str(value))
        require_texts(
            "IcebergSource",
            catalog=self.catalog,
            name=self.name,
            time_format=self.time_format,
            available_at=self.available_at,
        )
        if self.snapshot_id is not None:
            require_number("snapshot_id", self.snapshot_id, whole=True)
        if "/" not in table and not table.rpartition(".")[0]:
            raise ParameterError(
                what=f"The table {table!r} of IcebergSource names no namespace.",
                why="A catalogue holds tables in namespaces.",
                fix='Write IcebergSource("namespace.table", catalog="…").',
            )
        object.__setattr__(self, "name", self.name or _name_of(table))
        object.__setattr__(self, "time", settle_time("IcebergSource", self.time))
        object.__setattr__(self, "options", options)

    @property
    def cut_by_ingest(self) -> bool:
        """Whether ingest removes rows outside: files are left out here, single rows there."""
        return True

    def describe(self) -> dict[str, Any]:
        """Return the source's description as plain JSON, without the table's state."""
        return {
            "type": "IcebergSource",
            "name": self.name,
            "table": self.table,
            "catalog": self.catalog,
            "snapshot_id": self.snapshot_id,
            "after": self._after,
            "time": list(self.time) if isinstance(self.time, tuple) else self.time,
            "time_format": self.time_format,
            "available_at": self.available_at,
            "options": dict(self.options),
        }

    def fingerprint(
        self,
        since: Moment | None = None,  # noqa: ARG002 - a state is that of the whole table
        cutoff: Moment | None = None,  # noqa: ARG002
    ) -> dict[str, Any]:
        """Return the id of the table and the snapshot that would be read.

        Raises:
            NotFoundError: If there is no such table or snapshot.
            DataError: If the table cannot be opened.
        """
        return {**self.describe(), "state": self.stamp()}

    def stamp(self) -> dict[str, Any]:
        """Return the id of the table, its snapshot and its schema; see ``fingerprint`` for the errors."""
        return self._state(self._open())

    def pinned(self, facts: Mapping[str, Any]) -> Self:
        """Return a copy that reads the snapshot of an earlier reading.

        Raises:
            NotFoundError: If another table lies there now, or the snapshot was expired; some of it
                only while reading.
        """
        copied = copy.copy(self)
        facts = require_facts(self.name, facts, "table", "snapshot", "schema")
        object.__setattr__(copied, "snapshot_id", facts["snapshot"])
        object.__setattr__(copied, "_uuid", facts["table"])
        object.__setattr__(copied, "_schema", facts["schema"])
        object.__setattr__(copied, "_after", facts.get("after"))
        copied._state(copied._open())  # noqa: SLF001 - its own class
        return copied

    def changes(self, from_snapshot: int, to_snapshot: int | None = None) -> Self:
        """Return a source of the rows that were added after one snapshot, up to another.

        Changed or deleted rows in between are an error: which they were is not known.

        Args:
            from_snapshot: The snapshot that was read before.
            to_snapshot: The last snapshot, included; by default the current one.
        """
        copied = copy.copy(self)
        object.__setattr__(copied, "_after", from_snapshot)
        wanted = self.snapshot_id if to_snapshot is None else to_snapshot
        object.__setattr__(copied, "snapshot_id", wanted)
        return copied

    def scan(self, since: Moment | None = None, cutoff: Moment | None = None) -> Scan:
        """Read the snapshot's files that can have rows of the window, in a fixed order.

        Raises:
            NotFoundError: If there is no such table or snapshot, or its files were removed.
            DataError: If the table cannot be opened, or has deletes that cannot be read.
        """
        window = Window.of(self, since, cutoff)
        table = self._open()
        reading = Reading()
        reading.facts |= self._state(table)
        if self._after is not None:
            reading.facts["after"] = self._after
        return Scan(self._batches(table, window, reading), reading)

    def _batches(self, table: Any, window: Window, reading: Reading) -> "Iterator[pl.DataFrame]":
        snapshot = reading.facts["snapshot"]
        if snapshot is None:  # a table to which nothing was written yet
            return
        part = IcebergPart(table, self.table, reading.facts["schema"], window, self.options)
        every = self._after is None
        tasks = part.tasks(snapshot) if every else part.added_tasks(self._after or 0, snapshot)
        reading.facts["files"] = len(tasks)
        for task in tasks:
            yield part.read(task, snapshot)

    def _state(self, table: Any) -> dict[str, Any]:
        """Return what is read: the table, its snapshot, and the columns' schema by number."""
        wanted = self.snapshot_id
        if wanted is None:
            current = table.current_snapshot()
            snapshot = None if current is None else int(current.snapshot_id)
            schema = table.schema().schema_id
        else:
            snapshot = require_snapshot(table, wanted, self.table)
            known = table.metadata.snapshot_by_id(snapshot).schema_id
            schema = table.schema().schema_id if known is None else known
        if self._schema is not None:
            schema = self._schema
        return {"table": str(table.metadata.table_uuid), "snapshot": snapshot, "schema": schema}

    def _open(self) -> Any:
        table = open_table(self.table, self.catalog, self.options)
        found = str(table.metadata.table_uuid)
        if self._uuid is not None and found != self._uuid:
            raise NotFoundError(
                what=f"The Iceberg table that was read from {self.table} is gone: another one is there.",
                why=f"Its id was {self._uuid}; that of the table there is {found}.",
                fix="Read it anew, without pinned().",
            )
        return table


def _name_of(table: str) -> str:
    if "/" not in table:
        return table.rpartition(".")[2]
    parts = [part for part in table.rpartition("://")[2].split("/") if part]
    # …/rides/metadata/00002-….metadata.json
    inside = parts[: parts.index("metadata")] if "metadata" in parts else parts
    return inside[-1] if inside else "table"
