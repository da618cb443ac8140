"""``run_step``: execute a single step of a recorded run on the outputs of earlier steps."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from penstock.core import (
    ConflictError,
    ParameterError,
    RunRecord,
    RunState,
    StepRunRecord,
    StepState,
)
from penstock.execution._reporters import QuietReporter
from penstock.execution.engine import (
    Reporter,
    Session,
    entry_of_run,
    is_settled,
    item_names,
    load_pipeline,
    project_of,
    retrace,
    stop_while_loading,
)
from penstock.execution.runners import LocalRunner
from penstock.hooks import Courier
from penstock.pipelines import Graph, Pipeline
from penstock.provenance import keep_generators
from penstock.stores import Store, claim_here, open_store
from penstock.tracking import ClaimKeeper, Run, use_run

_log = logging.getLogger("penstock")
_AGAIN_S = 0.25


def run_step(
    run: str,
    step: str,
    *,
    target: Pipeline[..., Any] | str | None = None,
    retries: bool = True,
    reporter: Reporter | None = None,
    store: Store | str | None = None,
) -> StepRunRecord:
    """Execute a step of a run; the step's inputs must have been made in this run.

    The result is recorded under the same key as by any runner. A step that has ended well and whose
    key still holds is not executed again. The last step to end ends the run. Several processes may
    execute different steps of a run at once; a step under execution elsewhere is waited for.

    Args:
        run: Id of the run; a unique prefix, or ``"last"``.
        step: Name of the step; ``train`` executes all items of a map, ``train[3]`` a single item.
        target: The pipeline or ``file.py:name``; by default the entry point of the run.
        retries: False if the caller, an orchestrator, retries a step that fails.
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
    if not retries and (ended := _ended_before(opened, record, step)) is not None:
        return ended  # an orchestrator repeats a task whose end it has missed
    _require_open(record)
    pipeline, whole = _loaded(record, target)
    name = _require_step(whole, step)
    # An item needs the predecessors of its map: ``train[3]`` those of ``train``.
    _require_ended(whole, step.partition("[")[0], opened, record)
    with _claimed(opened, record, whole, step):
        session = Session(
            Run(record, opened),
            whole,
            opened,
            project_of(pipeline.file),
            record.seed,
            reporter or QuietReporter(),
            # Read again: to claim the step may have taken long.
            earlier={each.step: each for each in opened.metadata.steps.list(record.run_id)},
            pipeline=pipeline,
            alone=step,
            retries=retries,
        )
        with keep_generators(), use_run(session.run):
            records = LocalRunner().run(session)
    return _result(records, step, name)


def list_items(
    run: str,
    step: str,
    *,
    target: Pipeline[..., Any] | str | None = None,
    store: Store | str | None = None,
) -> list[str]:
    """List the items of a map of a run, as the names that `run_step` executes singly.

    Orchestrators make a task of each: ``["train[0]", "train[1]"]``. The map itself, executed
    afterwards, collects their results. A map whose branch is not taken has no items.

    Args:
        run: Id of the run; a unique prefix, or ``"last"``.
        step: Name of the map.
        target: The pipeline or ``file.py:name``; by default the entry point of the run.
        store: Store that has the run; by default the project's store.

    Raises:
        NotFoundError: If there is no such run or step, or the pipeline's file is gone.
        ParameterError: If the step is no map.
        DefinitionError: If the mapped value has no items.
        ConflictError: If a step that makes the items has not ended well in this run.
    """
    stop_while_loading()
    opened = open_store(store)
    record = opened.metadata.runs.get(run)
    _, graph = _loaded(record, target)
    node = graph[step]
    if not node.is_expanded or node.max_rounds:
        raise ParameterError(
            what=f"Step {step!r} of pipeline {graph.name!r} is no map.",
            why="Only the items of a map are known before they are executed.",
            fix=f"Execute it as a whole: penstock step {record.run_id} {step}",
            step=step,
        )
    earlier = _require_ended(graph, step, opened, record)
    return item_names(graph, node, earlier, store=opened)


def _loaded(
    record: RunRecord, target: Pipeline[..., Any] | str | None
) -> tuple[Pipeline[..., Any], Graph]:
    """Return the pipeline of a run, and the graph traced with the run's parameters."""
    if not isinstance(target, Pipeline):
        target = load_pipeline(target or entry_of_run(record))
    return target, retrace(target, record)


@contextmanager
def _claimed(store: Store, record: RunRecord, graph: Graph, step: str) -> Iterator[None]:
    """Claim the step, in a run that several processes may work on; release the claim in the end.

    A step under execution elsewhere is waited for: the result is then used.
    """
    steps, claim = store.metadata.steps, claim_here(record.run_id, step, record.attempt)
    if not steps.claim_step(claim):
        _log.warning("Step %r is being executed by another process; waiting for its end.", step)
        while not steps.claim_step(claim):
            time.sleep(_AGAIN_S)
    with Courier(store=store):
        try:
            with ClaimKeeper(claim, store=store):
                yield
        finally:
            store.flush()
            names = [node.name for node in graph.order()]
            if steps.release_step(claim, names) in {RunState.FINISHED, RunState.FAILED}:
                store.metadata.metrics.merge(record.run_id)


def _result(records: Sequence[StepRunRecord], step: str, name: str) -> StepRunRecord:
    """Return the step run of a step; of an item of a mapped pipeline, a failed step run or the last.

    Of an item of a map that was cached, the map's.
    """
    own = [record for record in records if record.step.startswith(f"{step}/")]
    failed = [record for record in own if record.state is StepState.FAILED]
    around = step.rpartition("[")[0]  # a map that is cached as a whole executes no items
    named = {each.step: each for each in records}
    return next(iter(failed), None) or named.get(name) or named[around]


def _ended_before(store: Store, record: RunRecord, step: str) -> StepRunRecord | None:
    """Return a step's good end in a run that has finished."""
    if record.state is not RunState.FINISHED:
        return None
    steps = store.metadata.steps.list(record.run_id)
    return next((each for each in steps if each.step == step and each.ended_well), None)


def _require_step(graph: Graph, step: str) -> str:
    """Return the name of the step, or of the last step of an item of a mapped pipeline."""
    around = graph.find(step.rpartition("[")[0]) if step.endswith("]") else None
    if around is None or not around.body:
        return graph[step].name
    prefix = f"{around.name}[]"
    return step + around.body[-1].name.removeprefix(prefix)


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
    graph: Graph, step: str, store: Store, record: RunRecord
) -> dict[str, StepRunRecord]:
    """Return the step runs of the run by name; the steps that a step needs must have ended."""
    earlier = {each.step: each for each in store.metadata.steps.list(record.run_id)}
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
    return earlier
