"""run: check, trace, record and execute a pipeline."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from penstock.core import ParameterError, with_article
from penstock.execution._reporters import QuietReporter, default_reporter
from penstock.execution.engine import (
    RECORDED,
    OnFailure,
    PipelineResult,
    Reporter,
    RunnerName,
    RunOptions,
    load_pipeline,
    new_session,
    perform,
    resumed_session,
    stop_while_loading,
)
from penstock.execution.runners import find_runner
from penstock.pipelines import Pipeline
from penstock.stores import Store


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
    **params: object,
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
            default as many as cores.
        on_failure: Failure policy: ``finish_independent`` steps, those that do not depend on the failed step, or
            ``stop`` the running steps and start no more.
        seed: The run seed that every step's seed derives from.
        use_cache: False to execute every step, even if a cached result exists.
        refresh: Names of steps to execute even if a cached result exists.
        only: Names of the only steps to execute, on results of earlier runs.
        from_step: Execute this step and all that depend on the result, on results of earlier runs.
        until: Execute this step and the predecessors; with ``from_step`` only the steps between.
        resume: Id of a failed or killed run to resume, with the parameters of that run.
        name: Name of the run; by default the pipeline's name. If the pipeline has a parameter
            ``name``, its value instead.
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
    options = RunOptions(
        runner=runner,
        workers=workers,
        on_failure=on_failure,
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
        store=store,
    )
    if resume is not None:
        return resume_run(resume, target=pipeline, params=params, options=options)
    if pipeline is None:
        raise ParameterError(
            what="No pipeline was given.",
            fix="Write run(pipeline), or run(resume=RUN) to resume a run.",
        )
    return run_pipeline(pipeline, params, options)


def run_pipeline(
    pipeline: Pipeline[..., Any] | str,
    params: Mapping[str, Any],
    options: RunOptions | None = None,
) -> PipelineResult:
    """Run a pipeline with parameters in a mapping and the options of `run` in an object."""
    options = options or RunOptions()
    runner, reporter = find_runner(options.runner), options.reporter or default_reporter()
    target = load_pipeline(pipeline) if isinstance(pipeline, str) else pipeline
    if not isinstance(target, Pipeline):
        raise ParameterError(
            what=f"run() got {getattr(target, '__name__', target)!r}, {with_article(type(target).__name__)}.",
            why="It runs pipelines.",
            fix="Decorate a function that calls steps with @ps.pipeline, or name FILE.py:NAME.",
        )
    return perform(runner, new_session(target, params, options, reporter, check=runner.check))


def resume_run(
    run_id: str,
    *,
    target: Pipeline[..., Any] | str | None = None,
    params: Mapping[str, Any] | None = None,
    options: RunOptions | None = None,
) -> PipelineResult:
    """Resume a failed or killed run, with the present code.

    Steps that finished and whose key still holds are not repeated.

    Args:
        run_id: Id of the run; a unique prefix, or ``"last"`` for the newest run of a pipeline.
        target: The pipeline or ``file.py:name``; by default the entry point of the run.
        params: Parameters passed again; must equal those of the run.
        options: Runner, workers, failure policy, reporter and store; may differ from those of the
            first attempt. All further options are those of the run's start.

    Raises:
        NotFoundError: If there is no such run, or the pipeline's file is gone.
        ConflictError: If the run is running or finished, or was made with different parameters.
    """
    stop_while_loading()
    options = options or RunOptions()
    runner, reporter = find_runner(options.runner), options.reporter or default_reporter()
    # All that is not finished is executed, whatever the cache was to do in the first attempt.
    cached_options = replace(options, use_cache=True, refresh=())
    session = resumed_session(
        run_id, target, params or {}, cached_options, reporter, check=runner.check
    )
    return perform(runner, session)


def prepare_run(
    pipeline: Pipeline[..., Any] | str,
    /,
    **options: Any,  # Any: the options and parameters of `run`
) -> str:
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
    recorded = {name: options.pop(name) for name in RECORDED & options.keys()}
    return prepare_pipeline(pipeline, options, RunOptions(**recorded))


def prepare_pipeline(
    pipeline: Pipeline[..., Any] | str,
    params: Mapping[str, Any],
    options: RunOptions,
    *,
    steps: Iterable[str] | None = None,
) -> str:
    """Record a run as `prepare_run` does, with the parameters in a mapping; returns the run's id.

    Args:
        pipeline: The pipeline, or an entry point ``file.py:name``.
        params: Parameters of the pipeline.
        options: Options of the run.
        steps: Names of the steps that the caller will execute; None for any.

    Raises:
        ConflictError: If the run would have different steps; nothing is recorded then.
    """
    target = load_pipeline(pipeline) if isinstance(pipeline, str) else pipeline
    session = new_session(target, params, options, QuietReporter(), steps=steps)
    return session.run.run_id
