import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from penstock.evaluation import Calibration, Outcomes
from penstock.evaluation._calibration import calibrate


def outcomes(truth, scores, probability=True):
    truth = np.asarray(truth, np.int64)
    return Outcomes("binary", ("no", "yes"), truth, truth, np.asarray(scores, float), probability)


def test_bins_and_brier_equal_scikit_learn():
    draw = np.random.default_rng(0)
    scores = draw.random(500)
    truth = draw.random(500) < scores**2
    found = calibrate(outcomes(truth, scores))
    shares, means = calibration_curve(truth, scores, n_bins=10, strategy="quantile")
    assert [each.share for each in found.bins] == pytest.approx(shares.tolist())
    assert [each.score for each in found.bins] == pytest.approx(means.tolist())
    assert found.brier == pytest.approx(brier_score_loss(truth, scores))
    assert found.expected_calibration_error == pytest.approx(
        np.abs(shares - means).mean(), rel=1e-6
    )


def test_wilson_interval_is_that_of_the_book():
    # 5 of 20: Wilson 95 % interval (0.1119, 0.4687) (Newcombe 1998, table form)
    found = calibrate(outcomes([1] * 5 + [0] * 15, [0.25] * 20)).bins[0]
    assert (found.low, found.high) == (  # type: ignore[comparison-overlap]
        pytest.approx(0.1119, abs=1e-4),
        pytest.approx(0.4687, abs=1e-4),
    )


def test_one_score_for_all_rows_is_one_bin():
    found = calibrate(outcomes([0, 1, 1], [0.5, 0.5, 0.5]))
    assert [(each.rows, each.score) for each in found.bins] == [(3, 0.5)]


def test_several_classes_are_judged_by_the_highest_score():
    scores = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1]])
    rows = Outcomes("multiclass", tuple("abc"), np.array([0, 2]), np.array([0, 1]), scores, True)
    found = calibrate(rows)
    assert found.brier is None
    assert [(each.score, each.share) for each in found.bins] == [(0.7, 0.0), (0.8, 1.0)]


def test_without_usable_probabilities_there_is_none():
    assert calibrate(outcomes([0, 1], [-3, 3], probability=False)) is None
    assert calibrate(outcomes([0, 1], [np.nan, 0.5])) is None
    assert calibrate(outcomes([], [])) is None


def test_calibration_survives_json():
    found = calibrate(outcomes([0, 1, 1], [0.2, 0.4, 0.9]))
    assert Calibration.from_json(found.to_json()) == found
