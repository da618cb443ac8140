"""F6 and F18: search of runs among 100,000 and 1,000,000, each with 10 params, 10 metrics, 5 tags.

usage: python benchmarks/search.py [RUNS …]
"""

import sys
import time

import numpy as np
from figures import median_s, postgres_url, quiet_store, tell

import penstock as ps
from penstock.testing._records import a_run

SIZES = [100_000, 1_000_000]
GOALS_MS = {100_000: 20.0, 1_000_000: 60.0}
PART = 20_000


def main() -> None:
    sizes = [int(word) for word in sys.argv[1:]] or SIZES
    for size in sizes:
        with quiet_store() as folder:
            path = folder / "penstock.db"
            store = ps.open_store(f"sqlite:///{path}")
            started = time.perf_counter()
            fill(store.metadata, size)
            tell("F6", f"making {size:,} runs", time.perf_counter() - started, "s")
            tell("F6", f"{size:,} runs on disk", path.stat().st_size / size / 1024, "KiB a run")
            measure(store.metadata, f"{size:,} runs", GOALS_MS.get(size))
            store.close()
    with quiet_store() as folder, postgres_url() as url:
        if url is not None:
            store = ps.open_store(url, artifacts=str(folder))
            fill(store.metadata, sizes[0])
            with store.metadata.database.write() as rows:
                rows.execute("ANALYZE")  # as autovacuum does within a minute
            measure(store.metadata, f"PostgreSQL, {sizes[0]:,} runs", GOALS_MS.get(sizes[0]))
            store.close()


CASES = {
    "a param of one run in ten, by a metric": ("params.p1 = '3'", "metrics.m0 desc"),
    "a param of one run in 10,000, by a metric": ("params.p2 = '77'", "metrics.m0 desc"),
    "a param of no run, by a metric": ("params.p1 = 'none'", "metrics.m0 desc"),
    "a param and a metric above a bound, by a metric": (
        "params.p1 = '3' and metrics.m1 > 0.9",
        "metrics.m0 desc",
    ),
    "either of two tags, by a metric": ("tags.t0 = '1' or tags.t1 = '2'", "metrics.m0 desc"),
    "a tag, newest first": ("tags.t0 = '1'", "created_at desc"),
    "a metric above a bound that few reach": ("metrics.m3 > 0.9999", "metrics.m0 desc"),
    "all, by a metric": ("", "metrics.m0 desc"),
    "all, newest first": ("", "created_at desc"),
}


def measure(metadata, what: str, goal: float | None) -> None:
    for name, (text, by) in CASES.items():

        def search(text=text, by=by) -> None:
            metadata.runs.search(text, order_by=by, limit=100)

        search()
        most = goal if name.startswith("a param of one run in ten,") else None
        tell("F6", f"{what}: {name}", median_s(search) * 1e3, "ms", most)
    order = "metrics.m0 desc"
    last = metadata.runs.search(order_by=order, limit=100)[-1].run_id

    def next_page() -> None:
        metadata.runs.search(order_by=order, limit=100, after=last)

    tell("F6", f"{what}: the next page, by a metric", median_s(next_page) * 1e3, "ms")
    counted = median_s(lambda: metadata.runs.count("params.p1 = '3'"))
    tell("F6", f"{what}: counting one in ten", counted * 1e3, "ms")


def fill(metadata, size: int) -> None:
    """Insert runs into the tables: as create_run would, without a transaction for each."""
    from penstock.stores.metadata._runs import RUNS

    random = np.random.default_rng(0)
    for start in range(0, size, PART):
        ids = [f"r{place:019d}" for place in range(start, start + PART)]
        params = random.integers(0, [10, 10, 10_000, *[100] * 7], (PART, 10)).tolist()
        metrics = random.random((PART, 10)).tolist()
        tags = random.integers(0, 20, (PART, 5)).tolist()
        base = a_run()
        with metadata.database.write() as rows:
            rows.executemany(
                RUNS.insert,
                [RUNS.row(_run(base, run_id, start + i)) for i, run_id in enumerate(ids)],
            )
            rows.executemany(
                'INSERT INTO run_params (run_id, "key", value, text, number, start)'
                " VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (run_id, f"p{i}", str(value), str(value), float(value), str(value))
                    for run_id, row in zip(ids, params, strict=True)
                    for i, value in enumerate(row)
                ],
            )
            rows.executemany(
                'INSERT INTO metric_summaries (run_id, "key", "first", "last", "min", "max",'
                ' "count", last_step) VALUES (?, ?, ?, ?, ?, ?, 1, 0)',
                [
                    (run_id, f"m{i}", value, value, value, value)
                    for run_id, row in zip(ids, metrics, strict=True)
                    for i, value in enumerate(row)
                ],
            )
            rows.executemany(
                'INSERT INTO run_tags (run_id, "key", value, start) VALUES (?, ?, ?, ?)',
                [
                    (run_id, f"t{i}", str(value), str(value))
                    for run_id, row in zip(ids, tags, strict=True)
                    for i, value in enumerate(row)
                ],
            )


def _run(base, run_id: str, place: int):
    from dataclasses import replace
    from datetime import timedelta

    return replace(
        base,
        run_id=run_id,
        name=f"run {place}",
        created_at=base.created_at + timedelta(seconds=place),
    )


if __name__ == "__main__":
    main()
