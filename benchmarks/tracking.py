"""F5, F7, F18 and F24: the cost of logging for the caller, the store's rates, and histories."""

import subprocess
import sys
import time

import numpy as np
from figures import median_s, quiet_store, tell

import penstock as ps

CALLS = 200_000


def main() -> None:
    with quiet_store() as folder:
        store = ps.open_store(f"sqlite:///{folder}/penstock.db")
        with ps.start_run(store=store) as run:
            calls(run)
            tail(run)
        rates(store)
        histories(store)
        growth(store)
        names(store)
    killed()


def calls(run) -> None:
    run.log_metric("loss", 0.5, 0)

    def log() -> None:
        for step in range(CALLS):
            run.log_metric("loss", 0.5, step)

    tell("F5", "log_metric, as the caller sees it", median_s(log) / CALLS * 1e6, "us", 2.0)


def tail(run) -> None:
    """Measure the slowest calls: a new page, and the thread that drains the points."""
    times = np.empty(CALLS)
    for step in range(CALLS):
        started = time.perf_counter_ns()
        run.log_metric("tail", 0.5, step)
        times[step] = time.perf_counter_ns() - started
    tell("F5", "log_metric, p99", float(np.quantile(times, 0.99)) / 1e3, "us")
    tell("F5", "log_metric, p99.99", float(np.quantile(times, 0.9999)) / 1e3, "us")


def rates(store) -> None:
    """Measure points per second from the first call until all are in the store."""
    names = {f"m{place}": float(place) for place in range(100)}
    for count, at_least in ((10_000, 1e6), (100_000, None)):
        started = time.perf_counter()
        with ps.start_run(store=store) as run:
            for step in range(count):
                run.log_metrics(names, step)
        points = 100 * count
        rate = points / (time.perf_counter() - started)
        assert run.record.metrics["m7"].count == count
        name = f"log_metrics of 100, {points:,} points, until all are in the store"
        tell("F5" if at_least else "F18", name, rate, "points/s", at_least=at_least)
    started = time.perf_counter()
    with ps.start_run(store=store) as run:
        for step in range(CALLS):
            run.log_metric("loss", 0.5, step)
    rate = CALLS / (time.perf_counter() - started)
    tell("F5", "log_metric, until all are in the store", rate, "points/s")


def histories(store) -> None:
    random = np.random.default_rng(0)
    for count, goals in ((1_000_000, (100.0, 40.0)), (10_000_000, (None, None))):
        with ps.start_run(store=store) as run:
            run.log_history("loss", np.cumsum(random.normal(size=count)))
        whole = median_s(lambda run=run: run.metric_history("loss")) * 1e3
        chart = median_s(lambda run=run: run.metric_history("loss", most=2000)) * 1e3
        figure = "F7" if goals[0] else "F18"
        tell(figure, f"history of {count:,} points", whole, "ms", goals[0])
        tell(figure, "the same for a chart of 2,000", chart, "ms", goals[1])
        size = bytes_of(store, run.run_id)
        tell(figure, f"{count:,} points of a random walk on disk", size / count, "bytes/point")


def bytes_of(store, run_id: str) -> int:
    with store.metadata.database.read() as rows:
        sql = "SELECT SUM(LENGTH(points) + LENGTH(outline)) FROM metric_chunks WHERE run_id = ?"
        return rows.execute(sql, (run_id,)).fetchone()[0]


def growth(store) -> None:
    """Measure a thousand metrics at once, each with few points: the drain's worst case."""
    names = {f"k{place}": 1.0 for place in range(1000)}
    started = time.perf_counter()
    with ps.start_run(store=store) as run:
        for step in range(1000):
            run.log_metrics(names, step)
    rate = 1_000_000 / (time.perf_counter() - started)
    tell("F18", "log_metrics of 1,000, until all are in the store", rate, "points/s")


def names(store) -> None:
    """Measure F24: metrics logged once each; the cost of each must not grow with their number."""
    for count, goal in ((10_000, 20.0), (100_000, None)):
        with ps.start_run(store=store) as run:
            run.log_metric("first", 0.0)
            began = time.perf_counter()
            for place in range(count):
                run.log_metric(f"layer/{place}", 1.0)
            cost = (time.perf_counter() - began) / count * 1e6
            began = time.perf_counter()
        tell("F24", f"log_metric of {count:,} distinct names, each", cost, "us", goal)
        seconds = time.perf_counter() - began
        tell("F24", f"the end of that run, until all {count:,} are in the store", seconds, "s")
        assert len(store.metadata.runs.get(run.run_id).metrics) == count + 1


def killed() -> None:
    """Measure recovery: a process logs a million points and is killed; the next opens the store."""
    code = (
        "import os, penstock as ps; run = ps.start_run(store='sqlite:///penstock.db');"
        "run.log_metric('loss', -1);"
        "run.store.journal._draining.acquire();"  # as if the store had been busy all the time
        "[run.log_metric('loss', i) for i in range(1_000_000)]; os.kill(os.getpid(), 9)"
    )
    with quiet_store():
        subprocess.run([sys.executable, "-c", code], check=False)
        started = time.perf_counter()
        store = ps.open_store("sqlite:///penstock.db")
        seconds = time.perf_counter() - started
        assert store.metadata.runs.get("last").metrics["loss"].count == 1_000_001
        tell("F5", "recovery of 1,000,000 points of a killed process", seconds, "s", 2.0)


if __name__ == "__main__":
    main()
