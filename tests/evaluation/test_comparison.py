import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LogisticRegression, Ridge

from penstock.core import DataError
from penstock.evaluation import Comparison, Outcomes, compare
from penstock.evaluation._comparison import compare_outcomes


@pytest.fixture
def weaker(split):
    return LogisticRegression().fit(split.train.X.select("second"), split.train.y)


def test_a_better_challenger_is_better_beyond_doubt(report, weaker):
    comparison = compare(report, weaker, resamples=200)
    area = comparison["roc_auc"]
    assert area.challenger == report.metrics["roc_auc"].value
    assert area.difference == area.challenger - area.champion
    assert area.low <= area.difference <= area.high
    assert area.low > 0
    assert area.significant
    assert comparison.rows == len(report.holdout.X)


def test_a_model_against_itself_differs_by_nothing(report, model):
    comparison = compare(report, model, resamples=50)
    assert set(comparison) == set(report.metrics)
    assert {(d.difference, d.low, d.high) for d in comparison.values()} == {(0.0, 0.0, 0.0)}
    assert not comparison["f1"].significant


def test_pairing_makes_the_interval_narrower_than_the_two_apart(report, split):
    near = LogisticRegression(C=0.001).fit(split.train.X, split.train.y)
    paired = compare(report, near, resamples=200)["accuracy"]
    alone = report.metrics["accuracy"]
    # Two independent samples would differ by sqrt(2) times one's width.
    apart = 2**0.5 * (alone.high - alone.low)
    assert 0 < paired.high - paired.low < 0.75 * apart


def test_numbers_are_compared_too(number_report, number_split):
    champion = DummyRegressor().fit(number_split.train.X, number_split.train.y)
    difference = compare(number_report, champion, resamples=100)["rmse"]
    assert difference.high < 0
    expected = np.sqrt(
        np.mean(
            (champion.predict(number_report.holdout.X) - number_report.holdout.y.to_numpy()) ** 2
        )
    )
    assert difference.champion == pytest.approx(expected)


def test_what_the_champion_cannot_give_is_absent_with_the_reason(report, split):
    champion = DummyClassifier(strategy="constant", constant="no").fit(split.train.X, split.train.y)
    comparison = compare(report, champion, resamples=20)
    assert comparison.absent == {
        "precision": "for the champion, the model predicts 'yes' for no row"
    }
    assert "roc_auc" in comparison


def test_a_champion_with_other_columns_is_refused_by_name(report):
    frame = pl.DataFrame({"first": [0.0, 1.0], "meter": [1.0, 0.0]})
    champion = Ridge().fit(frame, [0.0, 1.0])
    with pytest.raises(DataError, match="'meter'"):
        compare(report, champion)


def test_a_comparison_survives_json(report, weaker):
    comparison = compare(report, weaker, resamples=20)
    assert Comparison.from_json(comparison.to_json()) == comparison
    assert len(comparison) == len(comparison.differences)


rows = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=30
)


@given(rows, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_order_changes_nothing_and_exchanging_the_models_turns_the_sign(triples, random):
    truth, ours, theirs = np.array(triples).T

    def side(scores):
        return Outcomes("binary", (0, 1), truth, (scores > 2).astype(np.int64), scores / 5, True)

    first = compare_outcomes(side(ours), side(theirs), resamples=30, seed=0)
    order = list(range(len(truth)))
    random.shuffle(order)
    shuffled = [side(ours).take(np.array(order)), side(theirs).take(np.array(order))]
    assert compare_outcomes(*shuffled, resamples=30, seed=0) == first
    turned = compare_outcomes(side(theirs), side(ours), resamples=30, seed=0)
    for name, difference in first.items():
        assert difference.low <= difference.difference <= difference.high
        assert turned[name].difference == pytest.approx(-difference.difference, abs=1e-12)


def test_many_rows_are_compared():
    draw = np.random.default_rng(0)
    n = 50_000
    truth = draw.normal(size=n)
    sides = [Outcomes("regression", (), truth, truth + draw.normal(0, sd, n)) for sd in (1.0, 1.1)]
    found = compare_outcomes(*sides, resamples=100, seed=0)["mae"]
    assert found.low < found.difference < found.high < 0
