"""Metrics by task, and an Estimate of a metric; apart from the formulas to be cheap to import."""

from dataclasses import dataclass
from math import inf
from typing import Any

from penstock.core import ParameterError, did_you_mean


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric's value with a 95 % interval.

    >>> print(Estimate(0.8123, 0.801, 0.823))
    0.812 [0.801, 0.823]

    Args:
        value: The metric on the test rows.
        low: Lower end of the interval, at most the value.
        high: Upper end of the interval, at least the value.
        needs: Why the rows are too few for a valid interval; empty if they are not. If not empty,
            the ends are not shown and no gate may use them.
    """

    value: float
    low: float
    high: float
    needs: str = ""

    def __str__(self) -> str:
        if self.needs:
            return f"{format_figure(self.value)} (no interval: {self.needs})"
        return (
            f"{format_figure(self.value)} [{format_figure(self.low)}, {format_figure(self.high)}]"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the figures by name, and ``needs`` if the interval lacks something."""
        figures: dict[str, Any] = {"value": self.value, "low": self.low, "high": self.high}
        return {**figures, "needs": self.needs} if self.needs else figures


@dataclass(frozen=True, slots=True)
class Metric:
    """Name, range and direction of a metric.

    Args:
        name: Name in reports and gates.
        title: Name for people, with the unit in brackets if there is a unit.
        better: ``higher``, ``lower`` or ``zero`` (the nearer to 0 the better).
        minimum: The lowest possible value.
        maximum: The highest possible value.
    """

    name: str
    title: str
    better: str = "higher"
    minimum: float = 0.0
    maximum: float = 1.0


_ALL = (
    Metric("roc_auc", "area under the ROC curve"),
    Metric("average_precision", "average precision"),
    Metric("log_loss", "log loss", "lower", maximum=inf),
    Metric("brier", "Brier score", "lower"),
    Metric("accuracy", "accuracy"),
    Metric("balanced_accuracy", "balanced accuracy"),
    Metric("precision", "precision"),
    Metric("recall", "recall"),
    Metric("f1", "F1"),
    Metric("macro_f1", "macro F1"),
    Metric("mcc", "Matthews correlation", minimum=-1.0),
    Metric("micro_f1", "F1 of all labels of all rows"),
    Metric("samples_f1", "mean F1 of the rows' labels"),
    Metric("subset_accuracy", "share of rows with exactly the right labels"),
    Metric("hamming_loss", "share of wrong labels", "lower"),
    Metric("micro_average_precision", "average precision of all labels of all rows"),
    Metric("macro_average_precision", "mean average precision of the labels"),
    Metric("rmse", "root mean squared error (target unit)", "lower", maximum=inf),
    Metric("mae", "mean absolute error (target unit)", "lower", maximum=inf),
    Metric("medae", "median absolute error (target unit)", "lower", maximum=inf),
    Metric("r2", "R²", minimum=-inf),
    Metric("mape", "mean absolute percentage error (share)", "lower", maximum=inf),
    Metric("bias", "mean of prediction - truth (target unit)", "zero", -inf, inf),
)
METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}

# The first metric of a task is the headline, used in plots and short listings.
TASK_METRICS: dict[str, tuple[str, ...]] = {
    "binary": (
        "roc_auc",
        "average_precision",
        "log_loss",
        "brier",
        "accuracy",
        "balanced_accuracy",
        "precision",
        "recall",
        "f1",
        "mcc",
    ),
    "multiclass": ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "roc_auc"),
    "multilabel": (
        "micro_f1",
        "macro_f1",
        "samples_f1",
        "subset_accuracy",
        "hamming_loss",
        "micro_average_precision",
        "macro_average_precision",
    ),
    "regression": ("rmse", "mae", "medae", "r2", "mape", "bias"),
}


NEED_POSITIVE = frozenset({"average_precision", "precision", "recall", "f1"})
"""Metrics of a binary target that depend on which class is the positive class."""


def get_metric(name: str, task: str | None = None) -> Metric:
    """Return a metric by name.

    >>> get_metric("rmse").better
    'lower'

    Args:
        name: The metric.
        task: Task to which the metric must belong; None for any.

    Raises:
        ParameterError: If there is no such metric (for the task).
    """
    known = TASK_METRICS[task] if task else tuple(METRICS)
    if name in known:
        return METRICS[name]
    scope = f" for a {task} target" if task else ""
    raise ParameterError(
        what=f"There is no metric {name!r}{scope}.",
        fix=did_you_mean(name, known),
        metric=name,
    )


def format_figure(value: float) -> str:
    """Format a figure: three decimals, or three digits for small and large values.

    >>> format_figure(0.8123), format_figure(12345.6), format_figure(0.00012), format_figure(-0.0)
    ('0.812', '12,346', '0.00012', '0')
    """
    size = abs(value)
    if size == 0:
        return "0"
    if size >= 1000:  # noqa: PLR2004 - decimals would be noise
        return f"{value:,.0f}"
    if size >= 10:  # noqa: PLR2004
        return f"{value:.2f}"
    return f"{value:.3f}" if size >= 0.01 else f"{value:.3g}"  # noqa: PLR2004
