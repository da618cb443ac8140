"""DeltaSource: rows of a Delta table in one version, which is recorded and can be read again."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
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
from penstock.data.sources._paths import caller_folder, name_from
from penstock.data.sources._protocol import Reading, Scan
from penstock.data.sources._references import require_no_secrets
from penstock.data.sources._window import Window
from penstock.data.sources.lakes._delta_changes import read_changes
from penstock.data.sources.lakes._delta_files import files_in, read_file, state_of
from penstock.data.sources.lakes._delta_table import open_table, table_uri

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class DeltaSource:
    """Rows of a Delta table, in one version.

    The version is fixed when the reading begins and stands in the run's record; ``pinned`` reads
    the same version again. Files and row groups outside of the window are not read.

    >>> source = DeltaSource("lake/rides", time="started_at")
    >>> source.name, source.version
    ('rides', None)

    Args:
        path: Folder of the table, or its URL: ``s3://``, ``gs://``, ``az://``. A relative path is
            looked up as by ``FileSource``.
        version: Version to read; by default the newest.
        name: Name in lineage; by default from the path.
        time: Column with the time of a row, or a date column and an hour column.
        time_format: Format of that column in strftime codes, where the column is text.
        available_at: Column with the time at which a row became known, if that was later.
        options: Options of the object store; secrets as ``"${NAME}"``.
    """

    path: str | Path
    version: int | None = field(default=None, kw_only=True)
    name: str = field(default="", kw_only=True)
    time: TimeColumn | None = field(default=None, kw_only=True)
    time_format: str | None = field(default=None, kw_only=True)
    available_at: str | None = field(default=None, kw_only=True)
    options: Mapping[str, str] = field(default_factory=dict, kw_only=True, hash=False)
    _home: Path | None = field(default=None, init=False, repr=False, compare=False)
    _table: str | None = field(default=None, init=False, repr=False)  # the id of a pinned table
    _state: str | None = field(default=None, init=False, repr=False)  # that of its files
    _after: int | None = field(default=None, init=False, repr=False)  # changes since that version

    def __post_init__(self) -> None:
        text = require_address(
            "DeltaSource", "path", self.path, 'DeltaSource("lake/rides")', paths=True
        )
        text = text if "://" in text else Path(text).as_posix()
        options = require_mapping("DeltaSource", "options", self.options, '{"aws_region": "…"}')
        require_no_secrets("DeltaSource", text, options)
        require_texts(
            "DeltaSource",
            name=self.name,
            time_format=self.time_format,
            available_at=self.available_at,
        )
        if self.version is not None:
            require_number("version", self.version, low=0, whole=True)
        settle = {
            "path": text,
            "name": self.name or name_from(text.rpartition("://")[2]),
            "time": settle_time("DeltaSource", self.time),
            "options": options,
            "_home": caller_folder(),
        }
        for key, value in settle.items():
            object.__setattr__(self, key, value)

    @property
    def cut_by_ingest(self) -> bool:
        """Whether ingest removes rows outside: files are left out here, single rows there."""
        return True

    def describe(self) -> dict[str, Any]:
        """Return the source's description as plain JSON, without the table's state."""
        return {
            "type": "DeltaSource",
            "name": self.name,
            "path": str(self.path),
            "version": self.version,
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
        """Return the id of the table and the version that would be read.

        Raises:
            NotFoundError: If there is no such table or version.
            DataError: If the table cannot be opened.
        """
        return {**self.describe(), "state": self.stamp()}

    def stamp(self) -> dict[str, Any]:
        """Return the id of the table, its version and that one's files; see ``fingerprint``."""
        return _state(self._open())

    def pinned(self, facts: Mapping[str, Any]) -> Self:
        """Return a copy that reads the version of an earlier reading.

        Raises:
            NotFoundError: If another table lies there now, or the version is gone; some of it only
                while reading.
        """
        copied, facts = copy.copy(self), require_facts(self.name, facts, "table", "version")
        object.__setattr__(copied, "version", facts["version"])
        object.__setattr__(copied, "_table", facts["table"])
        object.__setattr__(copied, "_after", facts.get("after"))
        object.__setattr__(copied, "_state", facts.get("state"))
        copied._open()  # noqa: SLF001 - its own class
        return copied

    def changes(self, from_version: int, to_version: int | None = None) -> Self:
        """Return a source of what changed after one version, up to another.

        With the table's change data feed these are its rows, with the columns ``_change_type``,
        ``_commit_version`` and ``_commit_timestamp``; without, the rows that were added, and
        changed or deleted rows are an error.

        Args:
            from_version: The version that was read before.
            to_version: The last version, included; by default the newest.

        Raises:
            ParameterError: If the versions are in the wrong order.
        """
        require_number("from_version", from_version, low=0, whole=True)
        if to_version is not None:
            require_number("to_version", to_version, low=0, whole=True)
        if to_version is not None and to_version < from_version:
            raise ParameterError(
                what=f"changes({from_version}, {to_version}) has no versions.",
                fix="Give the older version first.",
            )
        copied = copy.copy(self)
        object.__setattr__(copied, "_after", from_version)
        object.__setattr__(copied, "version", self.version if to_version is None else to_version)
        return copied

    def scan(self, since: Moment | None = None, cutoff: Moment | None = None) -> Scan:
        """Read the version's files that can have rows of the window, in a fixed order.

        Raises:
            NotFoundError: If there is no such table or version, or its files were removed.
            DataError: If the table cannot be opened, or has a feature that cannot be read.
        """
        window = Window.of(self, since, cutoff)
        table = self._open()
        reading = Reading()
        reading.facts |= {
            **_state(table),
            **({} if self._after is None else {"after": self._after}),
        }
        if self._after is not None:
            return Scan(read_changes(self._open, self._after, table, self.options), reading)
        return Scan(self._batches(table, window, reading), reading)

    def _batches(self, table: Any, window: Window, reading: Reading) -> "Iterator[pl.DataFrame]":
        files = files_in(table, window, str(self.path))
        reading.facts |= {"files": len(files.read), "files_outside": files.left_out}
        for file in files.read:
            yield read_file(file, files, window, self.options)

    def _open(self, version: int | None = None) -> Any:
        uri = table_uri(str(self.path), self._home)
        wanted = self.version if version is None else version
        table = open_table(uri, wanted, str(self.path), self.options)
        if self._table is not None and table.metadata().id != self._table:
            raise NotFoundError(
                what=f"The Delta table that was read from {self.path} is gone: another one lies there.",
                why=f"Its id was {self._table}; that of the table there is {table.metadata().id}.",
                fix="Read it anew, without pinned().",
            )
        if self._state is not None and version is None and state_of(table) != self._state:
            raise NotFoundError(
                what=f"Version {table.version()} of the Delta table {self.path} that was read is gone:"
                " its files are others now.",
                why="The table may have been restored from a copy and written again.",
                fix="Read it anew, without pinned().",
            )
        return table


def _state(table: Any) -> dict[str, Any]:
    return {
        "table": table.metadata().id,
        "version": table.version(),
        "state": state_of(table),
    }
