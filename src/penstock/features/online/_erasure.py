"""Erasure of keys: from histories, online stores and logs, with a report as proof."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from penstock.core import StoreError
from penstock.features.online._digest import digest_entries
from penstock.features.online._materialize import REBUILDING
from penstock.features.online._protocol import Entry, OnlineStore
from penstock.features.views import (
    SEQ,
    FeatureView,
    History,
    RowCodec,
    has_rows_of,
    list_pending_files,
    remove_old_files,
    remove_rows,
)

if TYPE_CHECKING:
    import polars as pl

_BATCH = 50_000


@dataclass(frozen=True, slots=True)
class ErasedPlace:
    """The result of an erasure in a single place.

    Args:
        kind: ``"history"``, ``"online"`` or ``"log"``.
        place: Where the rows were.
        view: Name of the view; empty for a log.
        rows: Rows that were removed.
        digest_before: Digest of all remaining rows before.
        digest_after: Digest of all remaining rows after; of a history, always the same.
        files_removed: Names of files that were removed.
        files_pending: Names of files with rows of the keys that no commit has, written within the
            last hour: by a writer that will commit them, or that was killed. Erase again after an
            hour.
    """

    kind: Literal["history", "online", "log"]
    place: str
    view: str
    rows: int
    digest_before: str = ""
    digest_after: str = ""
    files_removed: tuple[str, ...] = ()
    files_pending: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Erasure:
    """The report of an erasure; without the keys, of which nothing must be left.

    Args:
        keys: Number of keys.
        places: Results by place.
    """

    keys: int
    places: tuple[ErasedPlace, ...]

    @property
    def files_pending(self) -> tuple[str, ...]:
        """Files that may still have rows of the keys, by place; see ErasedPlace."""
        return tuple(f"{each.place}/{file}" for each in self.places for file in each.files_pending)

    @property
    def rows(self) -> int:
        """Number of rows that were removed in all places."""
        return sum(each.rows for each in self.places)

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain JSON."""
        return asdict(self)


class FeatureLog(Protocol):
    """A log with values of features by key, from which keys can be erased."""

    def erase(self, keys: "pl.DataFrame") -> ErasedPlace:
        """Remove all that is recorded of keys, and their bytes on disk.

        Args:
            keys: Key columns; a row for each key.
        """
        ...


def erase_keys(
    histories: Sequence[History],
    store: OnlineStore | None,
    keys: "pl.DataFrame",
    logs: Sequence[FeatureLog] = (),
) -> Erasure:
    """Erase keys; an erasure that was killed is completed by a repetition.

    Args:
        histories: Histories whose key columns include those of ``keys``.
        store: The online store, if there is one.
        keys: The keys; rows of a view with further key columns are erased if these columns match.
        logs: Logs with values of features.

    Raises:
        StoreError: If something of the keys is left.
    """
    keys = keys.unique()
    places = []
    for history in histories:
        places.append(_erase_history(history, keys))
        if store is not None:  # afterwards: no materialization brings the rows back
            places.append(_erase_online(store, history.view, keys))
    if store is not None:
        store.scrub()
    return Erasure(keys.height, (*places, *(log.erase(keys) for log in logs)))


def _erase_history(history: History, keys: "pl.DataFrame") -> ErasedPlace:
    version = history.version().version
    before = digest_entries(_others(history, version, keys))
    removed: set[int] = set()
    while numbers := _seqs(history, keys):  # until no writer has added any meanwhile
        remove_rows(history, numbers)
        removed.update(numbers)
    files = remove_old_files(history)
    after = digest_entries(_others(history, version, keys))
    if before != after:
        raise StoreError(
            what=f"Rows of other keys of feature view {history.view.name!r} changed: digest {before}"
            f" became {after}.",
            why="An erasure must leave them as they are; another tool may have written the table.",
            fix=f"Compare the versions after {version} of the Delta table {history.uri}.",
        )
    pending = [file for file in list_pending_files(history) if has_rows_of(history, file, keys)]
    name, uri = history.view.name, history.uri
    return ErasedPlace(
        "history", uri, name, len(removed), before, after, tuple(files), tuple(pending)
    )


def _seqs(history: History, keys: "pl.DataFrame") -> list[int]:
    scanned = history.scan([*keys.columns, SEQ])
    matching = scanned.join(keys.lazy(), on=keys.columns, how="semi").select(SEQ).collect()
    return matching[SEQ].sort().to_list()


def _others(
    history: History, version: int, keys: "pl.DataFrame"
) -> "Iterator[tuple[bytes, Entry]]":
    codec = RowCodec(history.view)
    others = history.scan(version=version).join(keys.lazy(), on=keys.columns, how="anti")
    for batch in others.collect_batches(chunk_size=_BATCH, maintain_order=False):
        for key, *entry in codec.encode(batch).iter_rows():
            yield key, (entry[0], entry[1], entry[2])


def _erase_online(store: OnlineStore, view: FeatureView, keys: "pl.DataFrame") -> ErasedPlace:
    rows, before, after = 0, "", ""
    for name in (view.name, view.name + REBUILDING):
        entries = set(_entries_of(store, name, view, keys))
        others = digest_entries(each for each in store.scan(name) if each[0] not in entries)
        rows += store.remove(name, sorted(entries))
        if name == view.name:
            before, after = others, digest_entries(store.scan(name))
    return ErasedPlace("online", store.url, view.name, rows, before, after)


def _entries_of(
    store: OnlineStore, name: str, view: FeatureView, keys: "pl.DataFrame"
) -> list[bytes]:
    """Return the stored keys that match."""
    import polars as pl

    known = [key for key, _ in store.scan(name)]
    if not known:
        return []
    columns = RowCodec(view).decode_keys(known)
    places = columns.with_row_index("place").join(keys, on=keys.columns, how="semi")["place"]
    return pl.Series(known, dtype=pl.Binary)[places].to_list()
