"""Metrics of posted ground truth with their variance, for comparing two versions while they serve.

Apart from the metrics of a report because a sequential comparison needs each row's influence on the
metric, not only the metric's value. Notation: t truth, p prediction, s score of the positive class.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.core import PredictionRecord
from penstock.evaluation.sequential._bounds import mean_half_width

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# Metric name to True if higher is better.
METRICS = {
    "accuracy": True,
    "precision": True,
    "recall": True,
    "roc_auc": True,
    "brier": False,
    "log_loss": False,
    "mae": False,
    "rmse": False,
}

NEED_POSITIVE = frozenset({"precision", "recall", "roc_auc", "brier", "log_loss"})
"""Metrics that cannot be computed while it is not known which class the scores refer to."""


@dataclass(frozen=True, slots=True)
class SequentialEstimate:
    """A metric over the rows with known ground truth.

    Args:
        value: The metric; NaN if undefined for the rows.
        variance: Variance of a row's influence on the metric.
        rows: Number of rows that the metric is computed from.
    """

    value: float
    variance: float
    rows: int

    def half_width(self, alpha: float) -> float:
        """Compute half the width of the metric's anytime-valid interval."""
        return mean_half_width(self.rows, self.variance, alpha)


def estimate_metric(
    metric: str, records: Sequence[PredictionRecord], *, positive: Any = None
) -> SequentialEstimate:
    """Compute a metric from predictions with ground truth.

    Args:
        metric: A name in METRICS.
        records: Logged predictions; those without ground truth or with an error are left out.
        positive: The positive class, for precision, recall, roc_auc, brier and log_loss; without
            one these have no value.

    Returns:
        The metric with the variance of the influence values (for roc_auc: DeLong et al., 1988).
    """
    import numpy as np

    if positive is None and metric in NEED_POSITIVE:
        return SequentialEstimate(math.nan, math.inf, 0)
    known = [record for record in records if record.truth is not None and record.error is None]
    value, influence = _influence(metric, known, positive)
    usable = len(influence) > 1 and math.isfinite(value)
    return SequentialEstimate(
        value=value if usable else math.nan,
        variance=float(np.var(influence, ddof=1)) if usable else math.inf,
        rows=len(influence),
    )


def _influence(
    metric: str, known: Sequence[PredictionRecord], positive: Any
) -> "tuple[float, Floats]":
    import numpy as np

    if metric in {"mae", "rmse"}:
        errors = np.array([float(r.prediction) - float(r.truth) for r in known])
        return _regression(metric, errors)
    if metric == "accuracy":
        return _mean(np.array([float(record.prediction == record.truth) for record in known]))
    truth = np.array([record.truth == positive for record in known], dtype=bool)
    if metric in {"precision", "recall"}:
        said = np.array([record.prediction == positive for record in known], dtype=bool)
        return _ratio(truth & said, truth if metric == "recall" else said)
    scored = np.array([record.score is not None for record in known], dtype=bool)
    score = np.array([record.score for record in known if record.score is not None], dtype=float)
    return _probabilistic(metric, truth[scored], score)


def _probabilistic(
    metric: str, truth: "NDArray[np.bool_]", score: "Floats"
) -> "tuple[float, Floats]":
    import numpy as np

    if metric == "brier":
        return _mean((score - truth) ** 2)
    if metric == "log_loss":
        likely = np.clip(np.where(truth, score, 1 - score), 1e-15, 1.0)
        return _mean(-np.log(likely))
    return _roc_auc(truth, score)


def _mean(values: "Floats") -> "tuple[float, Floats]":
    return (float(values.mean()) if len(values) else math.nan), values


def _regression(metric: str, errors: "Floats") -> "tuple[float, Floats]":
    import numpy as np

    if metric == "mae":
        return _mean(np.abs(errors))
    mean, squares = _mean(errors**2)
    root = math.sqrt(mean) if mean >= 0 else math.nan
    # Delta method: a small change of the mean square changes the root by 1 / (2 root) times as
    # much.
    return root, (squares / (2 * root) if root else squares)


def _ratio(hits: "NDArray[np.bool_]", cases: "NDArray[np.bool_]") -> "tuple[float, Floats]":
    share = cases.mean() if len(cases) else 0.0
    if not share:
        return math.nan, hits[:0].astype(float)
    value = float(hits.sum() / cases.sum())
    return value, (hits - value * cases) / share


def _roc_auc(truth: "NDArray[np.bool_]", score: "Floats") -> "tuple[float, Floats]":
    import numpy as np

    yes, no = np.sort(score[truth]), np.sort(score[~truth])
    if not len(yes) or not len(no):
        return math.nan, score[:0]
    below = (np.searchsorted(no, score, "left") + np.searchsorted(no, score, "right")) / 2
    above = (
        len(yes) - (np.searchsorted(yes, score, "left") + np.searchsorted(yes, score, "right")) / 2
    )
    placement = np.where(truth, below / len(no), above / len(yes))
    value = float(placement[truth].mean())
    share = truth.mean()
    return value, (placement - value) / np.where(truth, share, 1 - share)
