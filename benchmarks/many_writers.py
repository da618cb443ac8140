"""16 processes x 8 threads log into the same store at once: losses, refusals, speed."""

import multiprocessing
import threading
import time

import numpy as np
from figures import postgres_url, quiet_store, tell

import penstock as ps

PROCESSES, THREADS, CALLS = 16, 8, 2000


def main() -> None:
    with quiet_store() as folder:
        measure("SQLite", f"sqlite:///{folder}/penstock.db", str(folder / "artifacts"))
        with postgres_url() as url:
            if url is not None:
                measure("PostgreSQL", url, str(folder / "shared"))


def measure(kind: str, url: str, artifacts: str) -> None:
    ps.open_store(url, artifacts=artifacts).close()
    start = time.perf_counter()
    context = multiprocessing.get_context("spawn")
    with context.Pool(PROCESSES) as pool:
        answers = pool.starmap(work, [(url, artifacts, n) for n in range(PROCESSES)], chunksize=1)
    seconds = time.perf_counter() - start
    store = ps.open_store(url, artifacts=artifacts)
    points = PROCESSES * THREADS * CALLS
    found = 0
    for run_id, _, errors in answers:
        assert errors == [], errors
        run = ps.get_run(run_id, store=store)
        assert len(run.params) == len(run.tags) == THREADS
        for thread in range(THREADS):
            values = run.metric_history(f"m{thread}")["value"].to_list()
            assert values == list(range(CALLS)), "a point is lost or doubled"
            found += len(values)
    assert found == points
    store.close()
    p99 = float(np.median([slow for _, slow, _ in answers]))
    what = f"{kind}, {PROCESSES} processes x {THREADS} threads"
    tell("F18", f"{what}: points lost or doubled", points - found, "points", 0)
    tell("F18", f"{what}: log_metric, p99", p99, "us")
    tell("F18", f"{what}: all in the store, with the processes' start", seconds, "s")


def work(url: str, artifacts: str, number: int) -> tuple[str, float, list[str]]:
    store = ps.open_store(url, artifacts=artifacts)
    errors: list[str] = []
    slow: list[float] = []
    with ps.start_run(f"writer {number}", store=store, strict=True) as run:

        def log(thread: int) -> None:
            try:
                run.log_param(f"p{thread}", thread)
                run.set_tag(f"t{thread}", thread)
                run.log_artifact(f"{number} {thread}", name=f"a{thread}")
                times = np.empty(CALLS)
                for step in range(CALLS):
                    started = time.perf_counter_ns()
                    run.log_metric(f"m{thread}", step, step)
                    times[step] = time.perf_counter_ns() - started
                slow.append(float(np.quantile(times, 0.99)) / 1e3)
            except Exception as error:  # noqa: BLE001 - reported to the parent
                errors.append(repr(error))

        threads = [threading.Thread(target=log, args=(n,)) for n in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return run.run_id, float(np.median(slow or [0.0])), errors


if __name__ == "__main__":
    main()
