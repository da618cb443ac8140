import numpy as np
import pytest
from scipy import stats

from penstock.evaluation import CrossValidation, FoldScore
from penstock.evaluation._cross_validation import mean_over_folds


def test_the_interval_is_that_of_nadeau_and_bengio():
    values, ratio = [0.81, 0.79, 0.86, 0.84, 0.80], 0.25
    found = mean_over_folds(values, ratio)
    spread = np.var(values, ddof=1) * (1 / 5 + ratio)  # their equation for sigma
    half = stats.t.ppf(0.975, 4) * np.sqrt(spread)
    assert (found.value, found.low, found.high) == pytest.approx((0.82, 0.82 - half, 0.82 + half))


def test_the_interval_holds_the_mean_where_a_plain_t_interval_does_not():
    """Means over folds that share rows are correlated by the share of test rows (their rho)."""
    rng, held, plain, tries = np.random.default_rng(5), 0, 0, 600
    rho = 0.2  # 5 folds: test share
    for _ in range(tries):
        common = rng.normal(scale=np.sqrt(rho))
        values = common + rng.normal(scale=np.sqrt(1 - rho), size=5)
        found = mean_over_folds(values.tolist(), rho / (1 - rho))
        held += found.low <= 0 <= found.high
        half = stats.t.ppf(0.975, 4) * values.std(ddof=1) / np.sqrt(5)
        plain += abs(values.mean()) <= half
    assert held / tries > 0.93
    assert plain / tries < 0.90


def test_a_metric_that_a_fold_lacks_has_no_mean_and_ends_stay_in_range():
    folds = (
        FoldScore({"accuracy": 1.0, "roc_auc": 0.9}, 80, 20, {}),
        FoldScore({"accuracy": 0.9}, 80, 20, {}),
    )
    found = CrossValidation(folds, "kfold")
    assert found.metrics.keys() == {"accuracy"}
    assert found.metrics["accuracy"].high == 1.0
    assert CrossValidation.from_bundle(found.to_bundle()) == found
