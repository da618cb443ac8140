"""Point-in-time joins (F12): 1M labels with 1M feature rows, and with ten views.

The peers read Parquet and join by one time; that is the whole question only where rows come in
order. Each is measured in turn, in the same minute; the median of the ratios counts. The wide joins
run in processes of their own, whose peak memory is measured.
"""

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from figures import quiet_store, tell

import penstock as ps
from penstock.features.views import leading

ROWS, KEYS, REPEATS = 1_000_000, 100_000, 7
IN_MEMORY = 10  # features of a view, with which ten views fit into 4 GiB
START, SPAN = 1_700_000_000_000_000, 90 * 86_400 * 10**6
ENTITY = {"card_id": pl.Int64}
HOUR = 3_600 * 10**6


def moments(values: np.ndarray) -> pl.Series:
    return pl.Series(values).cast(pl.Datetime("us", "UTC"))


def draw(seed: int, features: int, delay: Callable) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    events = START + rng.integers(0, SPAN, ROWS)
    values = {f"f{seed}_{i}": rng.normal(size=ROWS) for i in range(features)}
    return pl.DataFrame(
        {
            "card_id": rng.integers(0, KEYS, ROWS),
            "event_time": moments(events),
            "available_at": moments(events + delay(rng)),
            **values,
        }
    )


def view_of(name: str, table: pl.DataFrame) -> ps.features.FeatureView:
    features = dict.fromkeys(table.columns[3:], pl.Float64)
    return ps.features.FeatureView(
        name, ps.features.Entity("card", ENTITY), features, available_at="available_at", ttl="400d"
    )


def an_hour(rng: np.random.Generator) -> np.ndarray:  # noqa: ARG001 - like the other
    return np.full(ROWS, HOUR)


def a_day_or_more(rng: np.random.Generator) -> np.ndarray:
    return rng.exponential(24 * HOUR, ROWS).astype(np.int64)


def peers(labels: str, rows: str) -> dict[str, Callable[[], object]]:
    import duckdb
    import pandas as pd

    def polars_join_asof() -> pl.DataFrame:
        left = pl.read_parquet(labels).sort("time")
        right = pl.read_parquet(rows, columns=["card_id", "available_at", "f0_0"])
        return left.join_asof(
            right.sort("available_at"), left_on="time", right_on="available_at", by="card_id",
            check_sortedness=False,
        )  # fmt: skip

    def duckdb_asof() -> pl.DataFrame:
        return duckdb.sql(f"""
            SELECT l.*, h.f0_0 FROM '{labels}' l ASOF LEFT JOIN '{rows}' h
            ON l.card_id = h.card_id AND l.time >= h.available_at
        """).pl()

    def pandas_merge_asof() -> object:
        left = pd.read_parquet(labels).sort_values("time")
        right = pd.read_parquet(rows, columns=["card_id", "available_at", "f0_0"])
        return pd.merge_asof(
            left, right.sort_values("available_at"), left_on="time", right_on="available_at",
            by="card_id",
        )  # fmt: skip

    return {
        "polars join_asof": polars_join_asof,
        "DuckDB ASOF": duckdb_asof,
        "pandas merge_asof": pandas_merge_asof,
    }


def in_turn(works: dict[str, Callable[[], object]]) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(REPEATS + 1):
        for name, work in works.items():
            started = time.perf_counter()
            work()
            if turn:  # the first warms up
                times[name].append(time.perf_counter() - started)
    return times


def one_feature(folder: Path) -> None:
    rng = np.random.default_rng(99)
    labels = pl.DataFrame(
        {
            "card_id": rng.integers(0, KEYS, ROWS),
            "time": moments(START + rng.integers(0, SPAN, ROWS)),
        }
    )
    labels.write_parquet("labels.parquet")
    table, late = draw(0, 1, an_hour), draw(0, 1, a_day_or_more)
    table.write_parquet("rows.parquet")
    store = ps.features.FeatureStore(folder / "features")
    for name in ("once", "daily", "late"):
        store.apply(view_of(name, table))
    store.write("once", table)
    for i in range(10):
        store.write("daily", table[i * ROWS // 10 : (i + 1) * ROWS // 10])
        store.write("late", late[i * ROWS // 10 : (i + 1) * ROWS // 10])

    def ours(name: str) -> Callable[[], pl.DataFrame]:
        return lambda: store.join(pl.read_parquet("labels.parquet"), [name], time="time")

    overtaken = 1 - leading(late.with_row_index("seq"), ["card_id"]).height / ROWS
    works = peers("labels.parquet", "rows.parquet") | {
        "penstock, rows of one write": ours("once"),
        "penstock, rows of ten writes": ours("daily"),
        f"penstock, ten writes, {overtaken:.0%} of the rows overtaken": ours("late"),
    }
    same = works["polars join_asof"]().sort("card_id", "time")["f0_0"]  # type: ignore[attr-defined]
    assert ours("once")().sort("card_id", "time")["f0_0"].equals(same)
    times = in_turn(works)
    for name, each in times.items():
        tell("F12", f"1M labels with 1M rows: {name}", statistics.median(each), "s")
    base = times["polars join_asof"]
    for name in list(works)[3:]:
        ratio = statistics.median(a / b for a, b in zip(times[name], base, strict=True))
        goal = 1.2
        tell("F12", f"1M labels with 1M rows: {name}, of polars join_asof", ratio, "times", goal)


def ten_views(folder: Path, features: int) -> None:
    store = ps.features.FeatureStore(folder / f"wide{features}")
    for seed in range(10):
        table = draw(seed, features, an_hour)
        store.apply(view_of(f"view{seed}", table))
        for start in range(0, ROWS, ROWS // 4):
            store.write(f"view{seed}", table[start : start + ROWS // 4])
    command = [sys.executable, __file__, "wide", str(folder / f"wide{features}")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    what = f"1M labels with 10 views of 1M rows, {features} features each"
    what += " to memory" if features <= IN_MEMORY else " to Parquet files"
    tell("F12", f"{what}: time", found["seconds"], "s", 60)
    tell("F12", f"{what}: processor time, of two cores", found["processor_s"] / 2, "s")
    tell("F12", f"{what}: peak memory", found["gib"], "GiB", 4)


def wide(path: str) -> None:
    """Join in a process of its own, and print seconds and peak memory."""
    store = ps.features.FeatureStore(path)
    labels = pl.read_parquet("labels.parquet")
    started = time.perf_counter()
    before = resource.getrusage(resource.RUSAGE_SELF)
    views = store.list_views()
    if len(views[0].features) <= IN_MEMORY:
        shape = store.join(labels, views, time="time").shape
    else:
        table = store.join_to_files("wide", labels, views, time="time")
        shape = table.select(pl.len()).collect().item(), len(table.collect_schema())
    seconds = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_SELF)
    processor = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    peak = used.ru_maxrss / 2**20
    print(json.dumps({"seconds": seconds, "processor_s": processor, "gib": peak, "shape": shape}))


def main() -> None:
    if sys.argv[1:2] == ["wide"]:
        wide(sys.argv[2])
        return
    with quiet_store() as folder:
        one_feature(folder)
        ten_views(folder, 10)
        ten_views(folder, 100)


if __name__ == "__main__":
    main()
