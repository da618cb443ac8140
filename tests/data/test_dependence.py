from statistics import mean

import numpy as np
import pytest
from scipy.signal import lfilter

from penstock.data import dependence_within, estimate_dependence


def ar1(rho: float, rows: int, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=rows + 300)
    return lfilter([np.sqrt(1 - rho**2)], [1, -rho], noise)[300:]


@pytest.mark.parametrize("estimate", [estimate_dependence, dependence_within])
@pytest.mark.parametrize(("rho", "expected"), [(0.0, 1.0), (0.5, 3.0), (0.8, 9.0)])
def test_autocorrelation_time_is_that_of_an_autoregression(estimate, rho, expected) -> None:
    # (1 + rho) / (1 - rho)
    found = mean(estimate(ar1(rho, 20_000, seed)).tau for seed in range(5))
    assert found == pytest.approx(expected, rel=0.2)


def test_a_constant_has_no_autocorrelation() -> None:
    assert estimate_dependence(np.zeros(100)).tau == 1.0
    assert dependence_within(np.repeat([0.0, 1.0], 400)).tau == 1.0


def test_few_rows_tell_nothing() -> None:
    assert estimate_dependence(np.array([1.0, 2.0])).tau == 1.0
    assert estimate_dependence(np.array([])).rows == 0


@pytest.mark.parametrize("place", [500, 1_000, 3_600])
def test_a_change_of_level_is_not_taken_for_dependence(place: int) -> None:
    values = np.random.default_rng(place).normal(size=4_000)
    values[place:] += 3
    assert dependence_within(values).tau < 1.5
    assert estimate_dependence(values).tau > 20


def test_sorted_rows_still_tell_as_much_as_three_a_stretch() -> None:
    ordered = np.sort(np.random.default_rng(1).normal(size=1_000))
    assert 1_000 / dependence_within(ordered).tau >= 23
