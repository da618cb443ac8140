"""F14: drift of 30 columns, 100,000 rows against the training profile; profile of 1M x 50."""

import resource

import numpy as np
import polars as pl
from figures import median_s, tell

from penstock.data import profile_table
from penstock.monitoring import Limits, compare_table


def frame(rows: int, columns: int, seed: int) -> pl.DataFrame:
    generator = np.random.default_rng(seed)
    numbers = {f"x{i}": generator.normal(size=rows) for i in range(columns * 4 // 5)}
    kinds = np.array([f"k{i:02d}" for i in range(20)])
    categories = {
        f"c{i}": kinds[generator.integers(0, 20, rows)] for i in range(columns - len(numbers))
    }
    return pl.DataFrame({**numbers, **categories})


def main() -> None:
    reference, window = frame(100_000, 30, 1), frame(100_000, 30, 2)
    profile = profile_table(reference)
    seconds = median_s(lambda: compare_table(profile, window, Limits()), 3)
    tell("F14", "drift of 30 columns, 100,000 rows against a profile", seconds, "s", 1.0)
    large = frame(1_000_000, 50, 3)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tell("F14", "profile of 1,000,000 x 50", median_s(lambda: profile_table(large), 1), "s", 5.0)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tell("F14", "memory of that profile beyond the table", (after - before) / 1024, "MiB", 500)


if __name__ == "__main__":
    main()
