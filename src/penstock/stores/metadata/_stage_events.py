"""The hash-chained history: moves, gate results and approvals of a model, settings of the store."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from penstock.core import Stage, StageEvent, digest_json
from penstock.stores.metadata._codec import RecordTable, clean_text, to_micros
from penstock.stores.metadata._database import Transaction

EVENTS = RecordTable(
    "stage_events",
    StageEvent,
    times=("at",),
    kinds={"from_stage": Stage, "to_stage": Stage},
)
STORE_HISTORY = "(store)"
"""Owner of the store settings' history; no model can have this name."""

REGISTERED = "registered"
"""Reason of a version's first event."""


def stage_event_hash(previous: str, event: StageEvent) -> str:
    """Compute the digest of an event together with the hash of the model's previous event.

    Args:
        previous: Hash of the previous event; empty for the model's first event.
        event: The event; the event's own ``hash`` does not count.
    """
    return digest_json(
        [
            previous,
            event.model,
            event.version,
            event.from_stage.value,
            event.to_stage.value,
            event.actor,
            event.reason,
            to_micros(event.at),
        ]
    )


def note_setting(transaction: Transaction, text: str, actor: str, at: datetime) -> None:
    """Write a change of the store's own settings into the store's history."""
    none = Stage.NONE
    add_event(transaction, StageEvent(STORE_HISTORY, 0, none, none, actor, text, at))


def add_event(transaction: Transaction, event: StageEvent) -> None:
    """Append an event to the model's history, chained to the previous event."""
    row = transaction.execute(
        "SELECT hash FROM stage_events WHERE model = ? ORDER BY id DESC LIMIT 1", (event.model,)
    ).fetchone()
    # As the database will have them: a digest of anything else would look like a later change.
    texts: dict[str, Any] = {
        name: clean_text(getattr(event, name)) for name in ("model", "actor", "reason")
    }
    event = replace(event, **texts)
    event = replace(event, hash=stage_event_hash(row[0] if row else "", event))
    transaction.execute(EVENTS.insert, EVENTS.row(event))
