"""run: check, trace, record and execute a pipeline."""

import getpass
from collections.abc import Iterable, Mapping
from typing import Any

from penstock.core import (
    ParameterError,
    RunRecord,
    RunState,
    new_id,
    now,
    require_name,
)
from penstock.execution._loading import load_pipeline, stop_while_loading
from penstock.execution._manifest import record_provenance
from penstock.execution._perform import perform, process_facts
from penstock.execution._place import entry_of, project_of
from penstock.execution._protocol import Reporter
from penstock.execution._reporters import default_reporter
from penstock.execution._result import PipelineResult
from penstock.execution._resume import resume_run
from penstock.execution._runners import find_runner, policy
from penstock.execution._session import Session
from penstock.pipelines import Graph, Pipeline, part_of
from penstock.stores import Store, open_store
from penstock.tracking import Run, current_run


def run(
    pipeline: Pipeline[..., Any] | str | None = None,
    *,
    runner: str = "local",
    workers: int | None = None,
    on_failure: str = "finish",
    store: Store | str | None = None,
    seed: int = 0,
    use_cache: bool = True,
    refresh: Iterable[str] = (),
    only: Iterable[str] = (),
    from_step: str | None = None,
    until: str | None = None,
    resume: str | None = None,
    name: str | None = None,
    experiment: str | None = None,
    tags: Mapping[str, Any] | None = None,
    entry: str | None = None,
    reporter: Reporter | None = None,
    **params: Any,
) -> PipelineResult:
    """Run a pipeline, with everything recorded.

    A step that fails stops only what depends on it; the result says what happened and which
    command goes on. In a file that `penstock run` loads, a call outside of functions does nothing.

    >>> import tempfile
    >>> from penstock.pipelines import pipeline, step
    >>> @step
    ... def double(number: int) -> int:
    ...     return 2 * number
    >>> @pipeline
    ... def twice(number: int) -> int:
    ...     return double(double(number))
    >>> from penstock.execution import QuietReporter
    >>> place = f"sqlite:///{tempfile.mkdtemp()}/penstock.db"
    >>> run(twice, number="3", store=place, reporter=QuietReporter()).output()
    12

    Args:
        pipeline: The pipeline, or ``file.py:name``; None only with ``resume``.
        runner: Where steps run: ``local``, in this process, one at a time; or ``processes``, side
            by side in processes of this machine. Keys and results are the same.
        workers: How many steps may run at once, where they run side by side; by default one for
            each core.
        on_failure: What one failed step means for the others: ``finish`` all that do not need it,
            or ``stop`` what is running and begin nothing else.
        store: A store or its URL; by default the project's.
        seed: The run seed that every step's seed derives from.
        use_cache: False to execute every step, whatever is known.
        refresh: Names of steps to execute even if their result is known.
        only: Names of steps: these are executed, on what earlier runs gave.
        from_step: Execute this step and all that depend on it, on what earlier runs gave.
        until: Execute this step and what it needs; with ``from_step`` what lies between them.
        resume: Id of a failed or killed run to go on with; its own parameters are used.
        name: What to call the run; by default the pipeline's name.
        experiment: The group that it belongs to; by default the pipeline's name.
        tags: Free marks.
        entry: Where it is started from, ``file.py:name``; by default where the pipeline is defined.
        reporter: Whom to tell; by default a terminal gets progress, else plain lines.
        **params: The pipeline's parameters, as values or text.

    Raises:
        ParameterError: If a parameter or option cannot be used; nothing is recorded then.
        DefinitionError: If the pipeline is written wrongly; nothing is recorded then.
        KeyboardInterrupt: If it is interrupted; the run is marked as killed.
    """
    stop_while_loading()
    if resume is not None:
        return resume_run(
            resume,
            target=pipeline,
            runner=runner,
            workers=workers,
            on_failure=on_failure,
            store=store,
            reporter=reporter,
            params=params,
        )
    if pipeline is None:
        raise ParameterError(
            what="No pipeline was given.",
            fix="Write run(pipeline), or run(resume=RUN) to go on with a run.",
        )
    return run_pipeline(
        load_pipeline(pipeline) if isinstance(pipeline, str) else pipeline,
        params,
        runner=runner,
        workers=workers,
        on_failure=on_failure,
        store=store,
        seed=seed,
        use_cache=use_cache,
        refresh=refresh,
        only=only,
        from_step=from_step,
        until=until,
        name=name,
        experiment=experiment,
        tags=tags,
        entry=entry,
        reporter=reporter,
    )


def run_pipeline(
    pipeline: Pipeline[..., Any],
    params: Mapping[str, Any],
    *,
    runner: str = "local",
    workers: int | None = None,
    on_failure: str = "finish",
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
    reporter: Reporter | None = None,
) -> PipelineResult:
    """Run a pipeline whose parameters are given as a mapping; see `run`."""
    graph = pipeline.trace(**pipeline.bind(params))
    graph = part_of(graph, only=only, from_step=from_step, until=until)
    again = frozenset(graph[step].name for step in refresh)
    _require_executed(graph, again)
    chosen = find_runner(runner)
    how = policy(workers, on_failure)
    opened = open_store(store) if store is None or isinstance(store, str) else store
    project = project_of(pipeline.file)
    provenance = record_provenance(opened, project)
    outer, moment = current_run(), now()
    record = RunRecord(
        run_id=new_id(),
        name=name or pipeline.name,
        experiment=require_name(experiment or pipeline.name, "experiment"),
        pipeline=pipeline.name,
        entry=entry or entry_of(pipeline, project),
        state=RunState.RUNNING,
        seed=_seed(seed),
        created_at=moment,
        parent_run_id=outer.run_id if outer else None,
        started_at=moment,
        heartbeat_at=moment,
        user=_user(),
        params=pipeline.dump(graph.parameters),
        tags={key: str(value) for key, value in (tags or {}).items()},
        provenance=provenance.digest,
        graph=graph.to_spec(),
        **process_facts(),
    )
    opened.metadata.create_run(record)
    opened.metadata.add_edges(provenance.edges(record.run_id))
    session = Session(
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
    return perform(chosen, session)


def _require_executed(graph: Graph, again: frozenset[str]) -> None:
    other = sorted(again & graph.given)
    if other:
        raise ParameterError(
            what=f"{other[0]!r} is to be executed again, but is not among the steps asked for.",
            fix="Ask for it too, or leave it out of what is refreshed.",
            step=other[0],
        )


def _seed(seed: Any) -> int:
    if isinstance(seed, int) and seed >= 0:
        return seed
    raise ParameterError(
        what=f"The seed is {seed!r}.", fix="Give a whole number of 0 or more.", seed=seed
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container whose user has no name
        return ""
