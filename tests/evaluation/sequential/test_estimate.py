"""Values against scikit-learn; variances against the bootstrap."""

import math

import numpy as np
import pytest
from sklearn import metrics

from penstock.core import PredictionRecord, now
from penstock.evaluation.sequential import METRICS, estimate_metric


def classified(rows: int = 3_000, seed: int = 0) -> list[PredictionRecord]:
    rng = np.random.default_rng(seed)
    truth = rng.random(rows) < 0.3
    score = np.clip(np.round(0.5 * truth + rng.normal(0.25, 0.2, rows), 2), 0.01, 0.99)
    at = now()
    return [
        PredictionRecord(
            str(place),
            "d",
            "m",
            1,
            at,
            {},
            "yes" if s > 0.5 else "no",
            score=float(s),
            truth="yes" if t else "no",
        )
        for place, (t, s) in enumerate(zip(truth, score, strict=True))
    ]


def regressed(rows: int = 2_000) -> list[PredictionRecord]:
    rng, at = np.random.default_rng(1), now()
    return [
        PredictionRecord(str(place), "d", "m", 1, at, {}, float(p), truth=float(p + e))
        for place, (p, e) in enumerate(
            zip(rng.normal(size=rows), rng.normal(size=rows), strict=True)
        )
    ]


def sklearn_value(metric: str, records: list[PredictionRecord]) -> float:
    truth, said = [r.truth for r in records], [r.prediction for r in records]
    if metric == "mae":
        return metrics.mean_absolute_error(truth, said)
    if metric == "rmse":
        return metrics.root_mean_squared_error(truth, said)
    score, yes = [r.score for r in records], [t == "yes" for t in truth]
    return {
        "accuracy": lambda: metrics.accuracy_score(truth, said),
        "precision": lambda: metrics.precision_score(truth, said, pos_label="yes"),
        "recall": lambda: metrics.recall_score(truth, said, pos_label="yes"),
        "roc_auc": lambda: metrics.roc_auc_score(yes, score),
        "brier": lambda: metrics.brier_score_loss(yes, score),
        "log_loss": lambda: metrics.log_loss(yes, score),
    }[metric]()


@pytest.mark.parametrize("metric", METRICS)
def test_values_are_scikit_learns(metric: str) -> None:
    records = regressed() if metric in {"mae", "rmse"} else classified()
    found = estimate_metric(metric, records, positive="yes")
    assert found.value == pytest.approx(sklearn_value(metric, records), rel=1e-9)
    assert found.rows == len(records)


@pytest.mark.parametrize("metric", METRICS)
def test_standard_errors_are_the_bootstraps(metric: str) -> None:
    records = regressed() if metric in {"mae", "rmse"} else classified(1_000)
    rng = np.random.default_rng(2)
    drawn = [
        sklearn_value(metric, [records[i] for i in rng.integers(0, len(records), len(records))])
        for _ in range(120)
    ]
    found = estimate_metric(metric, records, positive="yes")
    # 120 resamples know a standard error to about 6.5 %; four times that is allowed.
    assert math.sqrt(found.variance / found.rows) == pytest.approx(np.std(drawn), rel=0.26)


@pytest.mark.parametrize("metric", ["roc_auc", "recall", "precision"])
def test_rows_without_a_positive_give_no_figure_and_no_evidence(metric: str) -> None:
    at = now()
    records = [
        PredictionRecord(str(i), "d", "m", 1, at, {}, "no", score=0.1, truth="no")
        for i in range(20)
    ]
    found = estimate_metric(metric, records, positive="yes")
    assert math.isnan(found.value)
    assert found.variance == math.inf


def test_rows_without_truth_or_with_an_error_do_not_count() -> None:
    at = now()
    records = [
        PredictionRecord("a", "d", "m", 1, at, {}, "no", truth="no"),
        PredictionRecord("b", "d", "m", 1, at, {}, "no", truth="yes"),
        PredictionRecord("c", "d", "m", 1, at, {}, "no"),
        PredictionRecord("d", "d", "m", 1, at, {}, None, truth="no", error="ValueError"),
    ]
    assert estimate_metric("accuracy", records).value == 0.5
    assert estimate_metric("accuracy", records).rows == 2


@pytest.mark.parametrize("metric", ["precision", "recall", "roc_auc", "brier", "log_loss"])
def test_without_a_positive_class_what_depends_on_it_has_no_value(metric: str) -> None:
    records = [
        PredictionRecord(str(i), "d", "m", 1, now(), {}, "a", score=0.9, truth="ab"[i % 2])
        for i in range(10)
    ]
    assert math.isnan(estimate_metric(metric, records).value)
