"""``penstock tune``: search a pipeline's parameters."""

import sys
from typing import get_args

import click

from penstock.cli._help import examples, set_option
from penstock.cli._output import current_store, emit, json_option, plain, say
from penstock.cli._run import pairs
from penstock.core import NotFoundError, ParameterError
from penstock.execution import RunnerName, load_pipeline, project_of
from penstock.tuning import PrunerName, SamplerName, Study
from penstock.tuning import tune as search_parameters


@click.command(
    epilog=examples(
        "penstock tune churn.py --search lr=log:1e-4..1e-1 depth=3..12 kind=a,b --metric roc_auc"
        " --trials 100",
        "penstock tune churn.py --search depth=3..12 --metric roc_auc --on processes --minutes 30",
        "penstock tune --resume churn --trials 200 --register",
    ),
)
@click.argument("words", nargs=-1, metavar="[TARGET] [NAME=RANGE]...")
@click.option(
    "--search",
    "searched",
    multiple=True,
    metavar="NAME=RANGE",
    help="Parameter and values: 3..12, 0..1/0.1, log:1e-4..1e-1 or a,b,c; further ones may follow.",
)
@click.option("--metric", multiple=True, help="Metric to optimize; repeat for a Pareto front.")
@click.option(
    "--direction",
    type=click.Choice(["maximize", "minimize"]),
    multiple=True,
    help="For a metric whose direction is not known.",
)
@click.option("--constraint", "constraints", multiple=True, help='Such as "latency_ms <= 5".')
@set_option
@click.option("--trials", type=int, help="Number of trials, with those before a resume.")
@click.option("--minutes", type=float, help="Start no further trial after so many minutes.")
@click.option("--patience", type=int, help="End after so many trials without an improvement.")
@click.option(
    "--sampler", type=click.Choice(get_args(SamplerName)), default="tpe", show_default=True,
    help="How values are suggested.",
)  # fmt: skip
@click.option(
    "--pruner", type=click.Choice(get_args(PrunerName)), default="none", show_default=True,
    help="How hopeless trials are ended while they run.",
)  # fmt: skip
@click.option("--watched", metavar="METRIC", help="Metric for the pruner; default: --metric.")
@click.option(
    "--runner", "--on", "runner", default="local", show_default=True,
    type=click.Choice(["local", "processes", "ray"]),
    help="Where trials run; in processes or on a Ray cluster side by side.",
)  # fmt: skip
@click.option(
    "--workers",
    type=int,
    help="Trials at the same time; default: number of cores, here or in the cluster.",
)
@click.option("--deterministic", is_flag=True, help="Equal seeds, equal suggestions, in parallel.")
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed of the study.")
@click.option("--name", help="Name of the study; default: the pipeline's.")
@click.option("--experiment", help="Experiment of the runs; default: the pipeline's name.")
@click.option(
    "--warm-start", multiple=True, metavar="STUDY", help="Learn from an earlier study's trials."
)
@click.option("--resume", metavar="STUDY", help="Continue a study; `last` works.")
@click.option("--register", is_flag=True, help="Run the whole pipeline with the best parameters.")
@click.option("-q", "--quiet", is_flag=True, help="Print no line for each trial.")
@json_option
@click.pass_context
def tune(
    ctx: click.Context,
    words: tuple[str, ...],
    searched: tuple[str, ...],
    metric: tuple[str, ...],
    direction: tuple[str, ...],
    constraints: tuple[str, ...],
    settings: tuple[str, ...],
    trials: int | None,
    minutes: float | None,
    patience: int | None,
    sampler: SamplerName,
    pruner: PrunerName,
    watched: str | None,
    runner: RunnerName,
    workers: int | None,
    deterministic: bool,
    seed: int,
    name: str | None,
    experiment: str | None,
    warm_start: tuple[str, ...],
    resume: str | None,
    register: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Search the parameters of the pipeline in TARGET for the best value of a metric.

    Each trial is a run; a killed study is continued with --resume.
    """
    target, more = _split_words(words)
    if target is None and resume is None:
        raise ParameterError(
            what="No pipeline is named.",
            why="Each trial is a run of a pipeline.",
            fix="Use: penstock tune FILE.py --search NAME=RANGE --metric METRIC --trials 100.",
        )
    pipeline = load_pipeline(target) if target else None
    project = project_of(pipeline.file) if pipeline else None
    ways = [each for each in direction if each in {"maximize", "minimize"}]
    study = search_parameters(
        pipeline,
        search=[*searched, *more],
        metric=metric,
        direction=(ways if len(ways) > 1 else ways[0]) if ways else None,  # type: ignore[arg-type] # click has checked the words
        constraints=constraints,
        params=pairs(settings, "--set"),
        trials=trials,
        minutes=minutes,
        patience=patience,
        sampler=sampler,
        pruner=pruner,
        watched=watched,
        runner=runner,
        workers=workers,
        deterministic=deterministic,
        seed=seed,
        name=name,
        experiment=experiment,
        warm_start=warm_start,
        resume=resume,
        register=register,
        quiet=quiet or as_json,
        store=current_store(ctx, project=project, create=True),
    )
    if as_json:
        emit(study.to_json())
    else:
        say_best(study)
    sys.exit(0 if study.pareto_front else 1)


def say_best(study: Study) -> None:
    """Print the best trial, or the Pareto front, and how to go on."""
    front = study.pareto_front
    if not front:
        say(f"Study {plain(study.name)}: no trial has values and keeps the constraints.")
        return
    if study.spec.is_multi:
        say(f"Pareto front of {plain(study.name)}: {len(front)} of {len(study.trials)} trials")
    for trial in front[:20] if study.spec.is_multi else front[:1]:
        values = " ".join(
            f"{each.metric} {value:.6g}"
            for each, value in zip(study.spec.objectives, trial.values, strict=True)
        )
        params = " ".join(f"{name}={value}" for name, value in trial.params.items())
        word = "trial" if study.spec.is_multi else "Best: trial"
        say(f"{word} {trial.number}  {plain(values)}  ({plain(params)})")
    if study.model_version:
        say(f"Registered: {plain(study.model_version)}")
    say(f"[dim]Trials:[/] penstock studies show {study.study_id}")


def _split_words(words: tuple[str, ...]) -> tuple[str | None, list[str]]:
    """Return the target, and the ranges that follow `--search` without a repetition of the option."""
    ranges = [word for word in words if "=" in word]
    targets = [word for word in words if "=" not in word]
    if len(targets) > 1:
        raise NotFoundError(
            what=f"{targets[1]!r} is no range and no option.",
            fix=f"Write NAME=RANGE, for example {targets[1]}=3..12.",
        )
    return (targets[0] if targets else None), ranges
