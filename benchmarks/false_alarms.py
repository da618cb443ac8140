"""Monitoring goals M-a to M-d: how often clean windows alarm, and how often a real shift is found.

50 features, reference of 1,000 rows, fixed seed; smaller than the 1,000 windows per cell that the
goals ask for, so read the counts with their binomial error.
"""

import numpy as np
import polars as pl
from figures import tell
from scipy.signal import lfilter

from penstock.data import profile_table
from penstock.monitoring import Limits, compare_table, judge_columns

LIMITS = Limits()
SHIFT = 0.2  # standard deviations, in 5 of the 50 features


def mixed(generator: np.random.Generator, rows: int, shift: float = 0.0) -> pl.DataFrame:
    """Normal, lognormal, t with 3 degrees, zero-inflated and 1,000 categories, ten of each."""
    columns = {}
    for place in range(10):
        moved = shift if place < 5 else 0.0
        columns[f"normal{place}"] = generator.normal(size=rows) + moved
        columns[f"lognormal{place}"] = generator.lognormal(size=rows)
        columns[f"heavy{place}"] = generator.standard_t(3, size=rows)
        zero = generator.random(rows) < 0.7
        columns[f"zero{place}"] = np.where(zero, 0.0, generator.exponential(size=rows))
        columns[f"level{place}"] = [f"k{value}" for value in generator.integers(0, 1000, rows)]
    return pl.DataFrame(columns)


def chained(generator: np.random.Generator, rows: int, shift: float = 0.0) -> pl.DataFrame:
    """AR(1) with 0.8, standard deviation 1."""
    noise = generator.normal(size=(50, rows + 200))
    values = lfilter([0.6], [1, -0.8], noise, axis=1)[:, 200:]
    values[:5] += shift
    return pl.DataFrame({f"x{place}": row for place, row in enumerate(values)})


def alarm_rate(make: object, rows: int, windows: int, shift: float = 0.0) -> float:
    """Percent of windows with at least one alarm."""
    generator, count = np.random.default_rng(11), 0
    for _ in range(windows):
        profile = profile_table(make(generator, 1000))
        drifts = compare_table(profile, make(generator, rows, shift), LIMITS)
        judged, _ = judge_columns(drifts, (), LIMITS)
        count += any(drift.drifted for drift in judged)
    return 100 * count / windows


def main() -> None:
    for name, make, rows, windows in (
        ("M-a clean, 200 rows", mixed, 200, 200),
        ("M-a clean, 1,000 rows", mixed, 1000, 200),
        ("M-b clean, AR 0.8, 1,000 rows", chained, 1000, 100),
    ):
        rate = alarm_rate(make, rows, windows)
        tell("M", f"{name}: windows with an alarm, of {windows}", rate, "%", 2.0)
    for name, make, goal in (("M-c iid", mixed, 95.0), ("M-d AR 0.8", chained, 60.0)):
        missed = 100 - alarm_rate(make, 1000, 100, SHIFT)
        tell("M", f"{name}: shifts of 0.2 sd in 5 of 50 missed, of 100", missed, "%", 100 - goal)


if __name__ == "__main__":
    main()
