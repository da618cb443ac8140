"""The outbox: an event is written in the transaction of the change itself.

So no event is lost with the process that made the change, and none is sent for a change that was
rolled back. A hook's events are separate rows, not a position in a common list: in PostgreSQL a
lower number may appear after a higher number, and a reader that stores a position would skip the
row.
"""

import time
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from penstock.core import (
    AlertRecord,
    DeploymentEvent,
    EventRecord,
    EventState,
    ModelVersionRecord,
    StageEvent,
    new_id,
    now,
    to_json,
)
from penstock.stores._json import load_json
from penstock.stores.metadata._codec import RecordTable, clean_text
from penstock.stores.metadata._database import Transaction

EVENTS = RecordTable(
    "outbox",
    EventRecord,
    times=("at", "due_at"),
    structures=("facts",),
    kinds={"state": EventState, "error": (clean_text, str)},
)
_KNOWN_S = 1.0  # delay until a process uses a new hook; a query each time would be expensive
_RUN_KINDS = {"queued": "run.waiting", "running": "run.started"}
_STEP_KINDS = {"queued": "step.waiting", "running": "step.started"}
_LINEAGE = ("run.", "step.")  # OpenLineage has a form for these only


class Outbox:
    """Writer of events for the subscribed hooks; a single writer per open store."""

    def __init__(self) -> None:
        self._hooks: list[tuple[str, str, tuple[str, ...]]] = []
        self._read_at = -_KNOWN_S

    def forget(self) -> None:
        """Reload the hooks before the next event."""
        self._read_at = -_KNOWN_S

    def note_run(
        self, transaction: Transaction, run_id: str, state: str, facts: Mapping[str, Any]
    ) -> None:
        """Write the event of a run's change of state."""
        kind = _RUN_KINDS.get(state, f"run.{state}")
        self._note(transaction, kind, (run_id, None, None), facts)

    def note_step(
        self,
        transaction: Transaction,
        step: tuple[str, str, str],
        state: str,
        facts: Mapping[str, Any],
    ) -> None:
        """Write the event of a step's (run, step, step run) change of state."""
        self._note(transaction, _STEP_KINDS.get(state, f"step.{state}"), step, facts)

    def note_version(
        self, transaction: Transaction, what: str, version: ModelVersionRecord, event: StageEvent
    ) -> None:
        """Write the event of a version: ``registered``, ``approved``, ``refused`` or a stage."""
        facts = {
            "model": version.model,
            "version": version.version,
            "stage": event.to_stage.value,
            "from_stage": event.from_stage.value,
            "actor": event.actor,
            "reason": event.reason,
            "trained_by": version.trained_by,
            "run_id": version.run_id,
            "content_digest": version.content_digest,
        }
        self._note(transaction, f"version.{what}", ("", None, None), facts)

    def note_deployment(self, transaction: Transaction, event: DeploymentEvent, model: str) -> None:
        """Write the event of a deployment, in the form of the history."""
        facts = {
            "deployment": event.name,
            "model": model,
            "message": event.message,
            "facts": event.facts,
        }
        self._note(transaction, f"deployment.{event.kind}", ("", None, None), to_json(facts))

    def note_alert(self, transaction: Transaction, what: str, alert: AlertRecord) -> None:
        """Write that an alert was ``raised`` or ``resolved``."""
        self._note(transaction, f"alert.{what}", ("", None, None), to_json(alert))

    def _note(
        self,
        transaction: Transaction,
        kind: str,
        about: tuple[str, str | None, str | None],
        facts: Mapping[str, Any],
    ) -> None:
        if time.monotonic() - self._read_at >= _KNOWN_S:
            rows = transaction.execute("SELECT name, form, events FROM hooks").fetchall()
            self._hooks = [(name, form, tuple(load_json(events))) for name, form, events in rows]
            self._read_at = time.monotonic()
        for hook, form, patterns in self._hooks:
            if form == "openlineage" and not kind.startswith(_LINEAGE):
                continue
            if any(fnmatchcase(kind, pattern) for pattern in patterns):
                run_id, step, step_run_id = about
                at = now()
                event = EventRecord(
                    new_id(), hook, kind, run_id, at, at, step, step_run_id, dict(facts)
                )
                transaction.execute(EVENTS.insert, EVENTS.row(event))
