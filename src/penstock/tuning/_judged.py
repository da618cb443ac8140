"""Rows that would choose a model and judge it: a study's metric from the report of the registration.

The best of many trials has the best luck too. A report on the rows that chose it tells that luck.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from penstock.core import RunRecord
from penstock.pipelines import Graph, Output
from penstock.stores import Store
from penstock.tuning._objectives import values_of

if TYPE_CHECKING:
    from penstock.evaluation import EvaluationReport

JUDGED_TAG = "penstock.judged_by"
"""Tag of a study's run: the step whose rows choose the best trial and then judge its model."""


def find_judging_step(
    store: Store, graph: Graph, run: RunRecord, metrics: Sequence[str]
) -> str | None:
    """Return the step whose report gave a metric and is handed to a step with a side effect.

    Args:
        store: The store.
        graph: The whole pipeline with the trial's parameters.
        run: The run of a complete trial.
        metrics: Metrics that the study optimizes.
    """
    records = {each.step: each for each in store.metadata.steps.list(run.run_id)}
    logged = {*run.metrics, *(name.removeprefix("validation_") for name in run.metrics)}
    for output in _handed_over(graph):
        record = records.get(output.node)
        if record is None or output.name not in record.outputs:
            continue
        artifact = store.metadata.artifacts.get(record.output_address(output.name))
        if artifact.type_name.endswith("EvaluationReport") and any(
            _is_of(store.load(artifact), run, metric) for metric in metrics if metric in logged
        ):
            return output.node
    return None


def _handed_over(graph: Graph) -> list[Output]:
    """Return the outputs that a step with a side effect gets."""
    effects = [node for node in graph.nodes if node.step.effect]
    return [output for node in effects for output in node.inputs.values()]


def _is_of(report: "EvaluationReport", run: RunRecord, metric: str) -> bool:
    """Return whether a run's metric is that of a report."""
    own = metric.removeprefix("validation_")
    return (
        own in report.metrics
        and report.metrics[own].value == values_of(run.metrics, [metric])[metric]
    )
