"""Differences of two models: the interval holds, is as narrow as pairing makes it, and is never certain of nothing."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from penstock.evaluation import Outcomes
from penstock.evaluation._comparison import compare_outcomes


def two_models(draw, rows, rate, apart, *, tie, sight=1.0):
    """Challenger and champion whose noise is correlated; the challenger's sight of the classes is its own."""
    truth = (draw.random(rows) < rate).astype(np.int64)
    noise = draw.normal(size=rows)
    own = tie * noise + np.sqrt(1 - tie**2) * draw.normal(size=rows)
    sides = []
    for each, way in ((own, apart * sight), (noise, apart)):
        odds = np.log(rate / (1 - rate)) + way * (each + way * truth) - way**2 / 2
        said = (odds >= 0).astype(np.int64)
        sides.append(Outcomes("binary", (0, 1), truth, said, expit(odds), True))
    return sides


def compare(sides):
    return compare_outcomes(*sides, resamples=100, seed=0)


@pytest.mark.parametrize(("tie", "sight"), [(0.9, 1.0), (0.0, 1.0), (0.9, 0.7)])
def test_the_interval_of_a_difference_holds_and_is_not_too_wide(tie, sight):
    """A fast seeded version of benchmarks/differences.py."""
    draw = np.random.default_rng(3)
    names = ("roc_auc", "average_precision", "log_loss", "brier", "accuracy", "f1", "mcc")
    whole = compare(two_models(draw, 300_000, 0.3, 1.5, tie=tie, sight=sight))
    found = [compare(two_models(draw, 300, 0.3, 1.5, tie=tie, sight=sight)) for _ in range(120)]
    for name in names:
        true = 0.0 if sight == 1 else whole[name].difference
        held = sum(each[name].low <= true <= each[name].high for each in found)
        assert held >= 0.89 * 120, (name, held)  # 0.95 - 3 standard errors
        narrowest = 2 * 1.96 * np.std([each[name].difference for each in found])
        wide = np.mean([each[name].high - each[name].low for each in found])
        assert wide < 1.35 * narrowest, (name, wide / narrowest)


@pytest.mark.parametrize("apart", [1.5, 2.5])
def test_nearly_the_same_model_is_said_to_be_not_worse(apart):
    # From the two intervals and their correlation alone (MOVER) it was 0.0089 and 0.0066 wide.
    draw = np.random.default_rng(0)
    area = compare(two_models(draw, 2_000, 0.1, apart, tie=0.999))["roc_auc"]
    assert area.low < 0 < area.high
    assert area.high - area.low < 0.004


def test_two_models_that_no_row_tells_apart_may_differ():
    # Bonett and Price: 2.77 rows of 200, either way.
    truth = np.arange(200) % 2
    said = np.where(np.arange(200) < 20, 1 - truth, truth)
    ours = Outcomes("binary", (0, 1), truth, said, np.where(said == 1, 0.8, 0.2), True)
    theirs = replace(ours, scores=np.where(said == 1, 0.7, 0.3))
    found = compare((ours, theirs))
    accuracy = found["accuracy"]
    assert accuracy.difference == 0
    assert accuracy.low == pytest.approx(-2.77 / 200, rel=0.25)
    assert accuracy.high == pytest.approx(2.77 / 200, rel=0.25)
    # Two scores that rank all rows alike have one area, in every sample.
    assert (found["roc_auc"].low, found["roc_auc"].high) == (0, 0)


def test_labels_alone_do_not_show_that_two_models_are_one():
    truth = np.arange(100) % 2
    side = Outcomes("binary", (0, 1), truth, np.where(np.arange(100) < 9, 1 - truth, truth))
    found = compare((side, replace(side)))["accuracy"]
    assert found.low < 0 < found.high
    assert found.high - found.low < 0.12


def test_two_perfect_areas_may_differ_by_as_much_as_each_may_be_wrong():
    truth = np.repeat([0, 1], 30)
    draw = np.random.default_rng(0)
    sides = [
        Outcomes("binary", (0, 1), truth, truth, 0.6 * truth + 0.3 * draw.random(60), True)
        for _ in range(2)
    ]
    area = compare(sides)["roc_auc"]
    assert area.difference == 0
    assert -0.15 < area.low < -0.02
    assert 0.02 < area.high < 0.15


def test_few_rare_rows_leave_the_balanced_accuracy_open():
    # Only rows of the common class tell the models apart; of five rare ones that says nothing.
    truth = (np.arange(100) < 5).astype(np.int64)
    said = truth.copy()
    said[10:13] = 1
    sides = [Outcomes("binary", (0, 1), truth, each) for each in (truth.copy(), said)]
    found = compare(sides)["balanced_accuracy"]
    assert found.low < -0.05


def test_what_the_champion_lacks_is_named():
    truth = np.zeros(60, np.int64)
    truth[:15] = 1
    ours = Outcomes("binary", (0, 1), truth, truth, np.full(60, 0.4), True)
    scores = np.where(truth == 1, 0.999, 0.001)
    scores[0] = 0.0001  # one row carries all of its loss
    found = compare((ours, replace(ours, scores=scores)))["log_loss"]
    assert found.needs.startswith("for the champion, it hangs on 1 rows")
    assert not found.significant


@pytest.mark.parametrize("name", ["rmse", "mae", "r2", "medae"])
def test_errors_of_two_alike_models_are_compared(name):
    draw = np.random.default_rng(5)
    found = []
    for _ in range(100):
        truth, noise = draw.normal(10, 2, 200), draw.normal(size=200)
        near = 0.95 * noise + np.sqrt(1 - 0.95**2) * draw.normal(size=200)
        sides = [Outcomes("regression", (), truth, truth + off) for off in (near, noise)]
        found.append(compare(sides)[name])
    held = sum(each.low <= 0 <= each.high for each in found)
    assert held >= 88
    narrowest = 2 * 1.96 * np.std([each.difference for each in found])
    assert np.mean([each.high - each.low for each in found]) < 1.4 * narrowest
