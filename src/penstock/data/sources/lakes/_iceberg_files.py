"""Files of a snapshot of an Iceberg table: which can have rows of a window, and their rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.core import DataError, require
from penstock.data.sources._window import Window
from penstock.data.sources.lakes._iceberg_table import cannot_read, require_snapshot

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class IcebergPart:
    """The rows of a table that can lie in a window.

    Args:
        table: The opened table.
        name: Its name, for messages.
        schema: Number of the schema with which rows are read.
        window: The window.
        options: Properties of the file system, with references.
    """

    table: Any
    name: str
    schema: int
    window: Window
    options: Mapping[str, str]

    def tasks(self, snapshot: int) -> list[Any]:
        """Return the reading tasks of a snapshot's files, in an order that is always the same.

        Raises:
            DataError: If the snapshot has deletes that cannot be read.
            NotFoundError: If its lists of files were removed.
        """
        scan = self.table.scan(snapshot_id=snapshot, row_filter=self._row_filter())
        try:
            return sorted(scan.plan_files(), key=lambda task: task.file.file_path)
        except (ValueError, NotImplementedError, OSError) as error:
            raise cannot_read(self.name, snapshot, self.options, error) from None

    def added_tasks(self, after: int, last: int) -> list[Any]:
        """Return the reading tasks of files that were added after a snapshot, oldest first.

        Raises:
            NotFoundError: If a snapshot in between was expired.
            DataError: If rows were changed or deleted in between, or the first snapshot does not
                come before the last.
        """
        found: list[Any] = []
        for snapshot in self._between(after, last):
            operation = snapshot.summary.operation.value if snapshot.summary else "append"
            if operation == "replace":  # a compaction: the same rows in other files
                continue
            if operation != "append":
                raise DataError(
                    what=f"Snapshot {snapshot.snapshot_id} of the Iceberg table {self.name} changed"
                    f" or deleted rows ({operation}).",
                    why="Only added rows can be read as changes.",
                    fix="Read the whole table again.",
                )
            known = set()
            if snapshot.parent_snapshot_id is not None:
                known = {task.file.file_path for task in self.tasks(snapshot.parent_snapshot_id)}
            tasks = self.tasks(snapshot.snapshot_id)
            found += [task for task in tasks if task.file.file_path not in known]
        return found

    def read(self, task: Any, snapshot: int) -> "pl.DataFrame":
        """Read the rows of a file, without deleted ones and outside ones.

        Raises:
            NotFoundError: If the file was removed.
            DataError: If the file cannot be read.
        """
        import polars as pl

        arrow = require("pyiceberg.io.pyarrow", extra="iceberg", purpose="rows from Iceberg tables")
        known = (self.table.metadata, self.table.io, self._columns(), self._row_filter())
        try:
            return pl.DataFrame(arrow.ArrowScan(*known).to_table([task]))
        except (OSError, ValueError, TypeError) as error:
            raise cannot_read(self.name, snapshot, self.options, error) from None

    def _columns(self) -> Any:
        return self.table.schemas()[self.schema]

    def _between(self, after: int, last: int) -> list[Any]:
        """Return the snapshots after one, up to another, oldest first."""
        chain, current = [], last
        while current != after:
            require_snapshot(self.table, current, self.name)
            snapshot = self.table.metadata.snapshot_by_id(current)
            chain.append(snapshot)
            if snapshot.parent_snapshot_id is None:
                raise DataError(
                    what=f"Snapshot {after} of the Iceberg table {self.name} does not come before"
                    f" {last}.",
                    why="The table may have been rolled back.",
                    fix="Read the whole table again.",
                )
            current = snapshot.parent_snapshot_id
        return chain[::-1]

    def _row_filter(self) -> Any:
        """Return the window as a condition; a row without a time passes, to be counted."""
        words = require("pyiceberg.expressions", extra="iceberg", purpose="Iceberg tables")
        name, since, cutoff = self.window.time, self.window.since, self.window.cutoff
        form = _time_form(name, self._columns(), self.table.schema())
        if not self.window.is_limited or form is None:
            return words.AlwaysTrue()
        inside = words.AlwaysTrue()
        if since is not None:
            inside = words.GreaterThanOrEqual(name, since.strftime(form))
        if cutoff is not None:
            # A day that the cutoff lies in has rows before it: ingest removes what is too much.
            before = words.LessThan if "%H" in form else words.LessThanOrEqual
            inside = words.And(inside, before(name, cutoff.strftime(form)))
        return words.Or(inside, words.IsNull(name))


def _time_form(name: Any, read: Any, current: Any) -> str | None:
    """Return how a time is written in conditions on a column; None where there can be none.

    Iceberg looks columns of a condition up in the current schema, whichever is read.
    """
    if not isinstance(name, str) or any(name not in form.column_names for form in (read, current)):
        return None
    if read.find_field(name).field_id != current.find_field(name).field_id:
        return None
    moment = "%Y-%m-%dT%H:%M:%S.%f"
    forms = {"date": "%Y-%m-%d", "timestamp": moment, "timestamptz": f"{moment}+00:00"}
    return forms.get(str(read.find_field(name).field_type))
