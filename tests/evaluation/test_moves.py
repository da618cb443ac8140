"""Moves are what each row does to a figure: by weighing each row a little more, by scikit-learn's formulas."""

import numpy as np
import pytest
from scipy.special import expit

from penstock.evaluation import Outcomes
from penstock.evaluation._formulas import FORMULAS, WeightedRows
from penstock.evaluation._metrics import TASK_METRICS
from penstock.evaluation._moves import find_moves, find_steps

ROWS, LITTLE = 60, 1e-6


def a_sample(task, digits=9):
    draw = np.random.default_rng(1)
    if task == "regression":
        truth = draw.normal(5, 1, ROWS)
        return Outcomes(task, (), truth, truth + draw.normal(0.3, 1, ROWS))
    truth = draw.integers(0, 2 if task == "binary" else 3, ROWS)  # type: ignore[assignment]
    if task == "binary":
        scores = np.round(expit(draw.normal(size=ROWS) + truth - 0.5), digits)
        return Outcomes(task, (0, 1), truth, (scores > 0.5).astype(np.int64), scores, True)
    odds = draw.normal(size=(ROWS, 3)) + np.eye(3)[truth]
    scores = np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)
    return Outcomes(task, (0, 1, 2), truth, scores.argmax(axis=1), scores, True)


@pytest.mark.parametrize(
    ("task", "digits"), [("binary", 9), ("binary", 1), ("multiclass", 9), ("regression", 9)]
)
def test_a_row_moves_a_figure_by_what_its_weight_does(task, digits):
    outcomes = a_sample(task, digits)
    weights = np.vstack([np.ones(ROWS), 1 + LITTLE * np.eye(ROWS)])
    for name in TASK_METRICS[task]:
        if name == "medae":  # jumps: its moves are estimated
            continue
        figures = FORMULAS[task][name](WeightedRows(outcomes, weights))
        moves = find_moves(name, outcomes)
        assert moves == pytest.approx((figures[1:] - figures[0]) / LITTLE, abs=1e-6), name
        assert moves.sum() == pytest.approx(0, abs=1e-12), name


def test_the_moves_of_the_median_give_its_standard_error():
    # sqrt(pi / 2) / sqrt(n) by theory for the median of normal numbers; of their sizes 0.787 / sqrt(n).
    draw = np.random.default_rng(0)
    medians, errors = [], []
    for _ in range(200):
        made = Outcomes("regression", (), np.zeros(400), draw.normal(size=400))
        medians.append(np.median(np.abs(made.prediction)))
        moves = find_moves("medae", made)
        errors.append(np.sqrt(moves @ moves))
    assert np.mean(errors) == pytest.approx(np.std(medians), rel=0.12)


def test_a_step_is_what_one_more_other_prediction_does():
    truth = np.repeat([0, 1], [30, 10])
    said = truth.copy()
    said[[0, 35]] = 1 - said[[0, 35]]
    made = Outcomes("binary", (0, 1), truth, said)
    assert find_steps("accuracy", made) == pytest.approx([1 / 40, 1 / 40])
    assert find_steps("recall", made) == pytest.approx([0, 1 / 10])
    assert find_steps("balanced_accuracy", made) == pytest.approx([1 / 60, 1 / 20])
    assert not len(find_steps("brier", made))
