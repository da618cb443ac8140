"""Rows taken out of a history for good; apart from the history, which otherwise only grows."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.core import ConflictError
from penstock.data.sources import file_options, require_delta
from penstock.features.views._history import History
from penstock.features.views._view import SEQ

if TYPE_CHECKING:
    import polars as pl

_ROWS_PER_COMMIT = 5_000
_TRIES = 100
_PENDING_HOURS = 1
"""A writer that has not committed a file within this time was killed."""


def remove_rows(history: History, seqs: Sequence[int]) -> None:
    """Write the files anew that have these rows, without these rows; all further rows stay unchanged.

    The rows are named by ``seq``: the log of the table must not repeat removed rows.

    Raises:
        ConflictError: If concurrent removals came first a hundred times.
    """
    delta = require_delta()
    for start in range(0, len(seqs), _ROWS_PER_COMMIT):
        numbers = ", ".join(map(str, seqs[start : start + _ROWS_PER_COMMIT]))
        for _ in range(_TRIES):
            try:
                history.table().delete(f"{SEQ} IN ({numbers})")
                break
            except delta.exceptions.CommitFailedError:
                continue  # another removal has written one of the files anew: read it again
        else:
            raise ConflictError(
                what=f"Feature view {history.view.name!r}: {_TRIES} other removals came first.",
                why="Each writes files of the table anew.",
                fix="Run the erasure again when they are done.",
            )


def remove_old_files(history: History) -> list[str]:
    """Remove the files that no longer belong to the newest version, and return their names.

    Files that the log does not know are removed after an hour: before, a writer may be about to
    commit them.
    """
    table = history.table()
    removed = table.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)
    pending = list_pending_files(history)
    if pending:
        history.table().vacuum(
            retention_hours=_PENDING_HOURS,
            dry_run=False,
            enforce_retention_duration=False,
            full=True,
        )
    left = set(list_pending_files(history)) if pending else set()
    return sorted({*map(str, removed), *(file for file in pending if file not in left)})


def list_pending_files(history: History) -> list[str]:
    """List files that the log does not know: of a writer that will commit them, or was killed."""
    pending = history.table().vacuum(
        retention_hours=0, dry_run=True, enforce_retention_duration=False, full=True
    )
    # It names files that are gone, too.
    return sorted(file for file in map(str, pending) if _exists(history, file))


def _exists(history: History, file: str) -> bool:
    import polars as pl

    uri = f"{history.uri.rstrip('/')}/{file}"
    if "://" not in uri:
        return Path(uri).exists()
    try:
        options = file_options(history.options) or None
        pl.scan_parquet(uri, glob=False, storage_options=options).collect_schema()
    except FileNotFoundError:
        return False
    except (pl.exceptions.PolarsError, OSError):
        return True  # cut off when its writer was killed
    return True


def has_rows_of(history: History, file: str, keys: "pl.DataFrame") -> bool:
    """Return whether a file of a table has rows of keys; true if the file cannot be read."""
    import polars as pl

    uri = f"{history.uri.rstrip('/')}/{file}"
    options = file_options(history.options) or None
    try:
        rows = pl.scan_parquet(uri, glob=False, hive_partitioning=False, storage_options=options)
        matching = rows.join(keys.lazy(), on=keys.columns, how="semi").select(pl.len()).collect()
    except (pl.exceptions.PolarsError, OSError):
        return True  # cut off when its writer was killed
    return bool(matching.item())
