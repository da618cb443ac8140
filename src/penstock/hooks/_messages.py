"""Messages of webhooks: an event of a run or step as plain JSON."""

import math
from collections.abc import Mapping
from typing import Any

from penstock.core import EventRecord, NotFoundError, RunRecord, StepRunRecord
from penstock.stores import Store


def told_of(store: Store, event: EventRecord) -> tuple[RunRecord, StepRunRecord | None]:
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
    run, step = told_of(store, event)
    data: dict[str, Any] = {
        "run_id": run.run_id,
        "name": run.name,
        "experiment": run.experiment,
        "pipeline": run.pipeline,
        "user": run.user,
        "attempt": event.facts.get("attempt", run.attempt),
        "error": event.facts.get("error"),
        "tags": dict(run.tags),
        "store": store.url,
    }
    if event.step is None:
        data |= {
            "params": dict(run.params),
            "metrics": _finite({key: summary.last for key, summary in run.metrics.items()}),
            "started_at": run.started_at,
            "ended_at": run.ended_at,
        }
    else:
        data["step"] = {
            "name": event.step,
            "step_run_id": event.step_run_id,
            "started_at": step.started_at if step else None,
            "ended_at": step.ended_at if step else None,
            "outputs": dict(step.outputs) if step else {},
        }
    return {"type": event.kind, "timestamp": event.at, "data": data}


def gone_message(event: EventRecord) -> dict[str, Any]:
    """Return the message of an event whose run has been deleted."""
    data = {"run_id": event.run_id, "step": event.step, **event.facts}
    return {"type": event.kind, "timestamp": event.at, "data": data}


def is_gone(store: Store, event: EventRecord) -> bool:
    """Return whether the run of an event has been deleted."""
    try:
        store.metadata.runs.get(event.run_id)
    except NotFoundError:
        return True
    return False


def _finite(metrics: Mapping[str, float]) -> dict[str, float | None]:
    return {key: value if math.isfinite(value) else None for key, value in metrics.items()}
