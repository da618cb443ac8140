"""LookedUp: features of keys with where they come from, for servers that record each answer."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from penstock.features.online._protocol import Entry, OnlineStore
from penstock.features.online._reading import OnlineStatus, read_entries
from penstock.features.views import FeatureView, RowCodec, decode_sort_keys, version_of

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class LookedUp:
    """The features of keys of a view, and the rows that they come from.

    Args:
        view: The view, by the definition of the entries.
        values: The features, a row for each key; null where there are no values.
        statuses: State of each key.
        entries: The entry of each key.
    """

    view: FeatureView
    values: "pl.DataFrame"
    statuses: list[OnlineStatus]
    entries: list[Entry | None]

    def describe_origins(self) -> list[dict[str, Any]]:
        """Return event time, knowledge time and version of each key's row as plain JSON."""
        known = [entry[0] for entry in self.entries if entry is not None]
        rows = decode_sort_keys(known).iter_rows() if known else iter(())
        return [{} if entry is None else _describe(*next(rows)) for entry in self.entries]


def look_up(store: OnlineStore, codec: RowCodec, keys: "pl.DataFrame", at: datetime) -> LookedUp:
    """Look up the features of keys at a time.

    Args:
        store: The store.
        codec: The codec of the view.
        keys: The key columns, with their dtypes.
        at: The time of the question, normally now; aware.
    """
    return LookedUp(codec.view, *read_entries(store, codec, keys, at))


def _describe(event: datetime, known: datetime, seq: int) -> dict[str, Any]:
    return {
        "event_time": event.isoformat(),
        "available_at": known.isoformat(),
        "version": version_of(seq),
    }
