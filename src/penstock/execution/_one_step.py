"""``run_step``: execute a single step of a recorded run on the outputs of earlier steps."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from penstock.core import (
    ConflictError,
    RunRecord,
    RunState,
    StepRunRecord,
    StepState,
    now,
)
from penstock.execution._reporters import QuietReporter
from penstock.execution.engine import (
    Reporter,
    Session,
    entry_of_run,
    is_settled,
    load_pipeline,
    process_facts,
    project_of,
    retrace,
    stop_while_loading,
)
from penstock.execution.runners import LocalRunner
from penstock.hooks import Courier
from penstock.pipelines import Graph, Pipeline
from penstock.provenance import keep_generators
from penstock.stores import Store, open_store
from penstock.tracking import Heartbeat, Run, use_run

_BAD_STATES = frozenset({StepState.FAILED, StepState.KILLED})


def run_step(
    run: str,
    step: str,
    *,
    target: Pipeline[..., Any] | str | None = None,
    reporter: Reporter | None = None,
    store: Store | str | None = None,
) -> StepRunRecord:
    """Execute a step of a run; the step's inputs must have been made in this run.

    The result is recorded under the same key as by any runner. A step that has ended well and whose
    key still holds is not executed again. The last step to end ends the run.

    Args:
        run: Id of the run; a unique prefix, or ``"last"``.
        step: Name of the step; ``train`` executes all items of a map, ``train[3]`` a single item.
        target: The pipeline or ``file.py:name``; by default the entry point of the run.
        reporter: Progress reporter.
        store: Store that has the run; by default the project's store.

    Raises:
        NotFoundError: If there is no such run or step, or the pipeline's file is gone.
        ConflictError: If the run has finished, or a step needed has not ended well in this run or
            was made with code that differs from the present code.
    """
    stop_while_loading()
    opened = open_store(store)
    # A run whose process died counts as running until it is marked as killed.
    opened.metadata.runs.kill_dead()
    record = opened.metadata.runs.get(run)
    _require_open(record)
    pipeline = (
        target if isinstance(target, Pipeline) else load_pipeline(target or entry_of_run(record))
    )
    whole = retrace(pipeline, record)
    node = whole[step]
    # An item needs the predecessors of its map: ``train[3]`` those of ``train``.
    own = step.partition("[")[0]
    earlier = {each.step: each for each in opened.metadata.steps.list(record.run_id)}
    _require_ended(whole, own, earlier, record)
    session = Session(
        Run(record, opened),
        whole,
        opened,
        project_of(pipeline.file),
        record.seed,
        reporter or QuietReporter(),
        earlier=earlier,
        pipeline=pipeline,
        alone=node.name,
    )
    _mark(opened, record, state=RunState.RUNNING, heartbeat_at=now(), **process_facts())
    with Courier(store=opened):
        try:
            with keep_generators(), Heartbeat(session.run, store=opened), use_run(session.run):
                records = LocalRunner().run(session)
        finally:
            opened.flush()
            _close(opened, record, whole)
    return next(record for record in records if record.step == node.name)


def _require_open(record: RunRecord) -> None:
    if record.pipeline is None:
        raise ConflictError(
            what=f"Run {record.run_id} is a tracked script, not a pipeline.",
            fix="Start the script again.",
        )
    if record.state is RunState.FINISHED:
        raise ConflictError(
            what=f"Run {record.run_id} is finished.",
            why="All of its steps have ended well.",
            fix="Start a new run; or look at one step: penstock debug RUN STEP.",
        )


def _require_ended(
    graph: Graph, step: str, earlier: Mapping[str, StepRunRecord], record: RunRecord
) -> None:
    for name in [node.name for node in graph.order() if node.name in graph.needed_by(step)]:
        if is_settled(earlier.get(name)):
            continue
        state = earlier[name].state if name in earlier else None
        status = "has not been executed" if state is None else f"is {state.value}"
        raise ConflictError(
            what=f"Step {step!r} needs {name!r}, which {status} in run {record.run_id}.",
            why="It needs the outputs of the previous steps of this run.",
            fix=f"Execute that first: penstock step {record.run_id} {name}",
            step=name,
        )


def _mark(store: Store, record: RunRecord, **changes: Any) -> None:
    begun: dict[str, Any] = {} if record.started_at else {"started_at": now()}
    store.metadata.runs.update(record.run_id, **begun, **changes)


def _close(store: Store, record: RunRecord, graph: Graph) -> None:
    """End the run if all steps have ended or a step failed; else queue the run again."""
    steps = {step.step: step for step in store.metadata.steps.list(record.run_id)}
    own = [steps.get(node.name) for node in graph.order()]
    failed = next((step for step in own if step and step.state in _BAD_STATES), None)
    if not all(is_settled(step) for step in own) and not failed:
        _mark(store, record, state=RunState.QUEUED)
        return
    run = Run(replace(record, state=RunState.RUNNING), store)
    state = RunState.FAILED if failed else RunState.FINISHED
    run.finish(state, error=failed.error if failed else None)
