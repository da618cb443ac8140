"""Verification of a model's history: each event's hash includes the hash of the event before."""

from collections.abc import Iterable

from penstock.core import StageEvent
from penstock.stores import stage_event_hash


def verify_events(events: Iterable[StageEvent]) -> int | None:
    """Return the position of the first event changed, added, moved or following a removed event.

    The removal of events at the end leaves no trace here; to detect this, store the last hash
    elsewhere.

    >>> verify_events([]) is None
    True

    Args:
        events: Events of a model, oldest first.

    Returns:
        The position from 0, or None if all events are as written.
    """
    previous = ""
    for index, event in enumerate(events):
        if event.hash != stage_event_hash(previous, event):
            return index
        previous = event.hash
    return None
