"""Checking that a model's history is as it was written: each event's hash holds the one before."""

from collections.abc import Iterable

from penstock.core import StageEvent
from penstock.stores import stage_event_hash


def verify_events(events: Iterable[StageEvent]) -> int | None:
    """Find the first event that was changed, added, moved or follows one that was removed.

    Removing events at the end leaves no trace here; keep the last hash elsewhere for that.

    >>> verify_events([]) is None
    True

    Args:
        events: One model's events, oldest first.

    Returns:
        Its position from 0, or None if all are as written.
    """
    previous = ""
    for index, event in enumerate(events):
        if event.hash != stage_event_hash(previous, event):
            return index
        previous = event.hash
    return None
