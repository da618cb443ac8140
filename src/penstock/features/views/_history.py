"""History: all rows of a view, in a Delta table that only grows; every version stays readable."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, Self

from penstock.core import ConflictError, DataError, NotFoundError, StoreError, summarize_error
from penstock.data.sources import (
    Window,
    file_options,
    files_in,
    open_table,
    require_delta,
    storage_options,
)
from penstock.features.views._fold import in_order
from penstock.features.views._view import AVAILABLE_AT, EVENT_TIME, SEQ, FeatureView

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

ROWS_BITS = 32
"""A row's ``seq`` is the Delta version that added the row, with the row's number in the lower bits."""

_DEFINITION = "penstock.view"
# Values of keys and features are in data files only, which can be removed, and not in the log.
_STATISTICS = "delta.dataSkippingStatsColumns"
_EVERY = Window("", None, None, None, None)
_TRIES = 1000
_RECENT_S = 60.0


@dataclass(frozen=True, slots=True)
class HistoryVersion:
    """A version of a history, as in step keys and signatures.

    Args:
        view: Name of the view.
        definition: Digest of the view's definition.
        table: Id of the Delta table.
        version: Number of the version.
    """

    view: str
    definition: str
    table: str
    version: int

    def to_json(self) -> dict[str, Any]:
        """Return the version as plain JSON."""
        return {
            "view": self.view,
            "definition": self.definition,
            "table": self.table,
            "version": self.version,
        }


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit of a history.

    Args:
        version: The version after the operation.
        at: When.
        operation: Kind of the operation: ``write``, ``create table``, ``optimize``, …
        rows: Added rows; None where that is not recorded.
    """

    version: int
    at: datetime
    operation: str
    rows: int | None


class History:
    """All rows of a view, each with the time of the event and the time of knowledge.

    Threads and processes: any number may read and append at the same time. No row is lost, and
        ``seq`` is unique and rises with the versions.

    Args:
        uri: Place of the Delta table: an absolute folder, or a URL.
        view: The view.
        options: Options of the object store; secrets as ``"${NAME}"``.
    """

    def __init__(
        self, uri: str, view: FeatureView, options: "Mapping[str, str] | None" = None
    ) -> None:
        self.uri, self.view, self.options = uri, view, dict(options or {})
        self._appending = Lock()
        self._appended_to: Any = None
        self._appended_at = 0.0
        self._table_id: str | None = None

    @classmethod
    def open(cls, uri: str, options: "Mapping[str, str] | None" = None) -> Self:
        """Open the history at a place, with the definition that is stored there.

        Raises:
            NotFoundError: If there is no table.
            DataError: If the table is no history.
        """
        text = open_table(uri, None, uri, options or {}).metadata().configuration.get(_DEFINITION)
        try:
            view = FeatureView.from_json(json.loads(text or ""))
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                what=f"The Delta table {uri} is no history of a feature view.",
                why=f"Its property {_DEFINITION} is not the definition of a view.",
                fix="Read it with DeltaSource, and write its rows into a view.",
            ) from error
        return cls(uri, view, options)

    def create(self) -> None:
        """Create the table, with the definition as a property.

        Raises:
            ConflictError: If there is a table already.
            StoreError: If the table cannot be created.
        """
        delta = require_delta()
        try:
            delta.DeltaTable.create(
                self.uri,
                self.view.schema,
                name=self.view.name,
                configuration={
                    _DEFINITION: json.dumps(self.view.describe()),
                    _STATISTICS: f"{EVENT_TIME},{AVAILABLE_AT},{SEQ}",
                },
                raise_if_key_not_exists=False,
                storage_options=storage_options(self.uri, self.options) or None,
            )
        except (delta.exceptions.DeltaError, OSError) as error:
            if "already exists" in str(error):
                raise ConflictError(
                    what=f"The history of feature view {self.view.name!r} exists already.",
                    fix="Open it.",
                ) from error
            raise StoreError(
                what=f"A Delta table cannot be created at {self.uri}: {summarize_error(error)}.",
                fix="Check the address, the rights and the credentials"
                + ("; a folder's name must not have a % sign." if "%" in self.uri else "."),
            ) from error

    def redefine(self, view: FeatureView) -> None:
        """Replace the definition; features that are new are null in earlier rows.

        Raises:
            ConflictError: If a feature, a key or a dtype of earlier rows would change.
        """
        delta = require_delta()
        require_extends(self.view, view)
        # Equal but for their order, by which online stores encode keys.
        view = replace(view, entity=self.view.entity)
        table = self.table()
        added = {name: kind for name, kind in view.schema.items() if name not in self.view.schema}
        if added:
            table.alter.add_columns(delta.Schema.from_arrow(_schema(added)).fields)
        described = json.dumps(view.describe())
        table.alter.set_table_properties({_DEFINITION: described}, raise_if_not_exists=False)
        self.view = view

    def append(self, rows: "pl.DataFrame", *, once: str | None = None) -> int:
        """Append rows and return the version that has them.

        Args:
            rows: Rows as ``to_rows`` returns them, without ``seq``.
            once: A name; rows that were appended under the same name are not appended again.

        Raises:
            ConflictError: If concurrent writers came first a thousand times.
        """
        delta = require_delta()
        for _ in range(_TRIES):
            # One at a time: the version that numbers the rows must be the table's next.
            with self._appending:
                table = self._newest()
                known = None if once is None else table.transaction_version(once)
                if known is not None:
                    return int(known)
                version = int(table.version()) + 1
                names = [] if once is None else [delta.Transaction(once, version)]
                # Without retries of its own: the numbers of the rows hold for one version only.
                properties = delta.CommitProperties(max_commit_retries=0, app_transactions=names)
                numbered = self.numbered(rows, version)
                try:
                    delta.write_deltalake(
                        table,
                        numbered,
                        mode="append",
                        commit_properties=properties,
                    )
                except delta.exceptions.CommitFailedError:
                    continue  # another writer has this version: number the rows for the next
                self._appended_to, self._appended_at = table, monotonic()
                return version
        raise ConflictError(
            what=f"Feature view {self.view.name!r}: {_TRIES:,} commits of other writers came first.",
            why="Each write is a commit of the table.",
            fix="Write more rows at once, less often.",
        )

    def appended(self, once: str) -> int | None:
        """Return the version that has the rows that were appended under a name, if they were."""
        version = self.table().transaction_version(once)
        return None if version is None else int(version)

    def compact(self) -> None:
        """Join small files into large ones; all versions stay readable, concurrent writers go on."""
        self.table().optimize.compact()

    def version(self) -> HistoryVersion:
        """Return the newest version."""
        table = self.table()
        return HistoryVersion(
            self.view.name, self.view.digest, table.metadata().id, table.version()
        )

    def table_id(self) -> str:
        """Return the id of the Delta table; read once."""
        if self._table_id is None:
            self._table_id = str(self.table().metadata().id)
        return self._table_id

    def list_commits(self, limit: int = 50) -> list[Commit]:
        """List the newest commits of the table, the newest first.

        Args:
            limit: Maximum number.
        """
        return [
            Commit(
                each["version"],
                datetime.fromtimestamp(each["timestamp"] / 1000, UTC),
                str(each.get("operation", "")).lower(),
                (each.get("operationMetrics") or {}).get("num_added_rows"),
            )
            for each in self.table().history(limit)
        ]

    def scan(
        self,
        columns: "Sequence[str] | None" = None,
        *,
        version: int | None = None,
        after: int | None = None,
    ) -> "pl.LazyFrame":
        """Return the rows of a version, not read yet, in no particular order.

        Args:
            columns: Columns to read; by default all.
            version: The version; by default the newest.
            after: Only rows that were added after this version.

        Raises:
            NotFoundError: If there is no such version yet.
        """
        import polars as pl

        table = self.table()
        newest = table.version()
        if version is not None and not 0 <= version <= newest:
            raise NotFoundError(
                what=f"Feature view {self.view.name!r} has no version {version}.",
                fix=f"Its newest is {newest}.",
                version=version,
            )
        files = files_in(table, _EVERY, self.uri)
        if not files.read:
            return pl.DataFrame(schema=self.view.schema).lazy().select(columns or pl.all())
        rows = pl.scan_parquet(
            [file.uri for file in files.read],
            schema=self.view.schema,
            glob=False,
            hive_partitioning=False,
            missing_columns="insert",
            extra_columns="ignore",
            storage_options=file_options(self.options) or None,
        )
        if version is not None and version < newest:
            rows = rows.filter(pl.col(SEQ) < (version + 1) << ROWS_BITS)
        if after is not None:
            rows = rows.filter(pl.col(SEQ) >= (after + 1) << ROWS_BITS)
        return rows.select(columns or pl.all())

    def numbered(self, rows: "pl.DataFrame", version: int) -> "pl.DataFrame":
        """Return rows as the version has them to which they were appended: with ``seq``, in order."""
        import polars as pl

        start = version << ROWS_BITS
        numbers = pl.int_range(start, start + rows.height, dtype=pl.Int64, eager=True)
        numbered = rows.with_columns(numbers.alias(SEQ)).select(self.view.schema.names())
        # A file in the order of joins is not sorted again by each of them.
        return in_order(numbered, [*self.view.key_columns, AVAILABLE_AT, EVENT_TIME, SEQ])

    def _newest(self) -> Any:
        """Return the table to append to: a few new commits are read faster than all."""
        table, self._appended_to = self._appended_to, None
        if table is None:
            return self.table()
        if not self._is_newest(table):
            table.update_incremental()
        return table

    def _is_newest(self, table: Any) -> bool:
        """Return whether no writer has come since, where a look at one file tells.

        Only shortly after an append: later the log may have been shortened.
        """
        if "://" in self.uri or monotonic() - self._appended_at > _RECENT_S:
            return False
        following = Path(self.uri) / "_delta_log" / f"{table.version() + 1:020}.json"
        return not following.exists()

    def table(self) -> Any:
        """Return the Delta table in the newest version."""
        return open_table(self.uri, None, self.uri, self.options)


def version_of(seq: Any) -> Any:
    """Return the version that added a row, from a ``seq`` or a column of ``seq``.

    >>> version_of(3 << ROWS_BITS)
    3
    """
    return seq // (1 << ROWS_BITS)


def require_extends(known: FeatureView, view: FeatureView) -> None:
    """Check that a new definition leaves the rows of a view unchanged.

    Raises:
        ConflictError: If they do not.
    """
    if known.entity != view.entity:
        changed = f"entity {known.entity.describe()} became {view.entity.describe()}"
    else:
        lost = [
            f"feature {name!r} was {kind}, and is {view.features.get(name, 'gone')}"
            for name, kind in known.features.items()
            if view.features.get(name) != kind
        ]
        changed = "; ".join(lost[:5])
    if changed:
        raise ConflictError(
            what=f"Feature view {view.name!r} changes its rows: {changed}.",
            why="Models and step results refer to the rows that exist.",
            fix=f"Define another view, for example {view.name + '-2'!r}, or keep the old columns"
            " and add new ones.",
        )


def _schema(columns: "Mapping[str, pl.DataType]") -> "pl.Schema":
    import polars as pl

    return pl.Schema(columns)
