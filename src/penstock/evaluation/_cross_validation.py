"""CrossValidation: metrics of each fold, their mean, and an interval that allows for shared rows.

Notation: x_1 … x_k the metric of each fold, r the mean of test rows / train rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from penstock.evaluation._metrics import METRICS, Estimate

_FEWEST = 2


@dataclass(frozen=True)
class FoldScore:
    """Metrics of a fold.

    Args:
        metrics: Value by metric on the fold's test rows.
        train_rows: Number of train rows.
        test_rows: Number of test rows.
        chosen: Parameters chosen on inner folds; empty if nothing was chosen.
    """

    metrics: Mapping[str, float]
    train_rows: int
    test_rows: int
    chosen: Mapping[str, Any]

    bundle_type: ClassVar[str] = "penstock.evaluation:FoldScore"

    def to_bundle(self) -> dict[str, Any]:
        """Return the parts to store."""
        return {
            "facts": {
                "metrics": dict(self.metrics),
                "train_rows": self.train_rows,
                "test_rows": self.test_rows,
                "chosen": dict(self.chosen),
            }
        }

    @classmethod
    def from_bundle(cls, parts: Mapping[str, Any]) -> Self:
        """Create a score from the result of to_bundle."""
        return cls(**parts["facts"])


@dataclass(frozen=True)
class CrossValidation:
    """Metrics over the folds of a cross-validation.

    Args:
        folds: Scores in the order of the folds.
        method: Name of the method that cut the folds.
    """

    folds: tuple[FoldScore, ...]
    method: str

    bundle_type: ClassVar[str] = "penstock.evaluation:CrossValidation"

    @property
    def metrics(self) -> dict[str, Estimate]:
        """Mean of each metric that every fold has, with a 95 % interval."""
        shared = [
            name
            for name in self.folds[0].metrics
            if all(name in fold.metrics for fold in self.folds)
        ]
        ratio = float(np.mean([fold.test_rows / fold.train_rows for fold in self.folds]))
        return {
            name: _within(name, mean_over_folds([f.metrics[name] for f in self.folds], ratio))
            for name in shared
        }

    def to_json(self) -> dict[str, Any]:
        """Return means and folds as plain JSON."""
        return {
            "method": self.method,
            "metrics": {name: each.to_json() for name, each in self.metrics.items()},
            "folds": [fold.to_bundle()["facts"] for fold in self.folds],
        }

    def to_bundle(self) -> dict[str, Any]:
        """Return the parts to store."""
        facts = [fold.to_bundle()["facts"] for fold in self.folds]
        return {"facts": {"folds": facts, "method": self.method}}

    @classmethod
    def from_bundle(cls, parts: Mapping[str, Any]) -> Self:
        """Create a cross-validation from the result of to_bundle."""
        facts = parts["facts"]
        return cls(tuple(FoldScore(**each) for each in facts["folds"]), facts["method"])


def mean_over_folds(values: Sequence[float], ratio: float) -> Estimate:
    """Return the mean over folds with a 95 % interval by the corrected resampled t.

    Folds share train rows, so the variance of their mean is not s²/k, but (1/k + r) s². The
    interval of a plain t-test would be too narrow.

    >>> print(mean_over_folds([0.8, 0.82, 0.84], 0.5))
    0.820 [0.741, 0.899]

    Args:
        values: Metric of each fold, shape (k,).
        ratio: Test rows divided by train rows of a fold.

    Source:
        Nadeau, Bengio (2003), Inference for the Generalization Error, Machine Learning 52, 239-281.
    """
    from scipy import stats

    figures = np.asarray(values, dtype=np.float64)
    mean, count = float(figures.mean()), len(figures)
    if count < _FEWEST:
        return Estimate(mean, mean, mean, needs="a second fold")
    error = float(np.sqrt((1 / count + ratio) * figures.var(ddof=1)))
    half = float(stats.t.ppf(0.975, count - 1)) * error
    return Estimate(mean, mean - half, mean + half)


def _within(name: str, estimate: Estimate) -> Estimate:
    """Return an estimate whose interval ends where the metric's range does."""
    known = METRICS.get(name)
    if known is None:
        return estimate
    return replace(
        estimate, low=max(estimate.low, known.minimum), high=min(estimate.high, known.maximum)
    )
