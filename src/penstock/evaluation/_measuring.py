"""``measure``: every metric of a task with an interval, or the reason for being absent."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from penstock.evaluation._formulas import FORMULAS, WeightedRows
from penstock.evaluation._metrics import METRICS, NEED_POSITIVE, TASK_METRICS, Estimate
from penstock.evaluation._outcomes import Outcomes
from penstock.evaluation.intervals import (
    area_interval,
    class_interval,
    label_interval,
    number_interval,
    probability_interval,
    ranked_interval,
    why_too_few,
)
from penstock.tables import why_unknown


@dataclass(frozen=True, slots=True)
class Measured:
    """Metrics, and the reasons why metrics are absent."""

    metrics: Mapping[str, Estimate]
    absent: Mapping[str, str]


def measure(outcomes: Outcomes, *, resamples: int = 500, seed: int = 0) -> Measured:
    """Compute every metric of the task; a metric undefined for the rows is absent with a reason.

    >>> truth, prediction = np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 4.0])
    >>> measured = measure(Outcomes("regression", (), truth, prediction))
    >>> print(round(measured.metrics["mae"].value, 3), measured.absent)
    0.333 {}

    Args:
        outcomes: The rows, in any order.
        resamples: Bootstrap resamples for intervals that need resampling; 0 for values only (low =
            value = high).
        seed: Seed of the resamples.
    """
    # The same rows in any order give bitwise equal figures.
    outcomes = outcomes.take(outcomes.canonical_order())

    def estimate(name: str, value: float) -> Estimate:
        if not resamples:
            return Estimate(value, value, value)
        ends = interval(name, value, outcomes, resamples=resamples, seed=seed)
        return Estimate(value, *ends, why_too_few(name, outcomes))

    names = TASK_METRICS[outcomes.task]
    absent = {name: reason for name in names if (reason := why_absent(name, outcomes))}
    values = point_values([name for name in names if name not in absent], outcomes)
    return Measured({name: estimate(name, value) for name, value in values.items()}, absent)


def point_values(names: Sequence[str], outcomes: Outcomes) -> dict[str, float]:
    """Compute metrics on all rows; all names must be defined for the rows."""
    rows = WeightedRows(outcomes, np.ones((1, len(outcomes))))
    return {name: float(FORMULAS[outcomes.task][name](rows)[0]) for name in names}


def interval(
    name: str, value: float, outcomes: Outcomes, *, resamples: int, seed: int
) -> tuple[float, float]:
    """Compute the 95 % interval of a metric; includes the value and stays in the metric's range.

    Args:
        name: The metric; must be defined for the rows.
        value: The metric on the rows.
        outcomes: The rows in canonical order.
        resamples: Bootstrap resamples, where the method needs resampling.
        seed: Seed of the resamples.
    """
    if outcomes.task == "multilabel":
        ends = label_interval(name, outcomes, value)
    elif outcomes.task == "regression":
        ends = number_interval(name, outcomes, seed=seed, resamples=resamples)
    elif name == "roc_auc":
        ends = area_interval(outcomes, value)
    elif name == "average_precision":
        ends = ranked_interval(outcomes, value)
    elif name in {"log_loss", "brier"}:
        ends = probability_interval(name, outcomes, seed=seed, resamples=resamples)
    else:
        ends = class_interval(name, outcomes, value)
    metric = METRICS[name]
    return min(max(ends[0], metric.minimum), value), max(min(ends[1], metric.maximum), value)


# Why a metric is absent


def why_absent(name: str, outcomes: Outcomes) -> str:
    """Return why the rows do not define a metric; empty if they do."""
    if not len(outcomes):
        return "there are no rows"
    if outcomes.task == "regression":
        return _why_no_number(name, outcomes)
    if outcomes.task == "multilabel":
        return _why_no_labels(name, outcomes)
    if not outcomes.oriented and name in NEED_POSITIVE:
        return why_unknown(outcomes.classes)
    if name in {"roc_auc", "average_precision", "log_loss", "brier"}:
        reason = _why_no_score(name, outcomes)
        if reason:
            return reason
    check = _CLASS_CHECKS.get(name)
    return check(outcomes) if check else ""


def _why_no_score(name: str, outcomes: Outcomes) -> str:
    if outcomes.scores is None:
        return "the model gives no scores (it has neither predict_proba nor decision_function)"
    if outcomes.bad_scores:
        return f"{outcomes.bad_scores:,} of {len(outcomes):,} rows have a score that is no number"
    needs_probability = name in {"log_loss", "brier"} or outcomes.task == "multiclass"
    if needs_probability and not outcomes.probability:
        return "the model gives decision values, not probabilities"
    return ""


def _why_no_ranking(outcomes: Outcomes) -> str:
    codes = set(np.unique(outcomes.truth).tolist())
    missing = [label for code, label in enumerate(outcomes.classes) if code not in codes]
    if not missing:
        return ""
    shown = ", ".join(repr(label) for label in missing[:5])
    return f"no row is of class {shown}" + (" and others" if len(missing) > 5 else "")  # noqa: PLR2004


def _why_no_positive(outcomes: Outcomes) -> str:
    return "" if np.any(outcomes.truth == 1) else f"no row is of class {_positive(outcomes)!r}"


def _why_no_prediction(outcomes: Outcomes) -> str:
    if np.any(outcomes.prediction == 1):
        return ""
    return f"the model predicts {_positive(outcomes)!r} for no row"


def _why_no_f1(outcomes: Outcomes) -> str:
    if np.any(outcomes.truth == 1) or np.any(outcomes.prediction == 1):
        return ""
    return f"no row is of class {_positive(outcomes)!r} and none is predicted so"


def _positive(outcomes: Outcomes) -> Any:
    return outcomes.classes[1]


_CLASS_CHECKS: dict[str, Callable[[Outcomes], str]] = {
    "roc_auc": _why_no_ranking,
    "average_precision": _why_no_positive,
    "precision": _why_no_prediction,
    "recall": _why_no_positive,
    "f1": _why_no_f1,
}


def _why_no_labels(name: str, outcomes: Outcomes) -> str:
    if name in {"micro_f1", "macro_f1"}:
        known = outcomes.truth.any() or outcomes.prediction.any()
        return "" if known else "no row has a label and none is predicted"
    if not name.endswith("average_precision"):
        return ""
    if outcomes.scores is None:
        return "the model gives no scores (it has neither predict_proba nor decision_function)"
    if outcomes.bad_scores:
        return f"{outcomes.bad_scores:,} of {len(outcomes):,} rows have a score that is no number"
    missing = [outcomes.classes[code] for code in np.flatnonzero(outcomes.truth.sum(axis=0) == 0)]
    if not missing or (name.startswith("micro") and len(missing) < len(outcomes.classes)):
        return ""
    shown = ", ".join(repr(label) for label in missing[:5])
    return f"no row has the label {shown}" + (" and others" if len(missing) > 5 else "")  # noqa: PLR2004


def _why_no_number(name: str, outcomes: Outcomes) -> str:
    bad = int((~np.isfinite(outcomes.prediction)).sum())
    if bad:
        return f"{bad:,} of {len(outcomes):,} predictions are no number"
    if name == "r2" and outcomes.truth.min() == outcomes.truth.max():
        return "the target has one value only in these rows"
    if name == "mape" and np.any(outcomes.truth == 0):
        zeros = int((outcomes.truth == 0).sum())
        return f"the target is 0 in {zeros:,} of {len(outcomes):,} rows"
    return ""
