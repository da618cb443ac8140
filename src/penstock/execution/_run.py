"""run: check, trace, record and execute a pipeline."""

from collections.abc import Iterable, Mapping
from typing import Any

from penstock.core import ParameterError
from penstock.execution._loading import load_pipeline, stop_while_loading
from penstock.execution._new_run import new_session
from penstock.execution._perform import perform
from penstock.execution._protocol import Reporter
from penstock.execution._reporters import QuietReporter
from penstock.execution._result import PipelineResult
from penstock.execution._resume import resume_run
from penstock.execution._runners import find_runner
from penstock.pipelines import Pipeline
from penstock.stores import Store

# What is settled when a run is recorded; the rest says how its steps are executed.
_RECORDED = (
    "store", "seed", "only", "from_step", "until", "name", "experiment", "tags", "entry",
    "partition", "run_id",
)  # fmt: skip


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
    partition: str | None = None,
    run_id: str | None = None,
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
        runner: Where steps run: ``local``, in this process, one at a time; ``processes``, side by
            side in processes of this machine; or ``ray``, on this machine or on the cluster of
            ``RAY_ADDRESS``. Keys and results are the same.
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
        partition: Which of the pipeline's partitions to run; it gives some of the parameters. Two
            runs for one at the same time are refused.
        run_id: The id that the run gets; by default a new one. Who gives the same one again gets a
            ConflictError instead of a second run.
        reporter: Whom to tell; by default a terminal gets progress, else plain lines.
        **params: The pipeline's parameters, as values or text.

    Raises:
        ParameterError: If a parameter or option cannot be used; nothing is recorded then.
        DefinitionError: If the pipeline is written wrongly; nothing is recorded then.
        NotFoundError: If there is no such partition.
        ConflictError: If the partition is being run, or there is a run with this id.
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
        partition=partition,
        run_id=run_id,
        reporter=reporter,
    )


def run_pipeline(
    pipeline: Pipeline[..., Any],
    params: Mapping[str, Any],
    *,
    runner: str = "local",
    **options: Any,
) -> PipelineResult:
    """Run a pipeline whose parameters are given as a mapping; see `run` for the options."""
    chosen = find_runner(runner)
    check = getattr(chosen, "check", None)  # of a runner that cannot keep every promise everywhere
    return perform(chosen, new_session(pipeline, params, check=check, **options))


def prepare_run(pipeline: Pipeline[..., Any] | str, /, **options: Any) -> str:
    """Record a run whose steps are executed one by one from outside; gives its id.

    Other orchestrators start a run so: `run_step` executes each of its steps, in any process and
    on any machine that reaches the store, and the last one ends the run.

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
        pipeline: The pipeline, or ``file.py:name``.
        **options: The pipeline's parameters, and the options of `run` but for those that say how
            steps are executed.

    Raises:
        ParameterError: If a parameter or option cannot be used; nothing is recorded then.
        DefinitionError: If the pipeline is written wrongly; nothing is recorded then.
    """
    found = load_pipeline(pipeline) if isinstance(pipeline, str) else pipeline
    given = {name: options.pop(name) for name in _RECORDED if name in options}
    session = new_session(found, options, waiting=True, reporter=QuietReporter(), **given)
    return session.run.run_id
