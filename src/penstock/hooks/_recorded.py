"""OpenLineage events of a recorded run: those that a webhook would have received as it went."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from penstock.core import EventRecord, RunRecord, RunState, StepRunRecord, StepState, new_id
from penstock.hooks._openlineage import run_event
from penstock.stores import Store

_EXECUTED = frozenset({StepState.FINISHED, StepState.FAILED, StepState.KILLED, StepState.RUNNING})
_ENDED_RUNS = frozenset({RunState.FINISHED, RunState.FAILED, RunState.KILLED})


def list_run_events(run_id: str, *, store: Store) -> list[dict[str, Any]]:
    """List the OpenLineage events of a run and its steps, in the order in which they happened.

    Args:
        run_id: Id of the run.
        store: Store of the run.

    Raises:
        NotFoundError: If there is no such run.
    """
    run = store.metadata.runs.get(run_id)
    events = [*_of_run(run)]
    for step in store.metadata.steps.list(run_id):
        events += _of_step(run, step)
    # Of one moment: the run begins first and ends last, a step begins before it ends.
    events.sort(key=lambda event: (event.at, _rank(event)))
    return [run_event(store, event) for event in events]


def _of_run(run: RunRecord) -> Iterator[EventRecord]:
    if run.started_at is not None:
        yield _event(run, "run.started", run.started_at)
    if run.ended_at is not None and run.state in _ENDED_RUNS:
        yield _event(run, f"run.{run.state.value}", run.ended_at, error=run.error)


def _of_step(run: RunRecord, step: StepRunRecord) -> Iterator[EventRecord]:
    if step.started_at is not None and step.state in _EXECUTED:
        yield _event(run, "step.started", step.started_at, step)
    if step.ended_at is not None:
        yield _event(run, f"step.{step.state.value}", step.ended_at, step, error=step.error)


def _event(
    run: RunRecord,
    kind: str,
    at: datetime,
    step: StepRunRecord | None = None,
    *,
    error: str | None = None,
) -> EventRecord:
    facts = {"error": error} if error else {}
    name, step_run = (None, None) if step is None else (step.step, step.step_run_id)
    return EventRecord(new_id(), "", kind, run.run_id, at, at, name, step_run, facts)


def _rank(event: EventRecord) -> int:
    begins = event.kind.endswith(".started")
    if event.step is None:
        return 0 if begins else 3
    return 1 if begins else 2
