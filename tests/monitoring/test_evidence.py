from statistics import mean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from penstock.monitoring._evidence import (
    autocorrelation_time,
    holm,
    homogeneity_p,
    ordered_p,
    rate_change,
    wilson,
)


def test_homogeneity_is_scipys_chi_squared_test() -> None:
    then, now = np.array([500.0, 300.0, 200.0]), np.array([60.0, 25.0, 15.0])
    expected = stats.chi2_contingency([then, now], correction=False).pvalue
    assert homogeneity_p(then, now) == pytest.approx(expected, rel=1e-10)


def test_rare_bins_are_joined_until_the_approximation_holds() -> None:
    then, now = np.array([990.0, 5.0, 5.0]), np.array([97.0, 3.0, 0.0])
    assert homogeneity_p(then, now) == 1.0
    assert homogeneity_p(np.array([0.0, 0.0]), np.array([3.0, 4.0])) == 1.0
    assert homogeneity_p(np.array([10.0]), np.array([10.0])) == 1.0


def test_fewer_effective_rows_are_less_evidence() -> None:
    then, now = np.array([600.0, 400.0]), np.array([500.0, 500.0])
    assert homogeneity_p(then, now, tau=10) > homogeneity_p(then, now)


@pytest.mark.parametrize("rows", [200, 2_000])
def test_p_values_are_uniform_when_nothing_changed(rows: int) -> None:
    rng, share = np.random.default_rng(3), np.full(10, 0.1)
    for test in (homogeneity_p, ordered_p):
        found = [
            test(rng.multinomial(5_000, share) * 1.0, rng.multinomial(rows, share) * 1.0)
            for _ in range(2_000)
        ]
        # 1 % nominal; 2,000 draws: 99.9 % lie below 1.8 %.
        assert mean(p < 0.01 for p in found) <= 0.018


def test_a_rise_is_fishers_exact_test() -> None:
    table = [[50, 950], [20, 980]]
    expected = stats.fisher_exact(table, alternative="greater").pvalue
    assert rate_change(20, 1_000, 50, 1_000).p == pytest.approx(expected, rel=1e-9)


def test_the_interval_of_a_difference_is_newcombes_own_example() -> None:
    # Newcombe (1998), table II, method 10, 56/70 - 48/80: 0.0524 to 0.3339.
    change = rate_change(48, 80, 56, 70)
    assert (round(change.low, 4), round(change.high, 4)) == (0.0524, 0.3339)


def test_no_rows_are_no_evidence() -> None:
    assert rate_change(0, 0, 3, 10).p == 1.0
    assert rate_change(1, 10, 0, 0).p == 1.0
    assert rate_change(1, 10, 0, 100).p == 1.0


def test_wilson_is_scipys() -> None:
    found = stats.binomtest(7, 40).proportion_ci(method="wilson")
    assert wilson(7 / 40, 40) == pytest.approx((found.low, found.high))


def ar1(rho: float, rows: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=rows)
    values = np.empty(rows)
    values[0] = noise[0]
    for place in range(1, rows):
        values[place] = rho * values[place - 1] + np.sqrt(1 - rho**2) * noise[place]
    return values


@pytest.mark.parametrize(("rho", "expected"), [(0.0, 1.0), (0.5, 3.0), (0.8, 9.0)])
def test_autocorrelation_time_is_that_of_an_autoregression(rho: float, expected: float) -> None:
    # (1 + rho) / (1 - rho)
    found = mean(autocorrelation_time(ar1(rho, 20_000, seed)) for seed in range(5))
    assert found == pytest.approx(expected, rel=0.15)


def test_a_constant_has_no_autocorrelation() -> None:
    assert autocorrelation_time(np.zeros(100)) == 1.0


@given(st.lists(st.floats(0, 1), max_size=20))
def test_adjusted_p_values_are_never_smaller_and_keep_their_order(values: list[float]) -> None:
    adjusted = holm(values)
    assert all(a >= p for a, p in zip(adjusted, values, strict=True))
    assert all(a <= 1 for a in adjusted)
    ranks = sorted(range(len(values)), key=lambda place: (values[place], place))
    assert [adjusted[place] for place in ranks] == sorted(adjusted)


def test_holm_is_scipys_example() -> None:
    # Worked by hand: 0.01*4, 0.02*3, 0.03*2, 0.04*1 with running maximum.
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
