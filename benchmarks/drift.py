"""F14: drift of 30 columns, 100,000 rows against the training profile; profile of 1M x 50."""

import threading
from typing import Self

import numpy as np
import polars as pl
import psutil
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


class PeakMemory:
    """The process's resident memory, sampled every 5 ms, above the memory at the start."""

    def __enter__(self) -> Self:
        self._process = psutil.Process()
        self._before = self._peak = self._process.memory_info().rss
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self.above_mib = (self._peak - self._before) / (1 << 20)

    def _watch(self) -> None:
        while not self._done.wait(0.005):
            self._peak = max(self._peak, self._process.memory_info().rss)


def main() -> None:
    reference, window = frame(100_000, 30, 1), frame(100_000, 30, 2)
    profile = profile_table(reference)
    seconds = median_s(lambda: compare_table(profile, window, Limits()), 3)
    tell("F14", "drift of 30 columns, 100,000 rows against a profile", seconds, "s", 1.0)
    large = frame(1_000_000, 50, 3)
    with PeakMemory() as memory:
        seconds = median_s(lambda: profile_table(large), 1)
    tell("F14", "profile of 1,000,000 x 50", seconds, "s", 5.0)
    tell("F14", "memory of that profile beyond the table", memory.above_mib, "MiB", 500)


if __name__ == "__main__":
    main()
