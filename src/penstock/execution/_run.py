"""run: check, trace, record and execute a pipeline."""

from collections.abc import Iterable, Mapping
from typing import Any

from penstock.core import ParameterError
from penstock.execution._new_run import new_session
from penstock.execution._reporters import QuietReporter
from penstock.execution._resume import resume_run
from penstock.execution.engine import (
    PipelineResult,
    Reporter,
    load_pipeline,
    perform,
    stop_while_loading,
)
from penstock.execution.runners import OnFailure, RunnerName, find_runner
from penstock.pipelines import Pipeline
from penstock.stores import Store

# Options that are fixed when a run is recorded; the rest control how steps are executed.
_RECORDED = (
    "store", "seed", "only", "from_step", "until", "name", "experiment", "tags", "entry",
    "partition", "run_id",
)  # fmt: skip


def run(
    pipeline: Pipeline[..., Any] | str | None = None,
    *,
    runner: RunnerName = "local",
    workers: int | None = None,
    on_failure: OnFailure = "finish_independent",
    seed: int = 0,
    use_cache: bool = True,
    refresh: Iterable[str] = (),
    only: Iterable[str] = (),
    from_step: str | None = None,
    until: str | None = None,
    resume: str | None = None,
    name: str | None = None,
    experiment: str | None = None,
    tags: Mapping[str, object] | None = None,
    entry: str | None = None,
    partition: str | None = None,
    run_id: str | None = None,
    reporter: Reporter | None = None,
    store: Store | str | None = None,
    **params: Any,
) -> PipelineResult:
    """Run a pipeline, and record everything.

    A failed step stops only the steps that depend on it; the result has the error and the command
    that resumes the run. In a file that `penstock run` loads, a call outside functions does
    nothing.

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
        pipeline: The pipeline, or an entry point ``file.py:name``; None only with ``resume``.
        runner: Where steps run: ``local``, in this process, in sequence; ``processes``, in
            parallel in processes of this machine; or ``ray``, on this machine or on the cluster of
            ``RAY_ADDRESS``. Keys and results are the same.
        workers: Maximum number of steps at the same time, for runners that work in parallel; by
            default one for each core.
        on_failure: Failure policy: ``finish_independent`` steps, those that do not depend on the failed step, or
            ``stop`` the running steps and start no more.
        seed: The run seed that every step's seed derives from.
        use_cache: False to execute every step, even if a cached result exists.
        refresh: Names of steps to execute even if a cached result exists.
        only: Names of the only steps to execute, on results of earlier runs.
        from_step: Execute this step and all that depend on it, on results of earlier runs.
        until: Execute this step and its predecessors; with ``from_step`` only the steps between.
        resume: Id of a failed or killed run to resume, with the parameters of that run.
        name: Name of the run; by default the pipeline's name.
        experiment: Experiment that groups the run; by default the pipeline's name.
        tags: Tags of the run.
        entry: Entry point of the run, ``file.py:name``; by default where the pipeline is defined.
        partition: Key of the pipeline's partition to run; sets some of the parameters. Two runs of
            the same partition at the same time are refused.
        run_id: Id of the run; by default a new id. A second call with the same id raises a
            ConflictError and makes no second run.
        reporter: Progress reporter; by default rich progress on a terminal, else plain lines.
        **params: Parameters of the pipeline, as values or text.
        store: Store or store URL; by default the project's store.

    Raises:
        ParameterError: If a parameter or option cannot be used; nothing is recorded then.
        DefinitionError: If the pipeline's definition is wrong; nothing is recorded then.
        NotFoundError: If there is no such partition.
        ConflictError: If the partition is being run, or a run with this id exists.
        KeyboardInterrupt: If the run is interrupted; the run is marked as killed.
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
            fix="Write run(pipeline), or run(resume=RUN) to resume a run.",
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
        partition=partition,
        run_id=run_id,
        reporter=reporter,
    )


def run_pipeline(
    pipeline: Pipeline[..., Any],
    params: Mapping[str, Any],
    *,
    runner: RunnerName = "local",
    **options: Any,
) -> PipelineResult:
    """Run a pipeline with its parameters in a mapping; see `run` for the options."""
    chosen = find_runner(runner)
    check = getattr(chosen, "check", None)  # for runners that cannot keep every option everywhere
    return perform(chosen, new_session(pipeline, params, check=check, **options))


def prepare_run(pipeline: Pipeline[..., Any] | str, /, **options: Any) -> str:
    """Record a run whose steps are executed from outside with `run_step`; returns the run's id.

    Orchestrators start a run this way: `run_step` executes each of the steps, in any process and on
    any machine that reaches the store, and the last step ends the run.

    >>> import tempfile
    >>> from penstock.execution import run_step
    >>> from penstock.pipelines import pipeline, step
    >>> @step
    ... def double(number: int) -> int:
    ...     return 2 * number
    >>> @pipeline
    ... def job(number: int):
    ...     return double(number)
    >>> place = f"sqlite:///{tempfile.mkdtemp()}/penstock.db"
    >>> run_id = prepare_run(job, number=4, store=place)
    >>> run_step(run_id, "double", target=job, store=place).state.value
    'finished'

    Args:
        pipeline: The pipeline, or an entry point ``file.py:name``.
        **options: Parameters of the pipeline, and the options of `run` except those that control
            how steps are executed.

    Raises:
        ParameterError: If a parameter or option cannot be used; nothing is recorded then.
        DefinitionError: If the pipeline's definition is wrong; nothing is recorded then.
    """
    found = load_pipeline(pipeline) if isinstance(pipeline, str) else pipeline
    given = {name: options.pop(name) for name in _RECORDED if name in options}
    session = new_session(found, options, waiting=True, reporter=QuietReporter(), **given)
    return session.run.run_id
