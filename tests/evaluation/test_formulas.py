"""Every formula against scikit-learn, on whole rows and on weighted ones."""

import numpy as np
import pytest
import sklearn.metrics as oracle
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.evaluation._formulas import FORMULAS, WeightedRows
from penstock.evaluation._outcomes import Outcomes

BINARY = {
    "roc_auc": lambda t, p, s, w: oracle.roc_auc_score(t, s, sample_weight=w),
    "average_precision": lambda t, p, s, w: oracle.average_precision_score(t, s, sample_weight=w),
    "log_loss": lambda t, p, s, w: oracle.log_loss(t, s, sample_weight=w),
    "brier": lambda t, p, s, w: oracle.brier_score_loss(t, s, sample_weight=w),
    "accuracy": lambda t, p, s, w: oracle.accuracy_score(t, p, sample_weight=w),
    "balanced_accuracy": lambda t, p, s, w: oracle.balanced_accuracy_score(t, p, sample_weight=w),
    "precision": lambda t, p, s, w: oracle.precision_score(t, p, sample_weight=w),
    "recall": lambda t, p, s, w: oracle.recall_score(t, p, sample_weight=w),
    "f1": lambda t, p, s, w: oracle.f1_score(t, p, sample_weight=w),
    "mcc": lambda t, p, s, w: oracle.matthews_corrcoef(t, p, sample_weight=w),
}
SEVERAL = {
    "accuracy": lambda t, p, s, w: oracle.accuracy_score(t, p, sample_weight=w),
    "balanced_accuracy": lambda t, p, s, w: oracle.balanced_accuracy_score(t, p, sample_weight=w),
    "macro_f1": lambda t, p, s, w: oracle.f1_score(t, p, average="macro", sample_weight=w),
    "log_loss": lambda t, p, s, w: oracle.log_loss(t, s, sample_weight=w),
    "roc_auc": lambda t, p, s, w: oracle.roc_auc_score(t, s, multi_class="ovr", sample_weight=w),
}
NUMBERS = {
    "rmse": oracle.root_mean_squared_error,
    "mae": oracle.mean_absolute_error,
    "r2": oracle.r2_score,
    "mape": oracle.mean_absolute_percentage_error,
    "bias": lambda t, p, sample_weight: np.average(p - t, weights=sample_weight),
}


def binary_rows(seed, rows=200, ties=False):
    draw = np.random.default_rng(seed)
    scores = draw.random(rows)
    scores = np.round(scores, 1) if ties else scores
    truth = (draw.random(rows) < scores).astype(np.int64)
    truth[:2], weights = (0, 1), draw.integers(0, 4, rows).astype(float)
    weights[:2] = 1
    return Outcomes(
        "binary", ("no", "yes"), truth, (scores > 0.4).astype(np.int64), scores, True
    ), weights


def check(formula, expected, outcomes, weights):
    both = np.stack([np.ones(len(outcomes)), weights])
    found = formula(WeightedRows(outcomes, both))
    assert found == pytest.approx([expected(None), expected(weights)], rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("ties", [False, True])
def test_binary_metrics_equal_scikit_learn_also_with_ties_and_weights(name, ties):
    outcomes, weights = binary_rows(7, ties=ties)

    def expected(w):
        return BINARY[name](outcomes.truth, outcomes.prediction, outcomes.scores, w)

    check(FORMULAS["binary"][name], expected, outcomes, weights)


@pytest.mark.parametrize("name", SEVERAL)
def test_metrics_of_several_classes_equal_scikit_learn(name):
    draw = np.random.default_rng(3)
    scores = draw.dirichlet(np.ones(4), 300)
    truth = np.array([draw.choice(4, p=row) for row in scores])
    outcomes = Outcomes("multiclass", tuple("abcd"), truth, scores.argmax(axis=1), scores, True)
    weights = draw.integers(1, 4, 300).astype(float)

    def expected(w):
        return SEVERAL[name](truth, outcomes.prediction, scores, w)

    check(FORMULAS["multiclass"][name], expected, outcomes, weights)


@pytest.mark.parametrize("name", NUMBERS)
def test_metrics_of_numbers_equal_scikit_learn(name):
    draw = np.random.default_rng(5)
    truth = draw.normal(50, 10, 201)
    outcomes = Outcomes("regression", (), truth, truth + draw.normal(0, 4, 201))
    weights = draw.integers(0, 4, 201).astype(float)

    def expected(w):
        return NUMBERS[name](truth, outcomes.prediction, sample_weight=w)

    check(FORMULAS["regression"][name], expected, outcomes, weights)


@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(0, 3)), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_median_error_of_weighted_rows_is_that_of_repeated_rows(pairs):
    errors, weights = np.array(pairs, dtype=float).T
    if not weights.sum():
        weights[0] = 1
    outcomes = Outcomes("regression", (), np.zeros(len(errors)), errors)
    repeated = np.repeat(errors, weights.astype(int))
    found = FORMULAS["regression"]["medae"](WeightedRows(outcomes, weights[None, :]))
    assert found[0] == oracle.median_absolute_error(np.zeros(len(repeated)), repeated)


@given(st.integers(0, 10_000), st.booleans())
@settings(max_examples=40, deadline=None)
def test_ranking_metrics_equal_scikit_learn_on_any_rows(seed, ties):
    outcomes, weights = binary_rows(seed, rows=25, ties=ties)
    for name in ("roc_auc", "average_precision"):

        def expected(w, name=name):
            return BINARY[name](outcomes.truth, None, outcomes.scores, w)

        check(FORMULAS["binary"][name], expected, outcomes, weights)


def test_a_resample_without_the_class_has_no_figure():
    outcomes = Outcomes(
        "binary", (0, 1), np.array([0, 1]), np.array([0, 0]), np.array([0.1, 0.9]), True
    )
    rows = WeightedRows(outcomes, np.array([[2.0, 0.0], [1.0, 1.0]]))
    assert np.isnan(FORMULAS["binary"]["roc_auc"](rows)).tolist() == [True, False]
    assert np.isnan(FORMULAS["binary"]["recall"](rows)).tolist() == [True, False]


def test_more_classes_than_one_block_are_counted_rightly():
    draw = np.random.default_rng(1)
    truth, prediction = draw.integers(0, 150, (2, 1000))
    prediction[:600] = truth[:600]
    outcomes = Outcomes("multiclass", tuple(range(150)), truth, prediction)
    found = FORMULAS["multiclass"]["macro_f1"](WeightedRows(outcomes, np.ones((1, 1000))))
    assert found[0] == pytest.approx(oracle.f1_score(truth, prediction, average="macro"))
