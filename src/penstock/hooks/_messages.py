"""Messages of webhooks: an event as plain JSON."""

from typing import Any

from penstock.core import (
    EventRecord,
    NotFoundError,
    RunRecord,
    StepRunRecord,
    to_json,
)
from penstock.stores import Store


def subject_of(store: Store, event: EventRecord) -> tuple[RunRecord, StepRunRecord | None]:
    """Return the run and the step of an event.

    Raises:
        NotFoundError: If the run has been deleted.
    """
    run = store.metadata.runs.get(event.run_id)
    if event.step is None:
        return run, None
    for step in store.metadata.steps.list(run.run_id):
        if step.step_run_id == event.step_run_id:
            return run, step
    # A later attempt has replaced the step run; the event itself carries the facts.
    return run, None


def message_of(store: Store, event: EventRecord) -> dict[str, Any]:
    """Return an event as a Standard Webhooks message: ``type``, ``timestamp`` and ``data``.

    Raises:
        NotFoundError: If the run has been deleted.
    """
    if not event.run_id:  # a version, deployment or alert: the event has all facts
        data = {**event.facts, "store": store.url}
        return {"type": event.kind, "timestamp": event.at, "data": data}
    run, step = subject_of(store, event)
    # The run may have moved on since: what the event says of its moment stands above the record.
    data = {
        **to_json(run),
        "attempt": event.facts.get("attempt", run.attempt),
        "error": event.facts.get("error"),
        "store": store.url,
    }
    if event.step is not None:
        known = to_json(step) if step else {"name": event.step, "step_run_id": event.step_run_id}
        data["step"] = known
    return {"type": event.kind, "timestamp": event.at, "data": data}


def gone_message(event: EventRecord) -> dict[str, Any]:
    """Return the message of an event whose run has been deleted."""
    data = {"run_id": event.run_id, "step": event.step, **event.facts}
    return {"type": event.kind, "timestamp": event.at, "data": data}


def is_gone(store: Store, event: EventRecord) -> bool:
    """Return whether the run of an event has been deleted."""
    if not event.run_id:
        return False
    try:
        store.metadata.runs.get(event.run_id)
    except NotFoundError:
        return True
    return False
