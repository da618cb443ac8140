"""Execution of a recorded session: heartbeats, the runner, and the end of the run."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

from penstock.core import PenstockError, RunState, StepRunRecord, StepState
from penstock.execution.engine._result import PipelineResult
from penstock.execution.engine._session import Runner, Session
from penstock.execution.step import use_home
from penstock.hooks import Courier
from penstock.provenance import keep_generators
from penstock.stores import this_process
from penstock.tracking import Heartbeat, RunsHeartbeat, RunStopped, use_run


def perform(
    runner: Runner, session: Session, *, shared: RunsHeartbeat | None = None
) -> PipelineResult:
    """Execute a session and record how the run ended.

    Args:
        runner: Executes the steps.
        session: The session.
        shared: Heartbeat of many short runs; the owner also delivers their events to hooks. By
            default the run has a separate heartbeat.

    Raises:
        KeyboardInterrupt: If the run is interrupted; the run is marked as killed.
        StoreError: If the end cannot be recorded; the run is marked as failed where possible.
    """
    if session.pipeline is not None:
        use_home(Path(session.pipeline.file))
    if shared is not None:
        return _perform(runner, session, shared.of(session.run))
    with Courier(store=session.store):
        return _perform(runner, session, Heartbeat(session.run, store=session.store))


def _perform(
    runner: Runner, session: Session, heartbeat: AbstractContextManager[object]
) -> PipelineResult:
    run, reporter = session.run, session.reporter
    names = [node.name for node in session.graph.order()]
    reporter.run_started(run.run_id, session.graph.name, names)
    try:
        with keep_generators(), heartbeat, use_run(run):
            steps = runner.run(session)
    except KeyboardInterrupt:
        _finish(session, (), RunState.KILLED, "it was interrupted")
        raise
    except RunStopped as stop:
        _finish(session, (), RunState.KILLED, str(stop))
        raise
    except BaseException as error:
        with suppress(PenstockError):
            _finish(session, (), RunState.FAILED, f"{type(error).__name__}: {error}")
        raise
    failed = [step for step in steps if step.state is StepState.FAILED]
    waiting = [step for step in steps if step.state is StepState.QUEUED]
    if waiting and not failed:
        why = f"step {waiting[-1].step!r}: {waiting[-1].error}"
        return _finish(session, steps, RunState.QUEUED, why)
    state = RunState.FAILED if failed else RunState.FINISHED
    return _finish(session, steps, state, failed[0].error if failed else None)


def process_facts() -> dict[str, Any]:
    """Return the facts that identify this process in a run's record."""
    host, pid, started = this_process()
    return {"host": host, "pid": pid, "pid_started": started}


def _finish(
    session: Session, steps: Sequence[StepRunRecord], state: RunState, error: str | None
) -> PipelineResult:
    if state is RunState.QUEUED:
        session.store.flush()
        session.store.metadata.runs.update(session.run.run_id, state=state, error=error)
    else:
        session.run.finish(state, error=error)
    result = PipelineResult(
        session.run.run_id,
        session.graph.name,
        state,
        tuple(steps),
        session.graph,
        session.store,
        error,
    )
    session.reporter.run_finished(result)
    return result
