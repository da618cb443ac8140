"""A reduced simulation of M-a, M-b and M-c with fixed seeds; the figures of the whole one are in the report."""

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from scipy.signal import lfilter
from tests.hunting import SEED, length

from penstock.data import profile_table
from penstock.monitoring import Limits, compare_table, judge_columns

LIMITS = Limits()
WINDOWS = length(10, 100)
ALLOWED = length(1, 5)  # 99.5 % and more lie below it at 1 %
pytestmark = pytest.mark.hunt
Make = Callable[[np.random.Generator, int], pl.DataFrame]


def mixed(rng: np.random.Generator, rows: int, shift: float = 0.0) -> pl.DataFrame:
    """50 features: normal, lognormal, t with 3 degrees, zero-inflated and 1,000 categories."""
    columns: dict[str, object] = {}
    for place in range(10):
        columns[f"normal{place}"] = rng.normal(size=rows) + (shift if place < 5 else 0.0)
        columns[f"lognormal{place}"] = rng.lognormal(size=rows)
        columns[f"heavy{place}"] = rng.standard_t(3, size=rows)
        columns[f"zero{place}"] = np.where(rng.random(rows) < 0.7, 0.0, rng.exponential(size=rows))
        columns[f"level{place}"] = [f"k{value}" for value in rng.integers(0, 1_000, rows)]
    return pl.DataFrame(columns)


def autocorrelated(rng: np.random.Generator, rows: int) -> pl.DataFrame:
    noise = rng.normal(size=(50, rows + 200))
    values = lfilter([0.6], [1, -0.8], noise, axis=1)[:, 200:]
    return pl.DataFrame({f"x{place}": row for place, row in enumerate(values)})


def alarms(make: Make, reference: int, rows: int, chunks: int, current: Make | None = None) -> int:
    rng, count = np.random.default_rng(SEED + 4), 0
    for _ in range(chunks):
        profile = profile_table(make(rng, reference))
        drifts = compare_table(profile, (current or make)(rng, rows), LIMITS)
        judged, _ = judge_columns(drifts, (), LIMITS)
        count += any(drift.drifted for drift in judged)
    return count


@pytest.mark.parametrize("rows", [200, 1_000])
def test_50_clean_features_raise_no_alarm(rows: int) -> None:
    """M-a: at most 1 % of windows."""
    assert alarms(mixed, 1_000, rows, WINDOWS) <= ALLOWED


def test_50_clean_autocorrelated_features_raise_no_alarm() -> None:
    """M-b: naive tests alarm in every window."""
    assert alarms(autocorrelated, 1_000, 1_000, WINDOWS) <= ALLOWED


def test_a_shift_of_a_fifth_in_5_of_50_features_is_found() -> None:
    """M-c: power of at least 0.95; of 10 windows at least 8 (98.8 % at 0.95)."""
    found = alarms(mixed, 1_000, 1_000, WINDOWS, lambda rng, rows: mixed(rng, rows, shift=0.2))
    assert found >= 0.8 * WINDOWS
