"""Checks of a study before anything is recorded."""

import os
from typing import Any

from penstock.core import ParameterError, require_number
from penstock.execution import RunnerName, load_pipeline
from penstock.pipelines import Pipeline
from penstock.tuning._refit import require_registration
from penstock.tuning._spec import StudySpec

_COMPARING = frozenset({"halving", "hyperband"})


def check_study(spec: StudySpec, pipeline: Pipeline[..., Any], *, register: bool) -> None:
    """Refuse what cannot work, before anything is recorded.

    Raises:
        ParameterError: If the pruner, the metrics and the registration do not go together.
    """
    if spec.is_multi and spec.pruner != "none":
        raise ParameterError(
            what=f"pruner={spec.pruner!r} is given with {len(spec.objectives)} metrics.",
            why="A pruner compares trials by a single metric.",
            fix="Leave the pruner out, or optimize one metric.",
        )
    if spec.is_multi and register:
        raise ParameterError(
            what=f"register is given with {len(spec.objectives)} metrics.",
            why="Which trial of the Pareto front is best is a decision of yours.",
            fix="Choose a trial, then: penstock run FILE --NAME VALUE …; or make a metric a"
            " constraint.",
        )
    if spec.batch > 1 and spec.pruner in _COMPARING:
        raise ParameterError(
            what=f"pruner={spec.pruner!r} is given with deterministic=True and {spec.batch} workers.",
            why="It compares trials while they run, so its decisions depend on timing.",
            fix='Use pruner="median", which compares with ended trials only; or workers=1.',
        )
    if register:
        first = {name: _first(each) for name, each in spec.space.items()}
        require_registration(pipeline, {**spec.fixed, **first})


def _first(dimension: Any) -> Any:
    options = getattr(dimension, "options", None)
    return options[0] if options else dimension.low


def load_target(pipeline: Pipeline[..., Any] | str | None) -> Pipeline[..., Any]:
    """Return the pipeline of a study.

    Raises:
        ParameterError: If the value is no pipeline.
    """
    if pipeline is None:
        raise ParameterError(
            what="The study does not say which file its pipeline is in.",
            why="It was started from a notebook or an interpreter.",
            fix="Name the pipeline: tune(pipeline, resume=STUDY).",
        )
    if isinstance(pipeline, str):
        return load_pipeline(pipeline)
    if not isinstance(pipeline, Pipeline):
        raise ParameterError(
            what=f"tune() got {getattr(pipeline, '__name__', pipeline)!r}, a"
            f" {type(pipeline).__name__}.",
            why="Each trial is a run of a pipeline.",
            fix="Decorate a function that calls steps with @ps.pipeline, or name FILE.py:NAME.",
        )
    return pipeline


def count_workers(
    runner: RunnerName, workers: int | None, trials: int | None, *, deterministic: bool
) -> int | None:
    """Return the number of trials at the same time; None for as many as a cluster has room for.

    Raises:
        ParameterError: If the number is below 1, or the runner cannot execute several, or a
            deterministic study has no number.
    """
    if workers is not None:
        require_number("workers", workers, low=1, whole=True)
    if runner == "local":
        if workers not in {None, 1}:
            raise ParameterError(
                what=f"workers={workers} is given with runner='local'.",
                why="In this process trials are executed one after the other.",
                fix="Use runner='processes' (--on processes), or runner='ray' for a cluster.",
            )
        return 1
    if runner == "ray" and workers is None:
        if deterministic:
            raise ParameterError(
                what="deterministic=True is given with runner='ray', but no number of workers.",
                why="Trials are suggested in batches of that size, and a cluster grows and shrinks.",
                fix="Give the number of trials at the same time: workers=8 (--workers 8).",
            )
        return None
    count = workers or os.cpu_count() or 1
    return min(count, trials or count)


def refuse_search(search: Any, metric: Any) -> None:
    """Refuse a search that is given together with a study to resume.

    Raises:
        ParameterError: If one is given.
    """
    if search or metric:
        raise ParameterError(
            what=f"{'search' if search else 'metric'} is given with resume.",
            why="A resumed study searches what it searched before.",
            fix="Leave it out, or start a new study with warm_start=STUDY.",
        )
