"""The client's side of mlflow_protocol.py: calls by the real client for some seconds each."""

import json
import statistics
import sys
import time

import mlflow
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
    found = {
        "log_metric": per_second(
            lambda i: client.log_metric(run, "loss", i / 2, timestamp=BEGAN_MS + i, step=i)
        ),
        "create_run": per_second(lambda _: client.create_run(experiment)),
    }
    run = client.create_run(experiment).info.run_id

    def batch(number: int) -> None:
        steps = range(number * 1000, number * 1000 + 1000)
        client.log_batch(run, [Metric("loss", i / 2, BEGAN_MS + i, i) for i in steps])

    found["log_batch"] = 1000 * per_second(batch)
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

    return {"search": median_ms(search), "page": median_ms(page)}


def per_second(call) -> float:
    call(0)
    done, began = 0, time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        done += 1
        call(done)
    return done / (time.perf_counter() - began)


def median_ms(work) -> float:
    times = []
    for _ in range(5):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e3


if __name__ == "__main__":
    main(sys.argv[1])
