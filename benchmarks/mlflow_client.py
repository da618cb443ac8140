"""The client's side of mlflow_protocol.py: calls by the real client for some seconds each.

Beside each figure stands the time of processors that the server's processes used for a call: on a
busy machine, and with a client that is itself slow, it tells more than the calls per second.
"""

import json
import os
import statistics
import sys
import time

import mlflow
from figures import group_cpu_s
from mlflow.entities import Metric

SECONDS = 4.0
BEGAN_MS = 1_700_000_000_000


def main(what: str) -> None:
    client = mlflow.MlflowClient()
    found = calls(client) if what == "calls" else searches(client)
    print(json.dumps(found))


def calls(client) -> dict[str, float]:
    mlflow.set_experiment("bench")
    experiment = mlflow.get_experiment_by_name("bench").experiment_id
    run = client.create_run(experiment).info.run_id
    found = measured(
        "log_metric",
        lambda i: client.log_metric(run, "loss", i / 2, timestamp=BEGAN_MS + i, step=i),
    )
    found |= measured("create_run", lambda _: client.create_run(experiment))
    run = client.create_run(experiment).info.run_id

    def batch(number: int) -> None:
        steps = range(number * 1000, number * 1000 + 1000)
        client.log_batch(run, [Metric("loss", i / 2, BEGAN_MS + i, i) for i in steps])

    found |= measured("log_batch", batch)
    found["log_batch"] *= 1000
    began = time.perf_counter()
    client.get_metric_history(run, "loss")
    return found | {"history": (time.perf_counter() - began) * 1e3}


def searches(client) -> dict[str, float]:
    experiment = mlflow.get_experiment_by_name("bench").experiment_id

    def search() -> None:
        found = client.search_runs(
            [experiment],
            "params.p1 = '3' and metrics.m1 > 0.5",
            order_by=["metrics.m0 DESC"],
            max_results=100,
        )
        assert len(found) == 100, len(found)

    def page() -> None:
        assert len(client.search_runs([experiment], max_results=1000)) == 1000

    return {
        "search": median_ms(search),
        "page": median_ms(page),
        **{key: v for key, v in measured("search", lambda _: search()).items() if "cpu" in key},
    }


def measured(name: str, call) -> dict[str, float]:
    """Return calls per second, and the server's milliseconds of processors for one."""
    call(0)
    done, began, used = 0, time.perf_counter(), server_cpu_s()
    while time.perf_counter() - began < SECONDS:
        done += 1
        call(done)
    rate = done / (time.perf_counter() - began)
    return {name: rate, f"{name} cpu": (server_cpu_s() - used) / done * 1e3}


def server_cpu_s() -> float:
    return group_cpu_s(int(os.environ["BENCH_GROUP"]))


def median_ms(work) -> float:
    times = []
    for _ in range(5):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e3


if __name__ == "__main__":
    main(sys.argv[1])
