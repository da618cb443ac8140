"""Rows taken out of a history for good; apart from the history, which otherwise only grows."""

from collections.abc import Sequence

from penstock.core import ConflictError
from penstock.data.sources import require_delta
from penstock.features.views._history import History
from penstock.features.views._view import SEQ

_ROWS_PER_COMMIT = 5_000
_TRIES = 100


def remove_rows(history: History, seqs: Sequence[int]) -> None:
    """Write the files anew that have these rows, without them; the other rows stay as they are.

    The rows are named by ``seq``: the log of the table must not repeat what is removed.

    Raises:
        ConflictError: If other removals came first a hundred times.
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

    Files that the log does not know stay: another writer may be about to commit them.
    """
    table = history.table()
    found = table.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)
    return sorted(map(str, found))
