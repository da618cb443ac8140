"""Intervals keep their laws; a metric that cannot be is absent with its reason."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.evaluation import METRICS, Outcomes, measure
from penstock.evaluation._bootstrap import draw_weights


def binary(truth, scores, prediction=None, **rest):
    scores = np.asarray(scores, dtype=float)
    said = (scores > 0.5) if prediction is None else np.asarray(prediction)
    truth = np.asarray(truth, dtype=np.int64)
    return Outcomes("binary", ("no", "yes"), truth, said.astype(np.int64), scores, True, **rest)


def numbers(truth, prediction):
    return Outcomes("regression", (), np.array(truth, float), np.array(prediction, float))


rows = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 10)), min_size=1, max_size=40)


@given(rows, st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_every_interval_holds_its_value_and_stays_in_range(pairs, seed):
    truth, scores = np.array(pairs).T
    measured = measure(binary(truth, scores / 10), resamples=50, seed=seed)
    for name, estimate in measured.metrics.items():
        assert estimate.low <= estimate.value <= estimate.high
        assert METRICS[name].minimum <= estimate.low
        assert estimate.high <= METRICS[name].maximum
    assert set(measured.metrics).isdisjoint(measured.absent)


@given(rows, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_the_order_of_rows_changes_no_bit(pairs, random):
    truth, scores = np.array(pairs).T
    outcomes = binary(truth, scores / 10)
    order = list(range(len(pairs)))
    random.shuffle(order)
    shuffled = outcomes.take(np.array(order))
    assert measure(shuffled, resamples=30) == measure(outcomes, resamples=30)


def test_order_of_rows_changes_no_bit_for_numbers_and_several_classes():
    draw = np.random.default_rng(0)
    order = draw.permutation(200)
    regression = numbers(draw.normal(size=200), draw.normal(size=200))
    scores = draw.dirichlet(np.ones(3), 200)
    truth = draw.integers(0, 3, 200)
    several = Outcomes("multiclass", tuple("abc"), truth, scores.argmax(axis=1), scores, True)
    for outcomes in (regression, several):
        assert measure(outcomes.take(order), resamples=50) == measure(outcomes, resamples=50)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another():
    draw = np.random.default_rng(0)
    outcomes = binary(draw.integers(0, 2, 300), draw.random(300))
    first = measure(outcomes, seed=1).metrics["brier"]
    assert measure(outcomes, seed=1).metrics["brier"] == first
    assert measure(outcomes, seed=2).metrics["brier"] != first


def test_interval_of_a_share_has_the_width_that_theory_gives():
    # Normal approximation: 1.96 * sqrt(p (1 - p) / n), p = 0.8, n = 2000 -> 0.01753
    truth = np.ones(2000)
    said = np.arange(2000) % 5 != 0
    estimate = measure(binary(truth, said * 1.0), resamples=2000).metrics["accuracy"]
    assert estimate.value == 0.8
    assert (estimate.high - estimate.low) / 2 == pytest.approx(0.01753, rel=0.1)


def test_the_interval_of_the_mean_error_covers_the_truth_about_95_times_in_100():
    draw = np.random.default_rng(4)
    covered = 0
    for _ in range(150):
        noise = draw.normal(size=80)
        estimate = measure(numbers(np.arange(1, 81), np.arange(1, 81) + noise), resamples=200)
        covered += estimate.metrics["bias"].low <= 0 <= estimate.metrics["bias"].high
    assert 0.88 <= covered / 150 <= 0.99


def test_an_interval_of_many_rows_is_as_wide_as_theory_says():
    # 1.96 * sd / sqrt(n) with sd = 2 and n = 80000 -> 0.01386
    draw = np.random.default_rng(0)
    truth = draw.normal(size=80_000)
    outcomes = numbers(truth, truth + draw.normal(0.5, 2, 80_000))
    estimate = measure(outcomes, resamples=300).metrics["bias"]
    assert (estimate.high - estimate.low) / 2 == pytest.approx(0.01386, rel=0.2)
    assert estimate.low < estimate.value < estimate.high


def test_weights_of_a_resample_sum_to_the_rows():
    chunks = list(draw_weights(50_000, resamples=90, seed=0))
    assert sum(len(chunk) for chunk in chunks) == 90
    assert {int(total) for chunk in chunks for total in chunk.sum(axis=1)} == {50_000}


def test_one_class_leaves_ranking_absent_and_says_why():
    measured = measure(binary([0, 0, 0], [0.1, 0.2, 0.3]), resamples=20)
    assert measured.absent["roc_auc"] == "no row is of class 'yes'"
    assert measured.absent["precision"] == "the model predicts 'yes' for no row"
    assert "f1" in measured.absent
    assert measured.metrics["accuracy"].value == 1.0


def test_scores_that_are_no_numbers_leave_their_metrics_absent():
    measured = measure(binary([0, 1, 1], [0.1, np.nan, np.inf], [0, 1, 1]), resamples=20)
    assert measured.absent["roc_auc"] == "2 of 3 rows have a score that is no number"
    assert measured.metrics["recall"].value == 1.0


def test_no_scores_or_no_probabilities_are_told_apart():
    truth, said = np.array([0, 1]), np.array([0, 1])
    none = Outcomes("binary", (0, 1), truth, said)
    assert "no scores" in measure(none, resamples=0).absent["brier"]
    decided = Outcomes("binary", (0, 1), truth, said, np.array([-3.0, 4.0]))
    measured = measure(decided, resamples=0)
    assert measured.metrics["roc_auc"].value == 1.0
    assert "decision values" in measured.absent["log_loss"]


def test_a_class_missing_from_the_rows_is_named():
    scores = np.full((4, 3), 1 / 3)
    outcomes = Outcomes(
        "multiclass", tuple("abc"), np.array([0, 1, 0, 1]), np.zeros(4, np.int64), scores, True
    )
    measured = measure(outcomes, resamples=20)
    assert measured.absent == {"roc_auc": "no row is of class 'c'"}


def test_constant_target_has_no_r2_and_zero_target_no_mape():
    measured = measure(numbers([0, 0, 0], [0.1, 0.2, 0.0]), resamples=20)
    assert measured.absent["r2"] == "the target has one value only in these rows"
    assert measured.absent["mape"] == "the target is 0 in 3 of 3 rows"
    assert measured.metrics["mae"].value == pytest.approx(0.1)


def test_predictions_that_are_no_numbers_leave_all_absent():
    measured = measure(numbers([1, 2], [np.nan, 2]), resamples=20)
    assert measured.metrics == {}
    assert set(measured.absent.values()) == {"1 of 2 predictions are no number"}


def test_one_row_and_no_row_do_not_crash():
    assert measure(numbers([1], [2])).metrics["mae"].value == 1
    assert measure(numbers([], [])).metrics == {}
    assert set(measure(binary([], [])).absent.values()) == {"there are no rows"}


def test_resamples_of_the_ranking_of_many_classes_are_fewer():
    draw = np.random.default_rng(0)
    scores = draw.dirichlet(np.ones(30), 300)
    truth = np.arange(300) % 30
    outcomes = Outcomes("multiclass", tuple(range(30)), truth, scores.argmax(axis=1), scores, True)
    estimate = measure(outcomes, resamples=150).metrics["roc_auc"]
    assert estimate.low < estimate.value < estimate.high
