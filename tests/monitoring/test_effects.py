import numpy as np
import polars as pl
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from penstock.data import profile_table
from penstock.monitoring._effects import robust_scale, share_measures, wasserstein


def profile(values: np.ndarray):
    return profile_table(pl.DataFrame({"x": values})).columns["x"]


def moved(reference: np.ndarray, current: np.ndarray):
    return wasserstein(profile(reference), np.sort(current), n=len(reference), m=len(current))


RNG = np.random.default_rng(0)
NORMAL = RNG.normal(size=20_000)


def test_a_pure_shift_is_itself_in_standard_deviations() -> None:
    found = moved(NORMAL, NORMAL + 0.5)
    assert found.value == pytest.approx(0.5, rel=0.02)
    assert found.low < 0.5 < found.high


def test_the_scale_is_the_standard_deviation_of_a_normal_and_ignores_outliers() -> None:
    assert robust_scale(profile(NORMAL)) == pytest.approx(1.0, rel=0.03)
    assert robust_scale(profile(np.append(NORMAL, 1e6))) == pytest.approx(1.0, rel=0.03)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.repeat([0.0, 1.0, 2.0], [80, 10, 10]), 2 / 3.29),
        (np.repeat([0.0, 5.0], [999, 1]), 0.158),
        (np.full(50, 7.0), 7.0),
        (np.zeros(50), 1.0),
    ],
)
def test_the_scale_falls_back_where_the_middle_half_is_one_value(
    values: np.ndarray, expected: float
) -> None:
    assert robust_scale(profile(values)) == pytest.approx(expected, rel=0.02)


def test_the_interval_covers_the_true_distance() -> None:
    rng, hits = np.random.default_rng(4), 0
    for _ in range(200):
        found = moved(rng.normal(size=1_000), rng.normal(0.3, 1, 800))
        hits += found.low <= 0.3 <= found.high
    # 95 % nominal; 200 draws: 99.9 % lie above 89 %.
    assert hits / 200 >= 0.89


def test_without_a_shift_the_lower_bound_is_near_zero_however_few_rows() -> None:
    rng = np.random.default_rng(5)
    lows = [moved(rng.normal(size=500), rng.normal(size=30)).low for _ in range(300)]
    # 5 % nominal for above 0; 0.1 is what matters.
    assert np.mean(np.array(lows) > 0.1) <= 0.03


@pytest.mark.parametrize("wild", [1e3, 1e9, -1e12, np.inf, -np.inf])
def test_one_wild_value_moves_nothing(wild: float) -> None:
    assert moved(NORMAL, np.append(NORMAL, wild)).value < 0.01
    reference = np.append(NORMAL, wild if np.isfinite(wild) else 1e9)
    found = moved(reference, NORMAL + 1)
    assert found.value == pytest.approx(1.0, rel=0.03)
    assert found.low > 0.9


def test_the_same_rows_give_the_same_bits() -> None:
    assert moved(NORMAL, NORMAL[:500]) == moved(NORMAL, NORMAL[:500].copy())
    counts = ([5, 5, 90], [10, 20, 70])
    assert share_measures(*counts, name="a") == share_measures(*counts, name="a")
    assert share_measures(*counts, name="a") != share_measures(*counts, name="b")


def test_share_measures_are_their_definitions() -> None:
    then, now = np.array([500, 300, 200]), np.array([300, 300, 400])
    p, q = then / then.sum(), now / now.sum()
    found = share_measures(then.tolist(), now.tolist(), name="c")
    assert found["tvd"].value == pytest.approx(0.2)
    assert found["js"].value == pytest.approx(jensenshannon(p, q, base=2))
    psi = ((p - q) * np.log(p / q)).sum()
    assert found["psi"].value == pytest.approx(psi, rel=0.01)


def test_psi_without_drift_follows_its_chi_squared_law_and_its_bound_says_nothing() -> None:
    # Under no drift PSI is about (1/n + 1/m) chi2(B - 1): a fixed threshold of 0.1 would alarm.
    rng, share = np.random.default_rng(6), np.full(10, 0.1)
    draws = [
        share_measures(
            rng.multinomial(100, share).tolist(), rng.multinomial(100, share).tolist(), name="x"
        )
        for _ in range(150)
    ]
    expected = (1 / 100 + 1 / 100) * stats.chi2.mean(9)
    assert np.mean([draw["psi"].value for draw in draws]) == pytest.approx(expected, rel=0.15)
    assert np.mean([draw["tvd"].low > 0.05 for draw in draws]) <= 0.03


def test_an_empty_bin_keeps_psi_finite() -> None:
    assert np.isfinite(share_measures([100, 0], [50, 50], name="x")["psi"].value)
