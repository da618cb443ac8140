"""resume_run: continue a failed or killed run, with the present code."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.core import ConflictError, NotFoundError, RunRecord, RunState, find_project, now
from penstock.execution._reporters import default_reporter
from penstock.execution.engine import (
    PipelineResult,
    Reporter,
    Session,
    load_pipeline,
    perform,
    process_facts,
    project_of,
    record_provenance,
    stop_while_loading,
)
from penstock.execution.runners import OnFailure, RunnerName, find_runner, policy
from penstock.pipelines import Pipeline, part_of
from penstock.stores import Store, open_store
from penstock.tracking import Run

RESUMED_AT = "resumed_at"
"""Key in a run's graph: when the last attempt began; steps that ended before were not repeated."""


def resume_run(
    run_id: str,
    *,
    target: Pipeline[..., Any] | str | None = None,
    runner: RunnerName = "local",
    workers: int | None = None,
    on_failure: OnFailure = "finish_independent",
    reporter: Reporter | None = None,
    params: Mapping[str, Any] | None = None,
    store: Store | str | None = None,
) -> PipelineResult:
    """Resume a failed or killed run, with the present code.

    Steps that finished and whose key still holds are not repeated.

    Args:
        run_id: Id of the run; a unique prefix, or ``"last"`` for the newest run of a pipeline.
        target: The pipeline or ``file.py:name``; by default the entry point of the run.
        runner: Name of the runner, see `run`; may differ from the first attempt's.
        workers: See `run`.
        on_failure: See `run`.
        reporter: Progress reporter.
        params: Parameters passed again; must equal those of the run.
        store: Store that has the run; by default the project's store.

    Raises:
        NotFoundError: If there is no such run, or the pipeline's file is gone.
        ConflictError: If the run is running or finished, or was made with different parameters.
    """
    stop_while_loading()
    chosen, how = find_runner(runner), policy(workers, on_failure)
    opened = open_store(store)
    opened.metadata.runs.kill_dead()
    record = opened.metadata.runs.get(_last_of_pipelines(opened) if run_id == "last" else run_id)
    _require_resumable(record)
    pipeline = (
        target if isinstance(target, Pipeline) else load_pipeline(target or entry_of_run(record))
    )
    _require_same(pipeline, record, params or {})
    graph = pipeline.trace(**pipeline.bind(record.arguments))
    graph = part_of(graph, **(record.graph or {}).get("asked", {}))
    check = getattr(chosen, "check", None)
    if check is not None:
        check(graph)
    project = project_of(pipeline.file)
    # The code may have changed since the last attempt, so provenance and graph are recorded anew.
    provenance = record_provenance(project, store=opened)
    record = opened.metadata.runs.update(
        record.run_id,
        state=RunState.RUNNING,
        attempt=record.attempt + 1,
        heartbeat_at=now(),
        ended_at=None,
        error=None,
        provenance=provenance.digest,
        graph={**graph.to_spec(), RESUMED_AT: now().isoformat()},
        **process_facts(),
    )
    opened.metadata.artifacts.add_edges(provenance.edges(record.run_id))
    session = Session(
        Run(record, opened),
        graph,
        opened,
        project,
        record.seed,
        reporter or default_reporter(),
        earlier={step.step: step for step in opened.metadata.steps.list(record.run_id)},
        pipeline=pipeline,
        **how,
    )
    return perform(chosen, session)


def _last_of_pipelines(store: Store) -> str:
    """Return the newest run of a pipeline: a tracked script, even a newer one, has no steps."""
    found = store.metadata.runs.search("pipeline != ''", order_by="created_at desc", limit=1)
    return found[0].run_id if found else "last"


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
    given = pipeline.dump(pipeline.bind({**record.arguments, **params}))
    other = sorted(name for name in given if given[name] != record.params.get(name))
    if other:
        raise ConflictError(
            what=f"Run {record.run_id} was made with another {', '.join(other)}.",
            why="A run has one set of parameters.",
            fix="Resume it without parameters, or start a new run with them.",
            names=other,
        )


def entry_of_run(record: RunRecord) -> str:
    """Return the entry point of a run, with the file below the project or the current folder."""
    entry = record.entry
    if entry is None:
        raise NotFoundError(
            what=f"Run {record.run_id} does not say which file its pipeline is in.",
            why="It was started from a notebook or an interpreter.",
            fix=f"Name the pipeline: run(pipeline, resume={record.run_id!r}).",
            run_id=record.run_id,
        )
    file, _, name = entry.rpartition(":")
    if not file.endswith(".py"):
        return entry
    for folder in (find_project(), Path.cwd()):
        if (folder / file).is_file():
            return f"{folder / file}:{name}"
    raise NotFoundError(
        what=f"Run {record.run_id} was started from {file}, which is not in {find_project()}.",
        fix=f"Name the file: penstock run FILE.py --resume {record.run_id}",
        run_id=record.run_id,
    )
