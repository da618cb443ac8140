"""Resume: the session of a failed or killed run, with the present code."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from penstock.core import ConflictError, NotFoundError, RunRecord, RunState, find_project, now
from penstock.execution.engine._loading import load_pipeline
from penstock.execution.engine._manifest import record_provenance
from penstock.execution.engine._options import RunOptions
from penstock.execution.engine._perform import process_facts
from penstock.execution.engine._project import project_of
from penstock.execution.engine._reporter import Reporter
from penstock.execution.engine._session import Session
from penstock.execution.engine._tracing import retrace, spec_of
from penstock.pipelines import EntryPoint, Graph, Pipeline
from penstock.stores import Store, open_store
from penstock.tracking import Run


def resumed_session(
    run_id: str,
    target: Pipeline[..., Any] | str | None,
    params: Mapping[str, Any],
    options: RunOptions,
    reporter: Reporter,
    *,
    check: Callable[[Graph], None],
) -> Session:
    """Mark a run as running again and return the session that executes the rest.

    Args:
        run_id: Id of the run; a unique prefix, or ``"last"`` for the newest run of a pipeline.
        target: The pipeline or ``file.py:name``; None for the entry point of the run.
        params: Parameters passed again; must equal those of the run.
        options: Where and how the rest is executed; the record of the run stays.
        reporter: Progress reporter.
        check: Raises if the graph cannot be executed as requested.

    Raises:
        NotFoundError: If there is no such run, or the pipeline's file is gone.
        ConflictError: If the run is running or finished, or was made with different parameters.
    """
    store = open_store(options.store)
    store.metadata.runs.kill_dead()
    record = store.metadata.runs.get(_last_of_pipelines(store) if run_id == "last" else run_id)
    _require_resumable(record)
    pipeline = (
        target if isinstance(target, Pipeline) else load_pipeline(target or entry_of_run(record))
    )
    _require_same(pipeline, record, params)
    graph = retrace(pipeline, record)
    check(graph)
    project = project_of(pipeline.file)
    # The code may have changed since the last attempt, so provenance and graph are recorded anew.
    provenance = record_provenance(project, store=store)
    record = store.metadata.runs.update(
        record.run_id,
        state=RunState.RUNNING,
        attempt=record.attempt + 1,
        heartbeat_at=now(),
        ended_at=None,
        error=None,
        provenance=provenance.digest,
        graph=replace(spec_of(pipeline, graph), resumed_at=now().isoformat()).to_json(),
        **process_facts(),
    )
    store.metadata.artifacts.add_edges(provenance.edges(record.run_id))
    earlier = {step.step: step for step in store.metadata.steps.list(record.run_id)}
    run = Run(record, store)
    return Session(
        run,
        graph,
        store,
        project,
        record.seed,
        reporter,
        options,
        earlier=earlier,
        pipeline=pipeline,
    )


def _last_of_pipelines(store: Store) -> str:
    """Return the newest run of a pipeline: a tracked script, even if newer, has no steps."""
    runs = store.metadata.runs.search("pipeline != ''", order_by="created_at desc", limit=1)
    return runs[0].run_id if runs else "last"


def _require_resumable(record: RunRecord) -> None:
    if record.pipeline is None:
        raise ConflictError(
            what=f"Run {record.run_id} is a tracked script, not a pipeline.",
            why="Only the steps of a pipeline can be continued one by one.",
            fix="Start the script again.",
            run_id=record.run_id,
        )
    if record.state in {RunState.RUNNING, RunState.FINISHED}:
        raise ConflictError(
            what=f"Run {record.run_id} is {record.state.value}.",
            why="Only a failed or killed run can be resumed.",
            fix="Start a new run: steps whose inputs and code are the same are taken from the cache.",
            run_id=record.run_id,
        )


def _require_same(
    pipeline: Pipeline[..., Any], record: RunRecord, params: Mapping[str, Any]
) -> None:
    if not params:
        return
    # Compared in the stored form, which is the only form that the run's record has.
    arguments = pipeline.dump(pipeline.bind({**record.arguments, **params}))
    other = sorted(name for name in arguments if arguments[name] != record.params.get(name))
    if other:
        raise ConflictError(
            what=f"Run {record.run_id} was made with another {', '.join(other)}.",
            why="A run has one set of parameters.",
            fix="Resume it without parameters, or start a new run with them.",
            names=other,
        )


def entry_of_run(record: RunRecord) -> EntryPoint:
    """Return the entry point of a run, with the file below the project or the current folder."""
    if record.entry is None:
        raise NotFoundError(
            what=f"Run {record.run_id} does not say which file its pipeline is in.",
            why="It was started from a notebook or an interpreter.",
            fix=f"Name the pipeline: run(pipeline, resume={record.run_id!r}).",
            run_id=record.run_id,
        )
    entry = EntryPoint.parse(record.entry)
    if not entry.is_file:
        return entry
    for folder in (find_project(), Path.cwd()):
        if (folder / entry.module).is_file():
            return entry.below(folder)
    raise NotFoundError(
        what=f"Run {record.run_id} was started from {entry.module}, which is not in {find_project()}.",
        fix=f"Name the file: penstock run FILE.py --resume {record.run_id}",
        run_id=record.run_id,
    )
