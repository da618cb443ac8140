"""Rows that came into a Delta table between two versions, for incremental readings."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from penstock.core import DataError, ParameterError
from penstock.data.sources._window import Window
from penstock.data.sources.lakes._delta_files import DeltaFiles, files_in, read_file
from penstock.data.sources.lakes._delta_table import cannot_read, require_delta

if TYPE_CHECKING:
    import polars as pl

_FEED = "delta.enableChangeDataFeed"
_EVERY = Window("", None, None, None, None)


def read_changes(
    open_version: Callable[[int], Any], after: int, table: Any, options: Mapping[str, str]
) -> "Iterator[pl.DataFrame]":
    """Read what changed after a version, up to that of an opened table.

    Args:
        open_version: Opens the table in a version.
        after: The version that was read before.
        table: The table, opened in the last version.
        options: Options of the object store.

    Raises:
        ParameterError: If the table is older than that version.
        NotFoundError: If a version in between is gone.
        DataError: If rows were changed or deleted, and the table has no change data feed.
    """
    if table.version() < after:
        raise ParameterError(
            what=f"The table's version is {table.version()}: there are no changes after {after}.",
            fix=f"Give from_version={table.version()} or less.",
        )
    if table.metadata().configuration.get(_FEED) == "true":
        yield from _feed(table, after, options)
    else:
        yield from _added(open_version, after, table, options)


def _feed(table: Any, after: int, options: Mapping[str, str]) -> "Iterator[pl.DataFrame]":
    import polars as pl

    for version in range(after + 1, table.version() + 1):
        try:
            rows = pl.DataFrame(table.load_cdf(version, version).read_all())
        except (OSError, ValueError, require_delta().exceptions.DeltaError) as error:
            raise cannot_read(table.table_uri, version, options, error) from None
        # The feed is read by several threads: only an order of our own is always the same.
        plain = [name for name, kind in rows.schema.items() if not kind.is_nested()]
        yield rows.sort(plain, maintain_order=True, nulls_last=True)


def _added(
    open_version: Callable[[int], Any], after: int, last: Any, options: Mapping[str, str]
) -> "Iterator[pl.DataFrame]":
    before = files_in(open_version(after), _EVERY)
    newest = files_in(last, _EVERY)
    operations = {entry["version"]: entry.get("operation") for entry in last.history()}
    for version in range(after + 1, last.version() + 1):
        now = files_in(open_version(version), _EVERY)
        if operations.get(version) != "OPTIMIZE":  # that leaves rows as they are
            yield from _new_rows(before, now, newest, options)
        before = now


def _new_rows(
    before: DeltaFiles, now: DeltaFiles, newest: DeltaFiles, options: Mapping[str, str]
) -> "Iterator[pl.DataFrame]":
    known, current = {file.path for file in before.read}, {file.path for file in now.read}
    if not known <= current or not _same_deletions(before, now):
        raise DataError(
            what=f"Version {now.version} of the Delta table {now.path} changed or deleted rows.",
            why="Without a change data feed only added rows are known.",
            fix=f"Read the whole table again, or set the property {_FEED} = true for the future.",
            version=now.version,
        )
    # Rows of all versions are one table: that of the last version's columns.
    form = replace(now, schema=newest.schema)
    for file in now.read:
        if file.path not in known:
            yield read_file(file, form, _EVERY, options)


def _same_deletions(before: DeltaFiles, now: DeltaFiles) -> bool:
    known = {file.path for file in before.read}
    return all(
        path in before.deleted and before.deleted[path].equals(kept)
        for path, kept in now.deleted.items()
        if path in known
    )
