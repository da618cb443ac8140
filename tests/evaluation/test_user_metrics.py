"""User metrics: functions in the place of formulas, with the same ways in and the same refusals."""

import numpy as np
import polars as pl
import pytest
from scipy.stats import bootstrap
from sklearn.metrics import fbeta_score

from penstock.core import DataError, ParameterError
from penstock.evaluation import Outcomes, UserMetric, metric
from penstock.evaluation._user_metrics import (
    JudgedRows,
    accelerated_ends,
    read_metrics,
    resample,
    values_of,
)

TRUTH, SAID = np.array([0, 1, 1, 0]), np.array([0, 1, 0, 1])
ROWS = JudgedRows(
    Outcomes("binary", ("no", "yes"), TRUTH, SAID, scores=np.array([0.1, 0.9, 0.4, 0.6])),
    pl.DataFrame({"amount": [1.0, 2.0, 3.0, 4.0]}),
)


def test_a_function_gets_labels_and_by_name_scores_and_rows():
    def kept(truth, prediction, *, scores, rows):
        assert truth.tolist() == ["no", "yes", "yes", "no"]
        assert prediction.tolist() == ["no", "yes", "no", "yes"]
        return (scores * rows["amount"].to_numpy()).sum()

    assert float(values_of(UserMetric("kept", kept), ROWS)) == pytest.approx(5.5)


def test_a_metric_of_scikit_learn_is_a_function_too():
    found = read_metrics({"f2": lambda t, p: fbeta_score(t, p, beta=2, pos_label="yes")})[0]
    assert float(values_of(found, ROWS)) == pytest.approx(0.5)


def test_numbers_are_given_as_they_are():
    rows = JudgedRows(Outcomes("regression", (), np.array([1.0, 2.0]), np.array([2.0, 4.0])), None)
    assert values_of(UserMetric("off", lambda t, p: p - t), rows).tolist() == [1.0, 2.0]


def test_the_decorator_declares_name_and_direction():
    @metric(name="euros", better="lower")
    def cost(truth, prediction):
        return truth != prediction

    assert (cost.name, cost.better) == ("euros", "lower")
    assert cost(1, 2) is True
    assert read_metrics({"price": cost})[0].better == "lower"


@pytest.mark.parametrize(
    ("metrics", "words"),
    [
        ({"roc_auc": len}, "is a metric of penstock"),
        ({"two words": len}, "is no Python name"),
        ({"profit": 3}, "is a function, not int"),
        ([len], "is a function"),
        ([metric(len), metric(len)], "Two metrics are called 'len'"),
        ([UserMetric("profit", len, "best")], "better='best'"),  # type: ignore[arg-type]  # a wrong use
    ],
)
def test_wrong_metrics_are_refused_with_the_reason(metrics, words):
    with pytest.raises(ParameterError, match=words):
        read_metrics(metrics)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda t, p: 1 / 0, "fails: ZeroDivisionError"),
        (lambda t, p: [1.0, 2.0], r"returned shape \(2,\) for 4 rows"),
        (lambda t, p: "good", "fails: ValueError"),
        (lambda t: 1.0, "fails: TypeError"),
    ],
)
def test_a_function_that_returns_no_figure_is_named(function, words):
    with pytest.raises(DataError, match=f"The metric 'profit' {words}"):
        values_of(UserMetric("profit", function), ROWS)


def test_the_ends_of_a_function_are_those_of_scipy():
    values = np.random.default_rng(3).exponential(size=60)

    def call(rows):
        return float(np.std(values[rows]))

    drawn, failed = resample(call, 60, resamples=2000, seed=0)
    low, high = accelerated_ends(call(np.arange(60)), drawn, call, 60)
    other = bootstrap((values,), np.std, n_resamples=2000, method="BCa", rng=1).confidence_interval
    assert failed == 0
    assert (low, high) == pytest.approx((other.low, other.high), rel=0.06)
