"""tune: search a pipeline's parameters; each trial is a cached, resumable run."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from penstock.core import ParameterError, RunRecord, require_choice, require_name, require_number
from penstock.execution import (
    LocalRunPool,
    ProcessRunPool,
    RayRunPool,
    RunnerName,
    RunPool,
    project_of,
)
from penstock.pipelines import Pipeline
from penstock.stores import Store, open_store
from penstock.tracking import ActiveRun, start_run
from penstock.tuning._budget import Budget
from penstock.tuning._checks import check_study, count_workers, load_target, refuse_search
from penstock.tuning._loop import StudyLoop
from penstock.tuning._objectives import Constraint, Direction, read_objectives
from penstock.tuning._progress import StudyLines
from penstock.tuning._refit import refit_best
from penstock.tuning._sampling import Sampling
from penstock.tuning._space import read_space
from penstock.tuning._spec import PrunerName, SamplerName, StudySpec
from penstock.tuning._starting import EARLIER, earlier_trials, record_study
from penstock.tuning._study import Study, find_study, get_study, read_study
from penstock.tuning._summaries import figures_of
from penstock.tuning._trial import Trial
from penstock.tuning._trial_runs import TrialMaker, fit_space

_log = logging.getLogger("penstock")


@dataclass(frozen=True, kw_only=True)
class _How:
    """How this attempt at the study is executed; not part of the study."""

    budget: Budget
    runner: RunnerName
    workers: int | None
    register: bool
    on_trial: Callable[[Trial], None] | None
    quiet: bool


def tune(
    pipeline: Pipeline[..., Any] | str | None = None,
    *,
    search: Mapping[str, object] | Sequence[str] = (),
    metric: str | Sequence[str] = (),
    direction: Direction | Sequence[Direction] | None = None,
    constraints: str | Sequence[str] = (),
    params: Mapping[str, object] | None = None,
    trials: int | None = None,
    minutes: float | None = None,
    patience: int | None = None,
    sampler: SamplerName = "tpe",
    sampler_options: Mapping[str, object] | None = None,
    pruner: PrunerName = "none",
    pruner_options: Mapping[str, object] | None = None,
    watched: str | None = None,
    runner: RunnerName = "local",
    workers: int | None = None,
    deterministic: bool = False,
    seed: int = 0,
    name: str | None = None,
    experiment: str | None = None,
    warm_start: str | Sequence[str] = (),
    resume: str | None = None,
    register: bool = False,
    on_trial: Callable[[Trial], None] | None = None,
    quiet: bool = False,
    store: Store | str | None = None,
) -> Study:
    """Search a pipeline's parameters for the best value of a metric.

    Each trial is a run of the pipeline, nested in the study's run: steps that no searched parameter
    reaches are cache hits, and a killed study is resumed without losing or repeating a trial. Steps
    with side effects, such as ``register``, are left out of trials.

    >>> import tempfile
    >>> from penstock.pipelines import pipeline, step
    >>> @step
    ... def parabola(x: float) -> float:
    ...     return (x - 3) ** 2
    >>> @pipeline
    ... def search_me(x: float = 0.0) -> float:
    ...     return parabola(x)
    >>> place = f"sqlite:///{tempfile.mkdtemp()}/penstock.db"
    >>> study = tune(
    ...     search_me,
    ...     search={"x": [1.0, 3.0, 5.0]},
    ...     metric="loss",
    ...     direction="minimize",
    ...     sampler="grid",
    ...     trials=9,
    ...     quiet=True,
    ...     store=place,
    ... )
    >>> study.best_params, study.best_value
    ({'x': 3.0}, 0.0)

    Args:
        pipeline: The pipeline, or an entry point ``file.py:name``; None only with ``resume``.
        search: Values to choose from by parameter: a FloatRange, IntRange or Choice of
            ``penstock.tuning``, a list of options, or a text: ``3..12``, ``0..1/0.1``,
            ``log(1e-4,1e-1)``, ``a,b,c``.
        metric: Metric to optimize, as logged by a step or returned by the pipeline; ``loss.min`` is
            the lowest logged point. Several give a Pareto front.
        direction: ``maximize`` or ``minimize``, for each metric; known metrics have their own.
        constraints: Limits such as ``"latency_ms <= 5"`` that the best trial keeps.
        params: Values of the pipeline's other parameters.
        trials: Number of trials, including those before a resume; a grid ends without any limit.
        minutes: Start no further trial after so many minutes.
        patience: End after so many trials without an improvement.
        sampler: ``tpe``, ``random``, ``grid``, ``gp`` (Gaussian process; needs torch) or ``cmaes``.
        sampler_options: Further arguments of Optuna's sampler.
        pruner: Ends hopeless trials while they run: ``median``, ``halving`` or ``hyperband``.
        pruner_options: Further arguments of Optuna's pruner.
        watched: Metric that steps log as they train, for the pruner; by default ``metric``.
        runner: ``local``, in this process; ``processes``, trials side by side; ``ray``, trials on
            the cluster of ``RAY_ADDRESS``, or on a Ray of this machine. A trial whose node is lost
            is resumed on another one.
        workers: Number of trials at the same time; by default as many as cores, here or in the
            cluster.
        deterministic: Suggest trials in batches of ``workers``, so that parallel trials get equal
            suggestions for equal seeds; workers wait for the slowest trial of a batch.
        seed: Seed of the sampler and of every trial's run.
        name: Name of the study; by default the pipeline's name.
        experiment: Experiment of the runs; by default the pipeline's name.
        warm_start: Ids or names of earlier studies whose trials the sampler learns from.
        resume: Id or name of a study to continue, with the search of that study.
        register: Run the whole pipeline with the best parameters, including its ``register`` step.
        on_trial: Called with each trial that has ended.
        quiet: True to print no line for each trial.
        store: A store or a store URL; by default the project's.

    Returns:
        The study with all trials.

    Raises:
        ParameterError: If an option cannot be used, or the pipeline has no such metric.
        NotFoundError: If there is no such study.
        StepError: If the first trials have all failed, or the best cannot be fitted again.
        MissingPackageError: If Optuna, or a package that the sampler needs, is not installed.
        KeyboardInterrupt: If the study is interrupted; it can be resumed.
    """
    require_number("seed", seed, low=0, whole=True)
    require_choice("runner", runner, ("local", "processes", "ray"))
    record = None
    if resume is not None:
        refuse_search(search, metric)
        opened = open_store(store)
        record = find_study(opened, resume)
        sampler = StudySpec.from_json(record.params["study"]).sampler
    how = _How(
        budget=Budget(trials, minutes, patience, is_finite=sampler == "grid"),
        runner=runner,
        workers=count_workers(runner, workers, trials, deterministic=deterministic),
        register=register,
        on_trial=on_trial,
        quiet=quiet,
    )
    if record is not None:
        target = load_target(pipeline or record.params["target"])
        return _resumed(record, target, how, opened)
    if pipeline is None:
        raise ParameterError(
            what="No pipeline was given.",
            why="Each trial is a run of a pipeline.",
            fix="Write tune(pipeline, search={…}, metric=…), or tune(resume=STUDY).",
        )
    target = load_target(pipeline)
    space, fixed = fit_space(read_space(search), target, params or {})
    batch = (how.workers or 1) if deterministic else 1
    spec = StudySpec(
        name=require_name(name or target.name, "study"),
        space=space,
        objectives=read_objectives(metric, direction),
        constraints=tuple(map(Constraint.parse, _listed(constraints))),
        fixed=fixed,
        sampler=require_choice("sampler", sampler, get_args(SamplerName)),
        sampler_options=sampler_options or {},
        pruner=require_choice("pruner", pruner, get_args(PrunerName)),
        pruner_options=pruner_options or {},
        seed=seed,
        batch=batch,
        parallel=how.workers != 1,
        watched=watched,
    )
    check_study(spec, target, register=how.register)
    opened = open_store(store, project=project_of(target.file))
    earlier = earlier_trials(spec, _listed(warm_start), opened)
    sampling = Sampling(spec, earlier)
    run = record_study(spec, target, experiment or target.name, opened)
    with run:
        if earlier:
            run.log_dict(EARLIER, {"trials": earlier})
        return _search(run, target, spec, sampling, how)


def _resumed(record: RunRecord, pipeline: Pipeline[..., Any], how: _How, store: Store) -> Study:
    spec = StudySpec.from_json(record.params["study"])
    check_study(spec, pipeline, register=how.register)
    run = start_run(
        resume=record.run_id,
        nested=True,
        console=False,
        system_metrics=False,
        provenance=False,
        store=store,
    )
    with run:
        earlier = run.artifact(EARLIER)["trials"] if EARLIER in run.artifacts() else []
        return _search(run, pipeline, spec, Sampling(spec, earlier), how)


def _search(
    run: ActiveRun,
    pipeline: Pipeline[..., Any],
    spec: StudySpec,
    sampling: Sampling,
    how: _How,
) -> Study:
    lines = StudyLines(spec)

    def report(trial: Trial) -> None:
        if not how.quiet:
            lines(trial)
        if how.on_trial is not None:
            how.on_trial(trial)

    maker = TrialMaker(pipeline, spec, run.run_id, run.experiment)
    loop = StudyLoop(maker, sampling, how.budget, store=run.store, on_trial=report)
    differing = loop.restore()
    lines.begin(loop.ended)
    if differing:
        run.set_tag("penstock.replay", f"differs from trial {differing[0]} on")
        _log.warning(
            "Study %s: the sampler now suggests other values than were recorded, from trial %s on."
            " The recorded values count; later suggestions are not those of a study that was never"
            " interrupted. Probably another version of Optuna is installed.",
            run.run_id,
            differing[0],
        )
    try:
        with _pool(pipeline, run.store, loop, how) as pool:
            loop.run(pool)
    except KeyboardInterrupt:
        lines.interrupted(run.run_id, how.budget.trials)
        raise
    run.store.flush()
    study = read_study(run.store, run.store.metadata.runs.get(run.run_id))
    if how.register and not spec.is_multi:
        refit_best(study, pipeline, store=run.store)
    run.log_metrics(figures_of(study))
    run.finish()
    return get_study(run.run_id, store=run.store)


def _pool(pipeline: Pipeline[..., Any], store: Store, loop: StudyLoop, how: _How) -> RunPool:
    if how.runner == "local":
        return LocalRunPool(pipeline, loop, store=store)
    if how.runner == "ray":
        return RayRunPool(pipeline, loop, size=how.workers, store=store)
    return ProcessRunPool(pipeline, loop, size=how.workers or 1, store=store)


def _listed(value: str | Sequence[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
