"""The evaluate step: Model and Split -> EvaluationReport, with metrics logged on the run."""

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.data import Split
from penstock.evaluation import EvaluationReport, UserMetric
from penstock.evaluation import evaluate as judge_model
from penstock.pipelines import step
from penstock.steps._listed import as_tuple
from penstock.tracking import active_run


@step
def evaluate(
    model: Any,  # Any: an estimator of any library
    split: Split,
    *,
    slices: str | Sequence[str] = (),
    sensitive: str | Sequence[str] | None = None,
    positive: Any = None,  # Any: a label of any type
    metrics: Mapping[str, Any] | Sequence[UserMetric] = (),  # Any: functions of the user's own
    importance: bool = True,
    quantiles: Sequence[float] = (),
    subset: str = "test",
    resamples: int = 500,
) -> EvaluationReport:
    """Evaluate a model on unseen rows, whole and per slice; log the metrics on the run.

    Args:
        model: A fitted estimator that takes the split's columns.
        split: The split that the rows are taken from.
        slices: Columns whose values are evaluated separately.
        sensitive: Columns for fairness gaps; by default the slices.
        positive: The positive class; by default as declared by the split, else as told by the
            labels (``"yes"``, ``1``, ``"fraud"`` beside ``"legit"``). Where the labels do not tell,
            precision, recall, F1 and average precision are left out with the reason.
        metrics: Metrics of the user's own by name, as functions of truth and prediction:
            ``metrics={"profit": profit}``; their code is part of the step's key.
        importance: Whether the importance of the model's inputs is measured.
        quantiles: Quantiles of the target that the model forecasts, lowest first, a value per row
            for each: ``(0.05, 0.5, 0.95)``.
        subset: ``"test"``, or ``"validation"``, whose metrics are logged as ``validation_accuracy``.
        resamples: Bootstrap resamples behind each interval.

    Raises:
        DataError: If the subset is empty or a slice column does not exist.
    """
    report = judge_model(
        model,
        split,
        slices=as_tuple(slices),
        sensitive=as_tuple(slices if sensitive is None else sensitive),
        positive=positive,
        metrics=metrics,
        importance=importance,
        quantiles=tuple(quantiles),
        subset=subset,
        resamples=resamples,
    )
    run = active_run()
    if run is not None:
        # Both subsets of a split may be judged in one run: a name has one meaning.
        prefix = "" if subset == "test" else f"{subset}_"
        run.log_metrics(
            {prefix + name: estimate.value for name, estimate in report.metrics.items()}
        )
    return report
