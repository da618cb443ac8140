"""Forecasts of quantiles: figures as of scikit-learn and by hand, crossings told, champion, register."""

import numpy as np
import polars as pl
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LinearRegression, QuantileRegressor
from sklearn.metrics import mean_pinball_loss

from penstock.core import DataError, ParameterError
from penstock.data import split_table
from penstock.evaluation import EvaluationReport, compare, evaluate, judge, quantile_metrics
from penstock.evaluation._user_functions import find_metric

LEVELS = (0.05, 0.5, 0.95)
DRAW = np.random.default_rng(0)
X = DRAW.uniform(0, 10, 900)
TABLE = pl.DataFrame(
    {"x": X, "noise": DRAW.normal(size=900), "y": 3 * X + DRAW.normal(size=900) * (1 + X)}
)
SPLIT = split_table(TABLE, target="y", task="regression")


class Quantiles(RegressorMixin, BaseEstimator):
    """A linear model of each quantile, in one estimator."""

    def __init__(self, levels=LEVELS, shift=0.0):
        self.levels, self.shift = levels, shift

    def fit(self, X, y):  # noqa: N803
        self.n_features_in_ = 2
        self.models_ = [QuantileRegressor(quantile=q, alpha=0).fit(X, y) for q in self.levels]
        return self

    def predict(self, X):  # noqa: N803
        found = np.stack([model.predict(X) for model in self.models_], axis=1)
        found[:, 0] += self.shift
        return found


MODEL = Quantiles().fit(SPLIT.train.X, SPLIT.train.y)
REPORT = evaluate(MODEL, SPLIT, quantiles=LEVELS, slices=["noise"])
TRUTH, FORECAST = SPLIT.test.y.to_numpy(), MODEL.predict(SPLIT.test.X)


def test_pinball_losses_are_those_of_scikit_learn():
    for at, level in enumerate(LEVELS):
        expected = mean_pinball_loss(TRUTH, FORECAST[:, at], alpha=level)
        assert REPORT.metrics[f"pinball_{100 * level:g}"].value == pytest.approx(expected)


def test_the_interval_has_coverage_width_and_score():
    low, high = FORECAST[:, 0], FORECAST[:, 2]
    inside = (low <= TRUTH) & (high >= TRUTH)
    assert REPORT.metrics["interval_coverage_90"].value == pytest.approx(inside.mean())
    assert REPORT.metrics["interval_width_90"].value == pytest.approx((high - low).mean())
    score = [
        upper
        - lower
        + (20 * (lower - y) if y < lower else 0)
        + (20 * (y - upper) if y > upper else 0)
        for lower, upper, y in zip(low, high, TRUTH, strict=True)
    ]
    assert REPORT.metrics["interval_score_90"].value == pytest.approx(np.mean(score))
    # Gneiting, Raftery (2007): the score is the sum of both pinball losses over a / 2.
    both = [mean_pinball_loss(TRUTH, FORECAST[:, at], alpha=LEVELS[at]) for at in (0, 2)]
    assert REPORT.metrics["interval_score_90"].value == pytest.approx(sum(both) / 0.05)


def test_the_point_forecast_is_the_median():
    expected = np.abs(FORECAST[:, 1] - TRUTH).mean()
    assert REPORT.metrics["mae"].value == pytest.approx(expected)
    assert REPORT.importance.columns[0].columns == ("x",)
    assert not any("cross" in note or "middle" in note for note in REPORT.notes)


def test_slices_gates_and_baseline_know_the_interval():
    assert all("interval_coverage_90" in part.metrics for part in REPORT.slices["noise"])
    assert REPORT.baseline["interval_score_90"] > REPORT.metrics["interval_score_90"].value
    gates = ["lower(interval_coverage_90) >= 0.8", "interval_score_90 < baseline.interval_score_90",
             "quantile_crossing == 0", "gap(interval_coverage_90, noise) < 0.3"]  # fmt: skip
    assert [result.state.value for result in judge(gates, REPORT)] == ["passed"] * 4


def test_a_share_of_all_rows_is_not_certain():
    wide = Quantiles(shift=-1000.0).fit(SPLIT.train.X, SPLIT.train.y)
    wide.models_[2].intercept_ += 1000
    estimate = evaluate(wide, SPLIT, quantiles=LEVELS, importance=False).metrics
    assert estimate["interval_coverage_90"].value == 1
    assert 0.95 < estimate["interval_coverage_90"].low < 0.99


def test_the_champion_is_compared_by_its_own_quantiles():
    worse = Quantiles(shift=-10.0).fit(SPLIT.train.X, SPLIT.train.y)
    found = compare(REPORT, worse)
    assert found["interval_width_90"].difference == pytest.approx(-10)
    assert found["interval_score_90"].difference < -5
    assert found["interval_coverage_90"].needs == ""
    single = compare(REPORT, LinearRegression().fit(SPLIT.train.X, SPLIT.train.y))
    assert "mae" in single
    assert "forecasts no quantiles" in single.absent["interval_score_90"]


def test_crossing_quantiles_are_told_and_counted():
    crossed = Quantiles(shift=6.0).fit(SPLIT.train.X, SPLIT.train.y)
    report = evaluate(crossed, SPLIT, quantiles=LEVELS, importance=False)
    found = crossed.predict(SPLIT.test.X)
    rows = (np.diff(found, axis=1) < 0).any(axis=1)
    assert 0 < rows.sum() < len(rows)
    assert report.metrics["quantile_crossing"].value == pytest.approx(rows.mean())
    first = int(np.flatnonzero(rows)[0])
    assert any(
        f"Quantiles cross in {rows.sum()} of 180 rows; the first is row {first}: 0.05 is" in note
        for note in report.notes
    )


def test_two_quantiles_without_a_median_have_a_middle_that_is_told():
    both = (0.1, 0.9)
    model = Quantiles(both).fit(SPLIT.train.X, SPLIT.train.y)
    report = evaluate(model, SPLIT, quantiles=both, importance=False)
    expected = np.abs(model.predict(SPLIT.test.X).mean(axis=1) - TRUTH).mean()
    assert report.metrics["mae"].value == pytest.approx(expected)
    assert "interval_coverage_80" in report.metrics
    assert any("middle of the forecasts (0.1 and 0.9)" in note for note in report.notes)


def test_a_stored_report_has_its_quantiles_and_its_metrics():
    read = EvaluationReport.from_bundle(REPORT.to_bundle())
    assert read.quantiles == LEVELS
    assert np.array_equal(read.outcomes().scores, FORECAST)
    for facts in read.user_metrics:
        found = find_metric({**facts, "code": "of another process"})
        assert not isinstance(found, str)
        assert found.name == facts["name"]


def test_wrong_quantiles_are_refused():
    for wrong in ((0.5,), (0.9, 0.1), (0.1, 0.1), (5, 95)):
        with pytest.raises(ParameterError, match="no quantiles of a forecast"):
            evaluate(MODEL, SPLIT, quantiles=wrong)
    with pytest.raises(DataError, match=r"predicts 3 values per row .*but 2 quantiles"):
        evaluate(MODEL, SPLIT, quantiles=(0.1, 0.9))
    with pytest.raises(DataError, match="predicts one value, but 3 quantiles"):
        evaluate(LinearRegression().fit(SPLIT.train.X, SPLIT.train.y), SPLIT, quantiles=LEVELS)
    with pytest.raises(DataError, match="quantiles by evaluate"):
        evaluate(MODEL, SPLIT)
    assert len(quantile_metrics(LEVELS)) == 7
