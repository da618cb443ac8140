"""A new run: checked, traced and recorded, ready to be executed or queued."""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from penstock.core import (
    ParameterError,
    RunRecord,
    RunState,
    current_actor,
    new_id,
    now,
    require_name,
    require_number,
)
from penstock.execution._reporters import default_reporter
from penstock.execution.engine import (
    PARTITION,
    Reporter,
    Session,
    begin_part,
    entry_of,
    process_facts,
    project_of,
    record_provenance,
)
from penstock.execution.runners import OnFailure, policy
from penstock.pipelines import Graph, Pipeline, part_of
from penstock.stores import Store, open_store
from penstock.tracking import Run, active_run

_log = logging.getLogger("penstock")


def new_session(
    pipeline: Pipeline[..., Any],
    params: Mapping[str, Any],
    *,
    waiting: bool = False,
    workers: int | None = None,
    on_failure: OnFailure = "finish_independent",
    store: Store | str | None = None,
    seed: int = 0,
    use_cache: bool = True,
    refresh: Iterable[str] = (),
    only: Iterable[str] = (),
    from_step: str | None = None,
    until: str | None = None,
    name: str | None = None,
    experiment: str | None = None,
    tags: Mapping[str, Any] | None = None,
    entry: str | None = None,
    partition: str | None = None,
    run_id: str | None = None,
    reporter: Reporter | None = None,
    check: Callable[[Graph], None] | None = None,
) -> Session:
    """Record a new run and return the session that executes it.

    The arguments are those of `run`; with ``waiting`` the run is queued and not executed yet.
    ``check`` raises if the graph cannot be executed as requested.

    Raises:
        ParameterError: If a parameter or option cannot be used; nothing is recorded then.
        DefinitionError: If the pipeline's definition is wrong; nothing is recorded then.
        NotFoundError: If there is no such partition.
        ConflictError: If the partition is being run, or a run with this id exists.
    """
    bound = pipeline.bind(params) if partition is None else pipeline.bind_part(partition, params)
    graph = pipeline.trace(**bound)
    graph = part_of(graph, only=only, from_step=from_step, until=until)
    if check is not None:
        check(graph)
    again = frozenset(graph[step].name for step in refresh)
    _require_executed(graph, again)
    how = policy(workers, on_failure)
    project = project_of(pipeline.file)
    opened = open_store(store, project=project)
    provenance = record_provenance(project, store=opened)
    for sentence in provenance.unrecorded:
        _log.warning("%s", sentence)
    outer, moment = active_run(), now()
    life = (
        {"state": RunState.QUEUED}
        if waiting
        else {
            "state": RunState.RUNNING,
            "started_at": moment,
            "heartbeat_at": moment,
            **process_facts(),
        }
    )
    record = RunRecord(
        run_id=require_name(run_id, "run") if run_id else new_id(),
        name=name or pipeline.name,
        experiment=require_name(experiment or pipeline.name, "experiment"),
        pipeline=pipeline.name,
        entry=entry or entry_of(pipeline, project),
        seed=_seed(seed),
        created_at=moment,
        parent_run_id=outer.run_id if outer else None,
        user=current_actor(),
        params=pipeline.dump(graph.parameters),
        tags=_tags(tags, partition),
        provenance=provenance.digest,
        graph=graph.to_spec() | _exact(pipeline, graph),
        **life,
    )
    # The partition stays leased until its run is recorded, so that no second run can start.
    with begin_part(opened, pipeline, partition):
        opened.metadata.runs.create(record)
    opened.metadata.artifacts.add_edges(provenance.edges(record.run_id))
    return Session(
        Run(record, opened),
        graph,
        opened,
        project,
        record.seed,
        reporter or default_reporter(),
        use_cache,
        again,
        pipeline=pipeline,
        **how,
    )


def _require_executed(graph: Graph, again: frozenset[str]) -> None:
    other = sorted(again & graph.given)
    if other:
        raise ParameterError(
            what=f"{other[0]!r} is to be executed again, but is not among the steps asked for.",
            fix="Ask for it too, or leave it out of what is refreshed.",
            step=other[0],
        )


def _tags(tags: Mapping[str, Any] | None, partition: str | None) -> dict[str, str]:
    given = {key: str(value) for key, value in (tags or {}).items()}
    return given if partition is None else {**given, PARTITION: partition}


def _exact(pipeline: Pipeline[..., Any], graph: Graph) -> dict[str, Any]:
    exact = pipeline.dump_exact(graph.parameters)
    return {"arguments": exact} if exact else {}


def _seed(seed: Any) -> int:
    require_number("seed", seed, low=0, whole=True)
    return int(seed)
