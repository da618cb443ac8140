"""A store of 100,000 runs and 10^8 points: size, search, history, check, backup and gc.

usage: python benchmarks/big_store.py [RUNS POINTS]
"""

import sys
import time
from pathlib import Path

import numpy as np
import search
from figures import median_s, quiet_store, tell

import penstock as ps
from penstock.core import MetricColumns
from penstock.stores import backup_store, check_store, collect_garbage

RUNS, POINTS, EACH = 100_000, 100_000_000, 100_000


def main() -> None:
    runs, points = (int(word) for word in sys.argv[1:3]) if sys.argv[2:] else (RUNS, POINTS)
    with quiet_store() as folder:
        store = ps.open_store(f"sqlite:///{folder}/penstock.db")
        search.fill(store.metadata, runs)
        empty = size_of(folder)
        seconds, long = fill(store, points)
        tell("store", f"writing {points:,} points", points / seconds, "points/s")
        grown = (size_of(folder) - empty) / points
        tell("store", f"{points:,} points, loss curves, on disk", grown, "bytes/point")
        tell(
            "store", f"{runs:,} runs and {points:,} points on disk", size_of(folder) / 2**20, "MiB"
        )
        found = median_s(
            lambda: store.metadata.runs.search("params.p1 = '3'", order_by="metrics.m0 desc")
        )
        tell("store", "search, by a param and a metric", found * 1e3, "ms")
        read = median_s(lambda: store.metadata.metrics.history(long, "loss"))
        tell("store", f"history of {EACH:,} points", read * 1e3, "ms")
        for name, work in (
            ("check, every chunk and reference", lambda: check_store(store=store)),
            ("gc, a dry run", lambda: collect_garbage(store=store)),
            ("backup, checked", lambda: backup_store(folder / "backup", store=store)),
        ):
            started = time.perf_counter()
            answer = work()
            assert answer == [] or name.startswith("gc"), answer
            tell("store", name, time.perf_counter() - started, "s")
        store.close()


def fill(store, points: int) -> tuple[float, str]:
    """Write noisy loss curves of 100,000 points each, ten to a write."""
    random, spent, run_id = np.random.default_rng(0), 0.0, ""
    steps = np.arange(EACH, dtype=np.float64)
    curve = 1 / (1 + steps / 1000)
    for start in range(0, points // EACH, 10):
        columns = []
        for place in range(start, start + 10):
            run_id = f"r{place:019d}"
            values = curve + random.normal(size=EACH) * 0.01
            times = 1_700_000_000_000_000 + np.cumsum(random.integers(1, 2000, EACH))
            columns.append(MetricColumns(run_id, "loss", steps, values, times))
        started = time.perf_counter()
        store.metadata.metrics.append(columns)
        spent += time.perf_counter() - started
    return spent, run_id


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("penstock.db*") if path.is_file())


if __name__ == "__main__":
    main()
