"""Rankings by query and forecasts of quantiles, by scikit-learn's figures."""

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import QuantileRegressor, Ridge
from sklearn.metrics import mean_pinball_loss, ndcg_score

from penstock.core import ParameterError
from penstock.data import split_table
from penstock.evaluation import (
    compare,
    coverage,
    evaluate,
    judge,
    mean_average_precision,
    mean_reciprocal_rank,
    ndcg,
    pinball,
)
from penstock.evaluation._user_functions import find_metric, remember
from penstock.evaluation._user_metrics import JudgedRows, UserMetric, values_of

DRAW = np.random.default_rng(0)
ROWS = 1200
X = DRAW.normal(size=ROWS)
TABLE = pl.DataFrame(
    {
        "x": X,
        "noise": DRAW.normal(size=ROWS),
        "query": DRAW.integers(0, 240, ROWS),
        "grade": np.clip(np.round(X + DRAW.normal(size=ROWS)), 0, 3),
    }
)
SPLIT = split_table(TABLE, target="grade", by_group="query", drop=["query"], task="regression")
MODEL = Ridge().fit(SPLIT.train.X, SPLIT.train.y)


def test_a_ranking_has_the_mean_over_queries_of_scikit_learns_figure():
    own = [ndcg("query", 5), mean_average_precision("query"), mean_reciprocal_rank("query")]
    report = evaluate(MODEL, SPLIT, metrics=own, importance=False, resamples=50)
    scored = SPLIT.test.table.with_columns(score=pl.Series(MODEL.predict(SPLIT.test.X)))
    found = [
        ndcg_score([part["grade"].to_list()], [part["score"].to_list()], k=5)
        for _, part in scored.group_by("query")
        if (part["grade"] > 0).any()
    ]
    assert report.metrics["ndcg_at_5"].value == pytest.approx(np.mean(found))
    spread = np.std(found, ddof=1) / np.sqrt(len(found))
    estimate = report.metrics["ndcg_at_5"]
    assert estimate.high - estimate.low == pytest.approx(2 * 1.96 * spread, rel=0.25)
    assert report.metrics["mrr_at_10"].value > report.baseline["mrr_at_10"]
    assert [result.state.value for result in judge(["map_at_10 >= 0.3"], report)] == ["passed"]
    reverse = Ridge().fit(SPLIT.train.X, -SPLIT.train.y)
    assert compare(report, reverse)["ndcg_at_5"].low > 0


@pytest.mark.parametrize(
    ("make", "value"),
    [(mean_average_precision, (1 + 2 / 3) / 2 / 2 + 0.25), (mean_reciprocal_rank, 0.75)],
)
def test_queries_are_ranked_by_hand(make, value):
    from penstock.evaluation import Outcomes

    # Query a: relevant rows at ranks 1 and 3; query b: at rank 2; query c has none.
    truth = np.array([1.0, 0.0, 1.0, 0.0, 1.0, 0.0])
    score = np.array([0.9, 0.8, 0.7, 0.9, 0.1, 0.5])
    table = pl.DataFrame({"q": list("aaabbc")})
    rows = JudgedRows(Outcomes("regression", (), truth, score), table)
    assert values_of(make("q"), rows).mean() == pytest.approx(value)


def test_a_quantiles_forecast_has_scikit_learns_loss_and_its_share():
    high = QuantileRegressor(quantile=0.9, alpha=0).fit(SPLIT.train.X, SPLIT.train.y)
    report = evaluate(
        high, SPLIT, metrics=[pinball(0.9), coverage(0.9)], importance=False, resamples=50
    )
    other = mean_pinball_loss(SPLIT.test.y, high.predict(SPLIT.test.X), alpha=0.9)
    assert report.metrics["pinball_90"].value == pytest.approx(other)
    below = (SPLIT.test.y.to_numpy() <= high.predict(SPLIT.test.X)).mean()
    assert report.metrics["coverage_90"].value == pytest.approx(below)
    assert report.user_metrics[0]["better"] == "lower"


def test_a_ready_metric_is_made_again_elsewhere():
    for made in (ndcg("query", 3), mean_reciprocal_rank("q"), pinball(0.5), coverage(0.1)):
        again = find_metric({**remember(made), "code": "sha256:another process"})
        assert isinstance(again, UserMetric)
        assert (again.name, again.function, again.better) == (made.name, made.function, made.better)


@pytest.mark.parametrize("wrong", [lambda: pinball(90), lambda: ndcg("query", 0)])
def test_wrong_numbers_are_refused(wrong):
    with pytest.raises(ParameterError):
        wrong()
