"""Rows written to a history and put online in the same call."""

from typing import Any

from penstock.features.online._materialize import definition_of, materialize
from penstock.features.online._protocol import OnlineStore, Progress
from penstock.features.views import History, RowCodec, to_rows


def push_rows(
    history: History, codec: RowCodec, store: OnlineStore, rows: Any, *, is_deleted: bool = False
) -> int:
    """Append rows to a history, put them online, and return the version that has them.

    First the history: online values can always be joined, and ``seq`` decides on the newer row.

    Args:
        history: The history.
        codec: The codec of the view.
        store: The online store.
        rows: The rows as a user writes them.
        is_deleted: Whether they delete.
    """
    view = history.view
    checked = to_rows(view, rows, is_deleted=is_deleted)
    version = history.append(checked)
    known = store.read_progress(view.name)
    if not is_as_materialized(history, known):
        materialize(history, store)
        return version
    assert known is not None
    store.put(
        view.name,
        codec.encode(history.numbered(checked, version)),
        # If all before is online, so is this version; if not, progress waits for materialize.
        progress=Progress(known.table, version, known.definition),
        after=version - 1,
    )
    return version


def is_as_materialized(history: History, known: Progress | None) -> bool:
    """Return whether rows of a history can be added to those online: same table and definition."""
    return (
        known is not None
        and known.table == history.table_id()
        and known.definition == definition_of(history)
    )
