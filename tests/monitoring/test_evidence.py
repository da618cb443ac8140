from statistics import mean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.signal import lfilter

from penstock.data import estimate_dependence
from penstock.monitoring._evidence import (
    holm,
    homogeneity_p,
    ordered_p,
    rarest_change,
    rate_change,
    rows_per_independent,
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
            test(rng.multinomial(5_000, share) * 1.0, rng.multinomial(rows, share) * 1.0)  # type: ignore[arg-type]
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
    noise = np.random.default_rng(seed).normal(size=rows + 300)
    return lfilter([np.sqrt(1 - rho**2)], [1, -rho], noise)[300:]


def test_training_that_is_sorted_says_nothing_of_requests_that_are_not() -> None:
    rng = np.random.default_rng(1)
    ordered = estimate_dependence(np.sort(rng.normal(size=2_000)))
    assert ordered.tau > 100
    assert rows_per_independent(ordered, rng.normal(size=1_000), 2_000) < 2


def test_long_dependence_of_training_counts_where_requests_show_it_too() -> None:
    # tau of an autoregression is (1 + rho) / (1 - rho): 39 at 0.95.
    known = estimate_dependence(ar1(0.95, 20_000, 2))
    assert rows_per_independent(known, ar1(0.95, 200, 3), 20_000) > 30


def test_a_change_within_the_window_is_no_dependence() -> None:
    calm = estimate_dependence(ar1(0.0, 5_000, 4))
    changed = np.r_[ar1(0.0, 1_000, 5), ar1(0.0, 3_000, 6) + 3]
    assert rows_per_independent(calm, changed, 5_000) < 2


def test_a_rare_share_that_doubles_is_found_with_fishers_p() -> None:
    found = rarest_change(
        np.array([49_900.0, 100.0]), np.array([49_800.0, 200.0]), rare=0.2, floor=0.0005
    )
    assert found is not None
    assert (found.level, round(found.ratio, 9)) == (1, 2.0)
    expected = stats.fisher_exact([[200, 49_800], [100, 49_900]], alternative="greater").pvalue
    assert found.p == pytest.approx(2 * expected, rel=1e-6)
    assert 1.25 < found.low < 2 < found.high


def test_a_rare_share_that_falls_is_found_too() -> None:
    found = rarest_change(
        np.array([4_800.0, 200.0]), np.array([5_000.0, 0.0]), rare=0.2, floor=0.0005
    )
    assert found is not None
    assert found.now == 0.0
    assert found.low > 10


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
