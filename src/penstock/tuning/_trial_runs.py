"""Trial runs: the steps that a trial executes, and the figures that its pipeline returns."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

from penstock.core import ParameterError, RunRecord, RunState, did_you_mean
from penstock.execution import PipelineResult, RunOrder, retrace
from penstock.pipelines import Graph, Pipeline
from penstock.stores import Store
from penstock.tuning._space import Dimension, FloatRange, IntRange
from penstock.tuning._spec import StudySpec
from penstock.tuning._trial import trial_tags


@dataclass(frozen=True)
class TrialMaker:
    """Makes the order of a trial's run.

    Args:
        pipeline: The pipeline.
        spec: The study.
        study_id: Id of the study's run.
        experiment: Experiment of the trials.
    """

    pipeline: Pipeline[..., Any]
    spec: StudySpec
    study_id: str
    experiment: str

    def order(
        self, run_id: str, number: int, params: Mapping[str, Any], reported: list[int]
    ) -> RunOrder:
        """Return the order of a new trial.

        Args:
            run_id: Id of the new run.
            number: Number of the trial.
            params: Suggested values.
            reported: Trials that the sampler was told about since the trial before.
        """
        values = {**self.spec.fixed, **params}
        options = {
            "seed": self.spec.seed,
            "name": f"{self.spec.name} {number}",
            "experiment": self.experiment,
            "tags": trial_tags(number, params, reported),
            "only": steps_of_trial(self.pipeline, values),
        }
        return RunOrder(run_id, values, self.study_id, options=options, watched=self.spec.reported)

    def resumed(self, run_id: str) -> RunOrder:
        """Return the order that resumes a trial."""
        return RunOrder(run_id, {}, self.study_id, resumes=True, watched=self.spec.reported)


def steps_of_trial(pipeline: Pipeline[..., Any], values: Mapping[str, Any]) -> Sequence[str]:
    """Return the steps without side effects that need none; empty if these are all steps.

    Raises:
        ParameterError: If no step is left.
    """
    graph = pipeline.trace(**values)
    left_out = {node.name for node in graph.nodes if node.step.effect or node.step.asks}
    if not left_out:
        return ()
    behind = {name for each in left_out for name in graph.dependants(each)}
    kept = [node.name for node in graph.nodes if node.name not in left_out | behind]
    if not kept:
        raise ParameterError(
            what=f"Every step of pipeline {pipeline.name!r} has a side effect or needs one.",
            why="A trial executes none of these: a hundred trials would register a hundred models.",
            fix="Do the training in a step of its own, before the step with the side effect.",
        )
    return kept


def fit_space(
    space: Mapping[str, Dimension], pipeline: Pipeline[..., Any], fixed: Mapping[str, Any]
) -> tuple[dict[str, Dimension], dict[str, Any]]:
    """Check a search space against a pipeline's parameters.

    Args:
        space: Dimension by parameter.
        pipeline: The pipeline.
        fixed: Values or texts of further parameters.

    Returns:
        The space, with whole numbers as real numbers where the parameter is a float; and the
        further parameters as plain JSON.

    Raises:
        ParameterError: If a parameter does not exist, is both searched and given, or a value of the
            range cannot be used.
    """
    fitted: dict[str, Dimension] = {}
    for name, dimension in space.items():
        if name not in pipeline.parameters:
            raise ParameterError(
                what=f"Pipeline {pipeline.name!r} has no parameter {name!r} to search.",
                why="A trial runs the pipeline with the suggested values.",
                fix=did_you_mean(name, pipeline.parameters)
                or f"Add it: def {pipeline.name}(…, {name}=…).",
                name=name,
            )
        if name in {each.replace("-", "_") for each in fixed}:
            raise ParameterError(
                what=f"Parameter {name!r} is searched and given.",
                why="A parameter has a range of values or a value.",
                fix="Leave one of the two out.",
                name=name,
            )
        fitted[name] = _fitted(name, dimension, pipeline.parameters[name].hint)
    firsts = {name: _ends(each)[0] for name, each in fitted.items()}
    bound = pipeline.bind({**fixed, **firsts})
    for name, each in fitted.items():
        for value in _ends(each)[1:]:
            pipeline.bind({**fixed, **firsts, name: value})
    fixed_names = {name.replace("-", "_") for name in fixed}
    return fitted, pipeline.dump({name: bound[name] for name in bound if name in fixed_names})


def returned_figures(
    store: Store, pipeline: Pipeline[..., Any], run: RunRecord, spec: StudySpec
) -> dict[str, float]:
    """Return the numbers that a trial's pipeline returned, by name.

    Of a mapping, or of a report with ``metrics``, the numbers have their own names. A single number
    is the objective, and a tuple has a number for each objective, where the run logged no metric.
    """
    graph = retrace(pipeline, run)
    if graph.result is None:
        return {}
    # A number without a name is the objective only where nothing else could be meant.
    names = [] if run.metrics else [each.metric for each in spec.objectives]
    return figures_in(_output(store, graph, run), names)


def figures_in(value: Any, names: Sequence[str]) -> dict[str, float]:
    """Return the numbers in a pipeline's result, by name; see `returned_figures`.

    >>> figures_in(0.5, ["loss"]), figures_in((0.5, 2), ["loss", "seconds"])
    ({'loss': 0.5}, {'loss': 0.5, 'seconds': 2.0})
    """
    if _is_number(value):
        return {names[0]: float(value)} if len(names) == 1 else {}
    if (
        names
        and isinstance(value, tuple | list)
        and len(value) == len(names)
        and all(map(_is_number, value))
    ):
        return dict(zip(names, map(float, value), strict=True))
    named = value if isinstance(value, Mapping) else getattr(value, "metrics", None)
    if not isinstance(named, Mapping):
        return {}
    figures = {str(name): getattr(each, "value", each) for name, each in named.items()}
    return {name: float(each) for name, each in figures.items() if isinstance(each, Real)}


def _output(store: Store, graph: Graph, run: RunRecord) -> Any:
    steps = {step.step: step for step in store.metadata.steps.list(run.run_id)}
    return PipelineResult(
        run.run_id, graph.name, RunState.FINISHED, tuple(steps.values()), graph, store
    ).output()


def _fitted(name: str, dimension: Dimension, hint: Any) -> Dimension:
    if hint is float and isinstance(dimension, IntRange):
        step = None if dimension.step == 1 else float(dimension.step)
        return FloatRange(dimension.low, dimension.high, step=step, log=dimension.log)
    if hint is int and isinstance(dimension, FloatRange):
        raise ParameterError(
            what=f"Parameter {name!r} is a whole number, but {dimension} has real numbers.",
            why="The pipeline would refuse most suggestions.",
            fix=f"Write {name}={math.ceil(dimension.low)}..{max(math.floor(dimension.high), 1)},"
            f" or annotate the parameter: {name}: float.",
            name=name,
        )
    return dimension


def _ends(dimension: Dimension) -> Sequence[Any]:
    if isinstance(dimension, FloatRange | IntRange):
        return (dimension.low, dimension.high)
    return dimension.options


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
