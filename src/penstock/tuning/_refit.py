"""Refit: the whole pipeline with the best trial's parameters, its side effects and gates included."""

import logging
from collections.abc import Mapping
from typing import Any

from penstock.core import ParameterError, StepError
from penstock.execution import PipelineResult, QuietReporter, RunOptions, run_pipeline
from penstock.pipelines import Pipeline
from penstock.registry import CHOSEN_TAG
from penstock.stores import Store
from penstock.tuning._judged import JUDGED_TAG
from penstock.tuning._study import REFIT_TAG, Study

_log = logging.getLogger("penstock")


def refit_best(
    study: Study, pipeline: Pipeline[..., Any], *, store: Store, must_register: bool = True
) -> PipelineResult:
    """Run the whole pipeline with the best trial's parameters; steps of the trial are cache hits.

    Args:
        study: The study.
        pipeline: Its pipeline.
        store: Store that records the run.
        must_register: True to refuse a pipeline that registers no model.

    Raises:
        NotFoundError: If the study has no best trial.
        ParameterError: If the pipeline registers no model.
        StepError: If a step fails.
    """
    values: Mapping[str, Any] = {**study.spec.fixed, **study.best_trial.params}
    if must_register:
        require_registration(pipeline, values)
    options = RunOptions(
        seed=study.spec.seed,
        name=f"{study.name} best",
        experiment=study.run.experiment,
        tags=_tags(study),
        reporter=QuietReporter(),
        store=store,
    )
    result = run_pipeline(pipeline, values, options)
    if not result.ok:
        raise StepError(
            what=f"The best trial could not be fitted again: {result.error or result.state.value}.",
            why="Steps that no trial executes, such as the registration, ran for the first time.",
            fix=f"Correct the cause, then: {result.resume_command}",
            run_id=result.run_id,
        )
    return result


def _tags(study: Study) -> dict[str, str]:
    tags = {REFIT_TAG: study.study_id}
    if JUDGED_TAG in study.run.tags:
        metric, trials = study.spec.objectives[0].metric, len(study.complete)
        tags[CHOSEN_TAG] = f"the best {metric} of {trials} trials on the rows of its report"
    return tags


def require_registration(pipeline: Pipeline[..., Any], values: Mapping[str, Any]) -> None:
    """Refuse a pipeline without a step that has a side effect, before any trial is executed.

    Raises:
        ParameterError: If no step has a side effect.
    """
    graph = pipeline.trace(**values)
    if not any(node.step.effect for node in graph.nodes):
        raise ParameterError(
            what=f"Pipeline {pipeline.name!r} registers no model.",
            why="The best model is registered by the pipeline's own step, behind its gates.",
            fix="Add ps.steps.register(name, model, report, gates=[…]) to the pipeline, or leave"
            " register out and fit the best parameters with ps.run.",
        )
