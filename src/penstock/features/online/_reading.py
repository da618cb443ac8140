"""Features of keys from an online store, by the as-of rule of the history."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from penstock.core import ParameterError
from penstock.features.online._protocol import Entry, OnlineStore
from penstock.features.views import RowCodec, event_time_of, is_expired

if TYPE_CHECKING:
    import polars as pl

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_MICROSECOND = timedelta(microseconds=1)


class OnlineStatus(StrEnum):
    """The state of a key in an online store.

    >>> OnlineStatus.NOT_FOUND == "NOT_FOUND"
    True
    """

    PRESENT = "PRESENT"
    """There are values."""
    NULL = "NULL"
    """The key was deleted, or all its features are null."""
    EXPIRED = "EXPIRED"
    """The values are older than the view's ttl."""
    NOT_FOUND = "NOT_FOUND"
    """No row of the key was materialized or pushed."""


def read_online(
    store: OnlineStore, codec: RowCodec, keys: "pl.DataFrame", at: datetime
) -> "pl.DataFrame":
    """Return the features of keys at a time: null where missing, deleted or expired.

    Args:
        store: The store.
        codec: The codec of the view.
        keys: The key columns, with their dtypes.
        at: The time of the question, normally now; aware.

    Returns:
        The feature columns, a row for each key in order.

    Raises:
        DataError: If a value was written for different columns.
    """
    return read_with_status(store, codec, keys, at)[0]


def read_with_status(
    store: OnlineStore, codec: RowCodec, keys: "pl.DataFrame", at: datetime
) -> "tuple[pl.DataFrame, list[OnlineStatus]]":
    """Return the features of keys as ``read_online`` does, and the state of each key."""
    values, states, _ = read_entries(store, codec, keys, at)
    return values, states


def read_entries(
    store: OnlineStore, codec: RowCodec, keys: "pl.DataFrame", at: datetime
) -> "tuple[pl.DataFrame, list[OnlineStatus], list[Entry | None]]":
    """Return the features of keys, the state of each key, and the entries themselves."""
    if at.tzinfo is None:
        raise ParameterError(
            what=f"The time {at} has no zone.",
            why="A local time means another moment in another zone.",
            fix="Give an aware time: datetime.now(UTC).",
        )
    view = codec.view
    entries = store.get(view.name, codec.encode_keys(keys))
    states = _states(entries, codec, (at - _EPOCH) // _MICROSECOND)
    values = [
        entry[2] if entry is not None and state is OnlineStatus.PRESENT else None
        for entry, state in zip(entries, states, strict=True)
    ]
    return codec.decode_values(values), states, entries


def _states(entries: Sequence[Entry | None], codec: RowCodec, at_us: int) -> list[OnlineStatus]:
    ttl, states = codec.view.ttl_us, []
    for entry in entries:
        if entry is None:
            states.append(OnlineStatus.NOT_FOUND)
        elif entry[1]:
            states.append(OnlineStatus.NULL)
        elif ttl is not None and is_expired(event_time_of(entry[0]), at_us, ttl):
            states.append(OnlineStatus.EXPIRED)
        elif entry[2] == codec.null_value:
            states.append(OnlineStatus.NULL)
        else:
            states.append(OnlineStatus.PRESENT)
    return states
