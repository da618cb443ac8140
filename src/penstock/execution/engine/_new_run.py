"""A new run: checked, traced and recorded, ready to be executed or queued."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from penstock.core import (
    ConflictError,
    ParameterError,
    RunRecord,
    RunState,
    current_actor,
    new_id,
    now,
    require_name,
)
from penstock.execution.engine._manifest import record_provenance
from penstock.execution.engine._options import RunOptions
from penstock.execution.engine._partitions import PARTITION, begin_partition
from penstock.execution.engine._perform import process_facts
from penstock.execution.engine._project import project_of
from penstock.execution.engine._reporter import Reporter
from penstock.execution.engine._session import Session
from penstock.execution.engine._tracing import spec_of
from penstock.pipelines import EntryPoint, Graph, Pipeline, part_of
from penstock.stores import open_store
from penstock.tracking import Run, active_run

_log = logging.getLogger("penstock")


def new_session(
    pipeline: Pipeline[..., Any],
    params: Mapping[str, Any],
    options: RunOptions,
    reporter: Reporter,
    *,
    check: Callable[[Graph], None] | None = None,
    steps: Iterable[str] | None = None,
    project: Path | None = None,
) -> Session:
    """Record a new run and return the session for the execution.

    Args:
        pipeline: The pipeline.
        params: Parameters of the pipeline, as values or text.
        options: Options of the run.
        reporter: Progress reporter.
        check: Raises if the graph cannot be executed as requested; None to queue the run, whose
            steps are then executed from outside.
        steps: Names of the steps that the run must have; None for any.
        project: The project's folder, where it is known; by default that of the pipeline's file.

    Raises:
        ParameterError: If a parameter or option cannot be used; nothing is recorded then.
        DefinitionError: If the pipeline's definition is wrong; nothing is recorded then.
        NotFoundError: If there is no such partition.
        ConflictError: If the partition is being run, or a run with this id exists.
    """
    params, options = _share_name(pipeline, params, options)
    graph = _traced(pipeline, params, options)
    if steps is not None:
        _require_steps(graph, set(steps))
    if check is not None:
        check(graph)
    refresh = frozenset(graph[step].name for step in options.refresh)
    _require_executed(graph, refresh)
    project = project or project_of(pipeline.file)
    store = open_store(options.store, project=project)
    provenance = record_provenance(project, store=store)
    for sentence in provenance.unrecorded:
        _log.warning("%s", sentence)
    record = _record(pipeline, graph, project, options, provenance.digest)
    if check is not None:
        record = replace(
            record,
            state=RunState.RUNNING,
            started_at=record.created_at,
            heartbeat_at=record.created_at,
            **process_facts(),
        )
    # The partition stays leased until its run is recorded, so that no second run can start.
    with begin_partition(store, pipeline, options.partition):
        store.metadata.runs.create(record)
    store.metadata.artifacts.add_edges(provenance.edges(record.run_id))
    run = Run(record, store)
    run.begin_empty()
    return Session(
        run, graph, store, project, record.seed, reporter, options, refresh, pipeline=pipeline
    )


def _share_name(
    pipeline: Pipeline[..., Any], params: Mapping[str, Any], options: RunOptions
) -> tuple[Mapping[str, Any], RunOptions]:
    """Pass the option ``name`` to the pipeline if the pipeline has a parameter of that name."""
    if options.name is None or "name" not in pipeline.parameters or "name" in params:
        return params, options
    return {**params, "name": options.name}, replace(options, name=None)


def _traced(pipeline: Pipeline[..., Any], params: Mapping[str, Any], options: RunOptions) -> Graph:
    if options.partition is None:
        bound = pipeline.bind(params)
    else:
        bound = pipeline.bind_partition(options.partition, params)
    return part_of(
        pipeline.trace(**bound),
        only=options.only,
        from_step=options.from_step,
        until=options.until,
    )


def _record(
    pipeline: Pipeline[..., Any],
    graph: Graph,
    project: Path,
    options: RunOptions,
    provenance: str,
) -> RunRecord:
    """Return the record of a queued run."""
    outer, entry = active_run(), EntryPoint.of(pipeline, project)
    return RunRecord(
        run_id=require_name(options.run_id, "run") if options.run_id else new_id(),
        name=options.name or pipeline.name,
        experiment=require_name(options.experiment or pipeline.name, "experiment"),
        pipeline=pipeline.name,
        entry=options.entry or (str(entry) if entry else None),
        seed=options.seed,
        created_at=now(),
        parent_run_id=outer.run_id if outer else None,
        user=current_actor(),
        params=pipeline.dump(graph.parameters),
        tags=_tags(options.tags, options.partition),
        provenance=provenance,
        graph=spec_of(pipeline, graph).to_json(),
        state=RunState.QUEUED,
    )


def _require_steps(graph: Graph, expected: set[str]) -> None:
    """Refuse a graph whose steps differ from those that the caller, an exported file, executes."""
    names = {node.name for node in graph.nodes}
    if other := sorted(names ^ expected):
        has = "has no" if other[0] in expected else "has a"
        raise ConflictError(
            what=f"Pipeline {graph.name!r} {has} step {other[0]!r} with this code and these parameters.",
            why="The exported file has a task for each step of the pipeline as it was exported.",
            fix="Export the pipeline again: penstock export FILE.py --to ENGINE -o FILE",
            steps=other,
        )


def _require_executed(graph: Graph, again: frozenset[str]) -> None:
    other = sorted(again & graph.given)
    if other:
        raise ParameterError(
            what=f"{other[0]!r} is to be executed again, but is not among the selected steps.",
            fix="Ask for it too, or leave it out of what is refreshed.",
            step=other[0],
        )


def _tags(tags: Mapping[str, object] | None, partition: str | None) -> dict[str, str]:
    texts = {key: str(value) for key, value in (tags or {}).items()}
    return texts if partition is None else {**texts, PARTITION: partition}
