"""Rows of a history into an online store: those after the version that was materialized last.

Versions, not event times, decide on new rows, so that rows that come late are not missed.
"""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from penstock.core import ConflictError, now
from penstock.features.online._protocol import NOTHING, OnlineStore, Progress
from penstock.features.views import (
    AVAILABLE_AT,
    SEQ,
    FeatureView,
    History,
    HistoryVersion,
    RowCodec,
    fold,
    version_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import polars as pl

REBUILDING = "~rebuilding"
"""End of the name under which a view is built anew; no name of a view has this character."""

_PLACE = "place"
_BATCH = 50_000
_ROWS_AT_ONCE = 500_000


@dataclass(frozen=True, slots=True)
class Materialization:
    """The result of a materialization.

    Args:
        view: Name of the view.
        version: The version of the history that is online now.
        rows: Rows that were read.
        changed: Entries that changed; of keys that changed in several batches, each change.
        is_rebuilt: Whether all entries were written anew.
    """

    view: str
    version: int
    rows: int
    changed: int
    is_rebuilt: bool


@dataclass(frozen=True, slots=True)
class Freshness:
    """How far an online store is behind a history.

    Args:
        view: Name of the view.
        online: The version that is online; None if the view was never materialized.
        newest: The newest version of the history.
        rows: Rows of the history that are not online, or were only pushed.
        lag: For how long the oldest of them has been known; zero if there are none.
    """

    view: str
    online: int | None
    newest: int
    rows: int
    lag: timedelta


def materialize(history: History, store: OnlineStore, *, rebuild: bool = False) -> Materialization:
    """Bring an online store up to the newest version of a history.

    Args:
        history: The history.
        store: The store.
        rebuild: Whether to write all entries anew; the present ones answer until that is done.
            Always so if the columns of the view have changed, or the history was made anew.

    Raises:
        ConflictError: If the entries are those of a second feature store, and not to be replaced.
    """
    newest, name = history.version(), history.view.name
    known = store.read_progress(name)
    if known is not None and not rebuild:
        _require_own(history, newest, known, store.url)
        rebuild = not _continues(known, newest, history)
    if not rebuild:
        rows, changed = _load(history, store, name, newest)
        return Materialization(name, newest.version, rows, changed, is_rebuilt=False)
    shadow = name + REBUILDING
    begun = store.read_progress(shadow)
    if begun is None or not _continues(begun, newest, history):
        store.clear(shadow)
    rows, changed = _load(history, store, shadow, newest)
    store.replace(name, shadow, newest.version)
    # What was pushed meanwhile went to the entries that are gone now.
    more = materialize(history, store)
    return Materialization(name, more.version, rows + more.rows, changed + more.changed, True)


def freshness(history: History, store: OnlineStore) -> Freshness:
    """Return how far an online store is behind a history."""
    import polars as pl

    newest = history.version()
    known = store.read_progress(history.view.name)
    reached = known.version if known is not None and known.table == newest.table else NOTHING
    rows, oldest = (
        history.scan([AVAILABLE_AT], after=reached)
        .select(pl.len(), pl.col(AVAILABLE_AT).min())
        .collect()
        .row(0)
    )
    lag = now() - oldest if oldest is not None else timedelta(0)
    online = None if reached == NOTHING else reached
    return Freshness(history.view.name, online, newest.version, rows, lag)


def definition_of(history: History) -> str:
    """Return the definition of a history's view as text, in the form of the progress record, with the place."""
    return json.dumps({**history.view.describe(), _PLACE: history.uri})


def view_of(progress: Progress) -> FeatureView:
    """Return the view by whose definition entries were written."""
    return FeatureView.from_json(json.loads(progress.definition))


def _require_own(history: History, newest: HistoryVersion, known: Progress, url: str) -> None:
    """Check that entries are of this history, or of an earlier one at the same place.

    Raises:
        ConflictError: If they are of a different place and table.
    """
    place = json.loads(known.definition).get(_PLACE, history.uri)  # earlier versions had none
    if known.table != newest.table and place != history.uri:
        raise ConflictError(
            what=f"{url} has the entries of feature view {newest.view!r} of another feature store:"
            f" {place}.",
            why="Both would answer with the values of the one that was materialized last.",
            fix='Name another file or "?prefix=" of Redis by FeatureStore(online=…), or replace them:'
            f" materialize({newest.view!r}, rebuild=True).",
            view=newest.view,
        )


def _continues(known: Progress, newest: HistoryVersion, history: History) -> bool:
    """Return whether rows can be added to entries: same table, same columns."""
    view = history.view
    same_table = known.table == newest.table and known.version <= newest.version
    if known.definition == definition_of(history):
        return same_table
    before = view_of(known)
    same_keys = before.key_columns == view.key_columns
    return same_table and same_keys and RowCodec(before).mark == RowCodec(view).mark


def _load(
    history: History, store: OnlineStore, name: str, newest: HistoryVersion
) -> tuple[int, int]:
    """Put the rows after a view's progress, and return how many were read and changed entries."""
    known = store.read_progress(name)
    after = NOTHING if known is None else known.version
    codec, rows, changed = RowCodec(history.view), 0, 0
    for last in _stops(history, after, newest.version):
        progress = Progress(newest.table, last, definition_of(history))
        scanned = history.scan(version=last, after=after)
        batches = scanned.collect_batches(chunk_size=_BATCH, maintain_order=False)
        for batch, is_last in _with_last(batches, history):
            changed += store.put(
                name,
                codec.encode(fold(batch, history.view.key_columns)),
                progress=progress if is_last else None,
                after=after,
            )
            rows += batch.height
        after = last
    return rows, changed


def _stops(history: History, after: int, newest: int) -> list[int]:
    """Return versions at which progress is recorded: after some rows each, and the newest."""
    import polars as pl

    counts = (
        history.scan([SEQ], version=newest, after=after)
        .group_by(version_of(pl.col(SEQ)).alias("version"))
        .len()
        .sort("version")
        .collect()
    )
    stops, waiting = [], 0
    for version, rows in counts.iter_rows():
        waiting += rows
        if waiting >= _ROWS_AT_ONCE:
            stops.append(version)
            waiting = 0
    return [*stops, newest] if newest not in stops else stops


def _with_last(
    batches: "Iterable[pl.DataFrame]", history: History
) -> "Iterator[tuple[pl.DataFrame, bool]]":
    """Return batches, each with a flag for the last; an empty batch if there are none."""
    import polars as pl

    waiting = None
    for batch in batches:
        if waiting is not None:
            yield waiting, False
        waiting = batch
    yield pl.DataFrame(schema=history.view.schema) if waiting is None else waiting, True
