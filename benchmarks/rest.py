"""F22: penstock's own REST API on a SQLite store of 100,000 runs; beside `mlflow server` on fewer, in one run.

Search and history are single requests over a kept connection, whole answers as bytes. Points come from
16 processes at once: with penstock each logs through `run.log_metrics` and the clock stops when every
point is in the store; to MLflow's server each sends log-batch requests as fast as they are answered,
without its client, which would only take time. PENSTOCK_MLFLOW_PYTHON names an interpreter with
mlflow; without it penstock alone is measured. MLflow's server takes minutes for a few searches of
100,000 runs on a shared machine, so both are compared on BESIDE runs and a shorter history.

usage: python benchmarks/rest.py [RUNS [BESIDE]]    RUNS 0: the comparison alone
"""

import http.client
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from figures import group_cpu_s, quiet_store, tell
from mlflow_protocol import (
    BEGAN_MS,
    fill_mlflow,
    free_port,
    group_memory_mib,
    start_mlflow,
    started,
    stop,
)
from search import fill

import penstock as ps

RUNS, BESIDE = 100_000, 2_000
HISTORY, HISTORY_BESIDE = 1_000_000, 100_000
CLIENTS = 16
POINTS, POINTS_BESIDE = 250_000, 25_000  # of each client
CLIENT = Path(__file__).parent / "rest_client.py"
JSON = {"content-type": "application/json"}
SEARCH = {"filter": "params.p1 = '3'", "order_by": "metrics.m0 desc", "limit": 100}
GOALS = {"start": 1.5, "memory": 120.0, "search": 15.0, "history": 10.0}
UNITS = {"start": "s", "memory": "MiB", "points": "points/s", "points cpu": "us of processors a point"}  # fmt: skip


def main() -> None:
    given = [int(each) for each in sys.argv[1:]]
    runs, beside = given + [RUNS, BESIDE][len(given) :]
    if runs:
        with quiet_store() as folder:
            report("penstock", measure_penstock(folder, runs, HISTORY, POINTS), GOALS, HISTORY)
    python = os.environ.get("PENSTOCK_MLFLOW_PYTHON")
    if python is not None:
        compare(beside, python)


def compare(runs: int, python: str) -> None:
    """Measure both servers on the same runs and the same history, one after the other."""
    with quiet_store() as folder:
        ours = measure_penstock(folder, runs, HISTORY_BESIDE, POINTS_BESIDE)
        report(f"penstock, {runs:,} runs", ours, {}, HISTORY_BESIDE)
        theirs = measure_mlflow(folder / "mlflow", python, runs, HISTORY_BESIDE)
        report(f"mlflow server, {runs:,} runs", theirs, {}, HISTORY_BESIDE)
    for name in ("start", "memory", "search", "search cpu", "history", "history cpu", "points cpu"):
        share = theirs[name] / ours[name]
        tell("F22", f"{runs:,} runs, {name}: mlflow server's, of penstock's", share, "times")
    share = ours["points"] / theirs["points"]
    tell("F22", f"{runs:,} runs, points: penstock's, of mlflow server's", share, "times")


def report(server: str, found: dict[str, float], goals: dict[str, float], history: int) -> None:
    names = {
        "start": "start to the first answer",
        "memory": "idle memory of the process tree",
        "busy": "memory of the process tree after all of this",
        "search": "search, a param of one run in ten, by a metric, first 100",
        "search cpu": "the same",
        "objects": "the same through its client, as objects",
        "history": f"history of {history:,} points for a chart of 2,000",
        "history cpu": "the same",
        "points": f"points from {CLIENTS} clients, until all are in the store",
        "points cpu": "the same",
    }
    for name, what in names.items():
        if name in found:
            at_least = 500_000.0 if name == "points" and server == "penstock" else None
            default = "ms of processors" if name.endswith("cpu") else "ms"
            unit = "MiB" if name == "busy" else UNITS.get(name, default)
            tell("F22", f"{server}: {what}", found[name], unit, goals.get(name), at_least=at_least)


def measure_penstock(folder: Path, runs: int, history: int, each: int) -> dict[str, float]:
    url = f"sqlite:///{folder}/penstock.db"
    with ps.open_store(url) as store:
        fill(store.metadata, runs)
        with ps.start_run(store=store) as run:
            run.log_history("loss", walk(history))
    port = free_port()
    program = str(Path(sys.executable).with_name("penstock"))
    command = [program, "--store", url, "server", "--port", str(port)]
    process, at, start = started(command, port)
    try:
        time.sleep(5)
        memory, _ = group_memory_mib(process.pid)
        found = {"start": start, "memory": memory}
        with asking(at, process.pid) as ask:
            body = json.dumps(SEARCH).encode()
            found |= ask("search", 30, "POST", "/api/v1/runs/search", body, is_search)
            chart = json.dumps({"run_id": run.run_id, "key": "loss", "most": 2000}).encode()
            found |= ask("history", 30, "POST", "/api/v1/metrics/history", chart, is_chart)
        with ps.open_store(at) as store:
            found["objects"] = median_ms(lambda: search_objects(store), 20)
        took, used = crowd([sys.executable, str(CLIENT), "penstock", at, str(each)], process.pid)
        points = CLIENTS * each
        found |= {"points": points / took, "points cpu": used / points * 1e6}
        found["busy"], _ = group_memory_mib(process.pid)
    finally:
        stop(process)
    with ps.open_store(url) as store:
        logged = store.metadata.runs.search("experiment = 'crowd'", limit=CLIENTS + 1)
        counts = {
            metric.count
            for run in logged
            for name, metric in run.metrics.items()
            if not name.startswith("system/")
        }
        assert (len(logged), counts) == (CLIENTS, {each // 100}), (len(logged), counts)
    return found


def measure_mlflow(folder: Path, python: str, runs: int, history: int) -> dict[str, float]:
    folder.mkdir()
    process, at, _ = start_mlflow(folder, python)
    try:
        with connected(at) as connection:
            path, name = (
                "/api/2.0/mlflow/experiments/create",
                json.dumps({"name": "bench"}).encode(),
            )
            experiment = json.loads(sent(connection, "POST", path, name))["experiment_id"]
    finally:
        stop(process)
    fill_mlflow(folder, runs)
    run_id = fill_history(folder, runs, history)
    process, at, start = start_mlflow(folder, python)
    try:
        time.sleep(20)  # its workers start after its first answer
        memory, _ = group_memory_mib(process.pid)
        found = {"start": start, "memory": memory}
        with asking(at, process.pid) as ask:
            search = {"experiment_ids": [experiment], "filter": SEARCH["filter"], "max_results": 100,
                      "order_by": ["metrics.m0 DESC"]}  # fmt: skip
            body = json.dumps(search).encode()
            found |= ask("search", 3, "POST", "/api/2.0/mlflow/runs/search", body, is_mlflow_search)
            chart = (
                "/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval"
                f"?run_ids={run_id}&metric_key=loss&max_results=2000"
            )
            found |= ask("history", 3, "GET", chart, b"", is_mlflow_chart)
        words = [sys.executable, str(CLIENT), "mlflow", at, experiment]
        took, used, answered = timed_crowd(words, process.pid)
        found |= {"points": answered / took, "points cpu": used / answered * 1e6}
        found["busy"], _ = group_memory_mib(process.pid)
    finally:
        stop(process)
    return found


def walk(points: int) -> "np.ndarray":
    return np.cumsum(np.random.default_rng(0).normal(size=points))


def fill_history(folder: Path, runs: int, history: int) -> str:
    """Write a long history into MLflow's table, and return its run."""
    run_id = f"{runs // 2:032x}"
    rows = (
        ("loss", value, BEGAN_MS + step, run_id, step)
        for step, value in enumerate(walk(history).tolist())
    )
    raw = sqlite3.connect(folder / "mlflow.db")
    raw.executemany(
        "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES (?, ?, ?, ?, ?, 0)",
        rows,
    )
    raw.execute(
        "INSERT INTO latest_metrics (key, value, timestamp, run_uuid, step, is_nan)"
        " SELECT key, value, timestamp, run_uuid, step, is_nan FROM metrics"
        " WHERE run_uuid = ? AND key = 'loss' ORDER BY step DESC LIMIT 1",
        (run_id,),
    )
    raw.commit()
    raw.close()
    return run_id


@contextmanager
def asking(url: str, group: int):
    """Yield a function that sends a request several times: median wall and mean processor time."""
    with connected(url) as connection:

        def ask(name, times, method, path, body, is_right) -> dict[str, float]:
            assert is_right(json.loads(sent(connection, method, path, body))), path
            used = group_cpu_s(group)
            wall = median_ms(lambda: sent(connection, method, path, body), times)
            return {name: wall, f"{name} cpu": (group_cpu_s(group) - used) / times * 1e3}

        yield ask


@contextmanager
def connected(url: str):
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=600)
    try:
        yield connection
    finally:
        connection.close()


def sent(connection: http.client.HTTPConnection, method: str, path: str, body: bytes) -> bytes:
    connection.request(method, path, body or None, JSON if body else {})
    response = connection.getresponse()
    found = response.read()
    assert response.status == 200, (path, response.status, found[:500])
    return found


def median_ms(work, times: int) -> float:
    found = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return statistics.median(found) * 1e3


def search_objects(store: "ps.Store") -> None:
    assert (
        len(store.metadata.runs.search(SEARCH["filter"], order_by="metrics.m0 desc", limit=100))
        == 100
    )


def is_search(answer) -> bool:
    return len(answer["result"]) == 100 and all(
        len(each["metrics"]) == 10 for each in answer["result"]
    )


def is_chart(answer) -> bool:
    return len(answer["result"]["steps"]) > 1000 * 8


def is_mlflow_search(answer) -> bool:
    return len(answer["runs"]) == 100 and all(
        len(each["data"]["metrics"]) > 9 for each in answer["runs"]
    )


def is_mlflow_chart(answer) -> bool:
    return len(answer["metrics"]) > 1000


def crowd(command: list[str], group: int) -> tuple[float, float]:
    took, used, _ = timed_crowd(command, group)
    return took, used


def timed_crowd(command: list[str], group: int) -> tuple[float, float, int]:
    """Start the clients, let all begin at once, and return seconds, the server's too, and points."""
    clients = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(CLIENTS)
    ]
    for client in clients:
        assert client.stdout.readline() == "ready\n", command
    used, began = group_cpu_s(group), time.perf_counter()
    for client in clients:
        client.stdin.write("go\n")
        client.stdin.flush()
    points = sum(int(client.communicate()[0]) for client in clients)
    took = time.perf_counter() - began
    assert all(client.returncode == 0 for client in clients), command
    return took, group_cpu_s(group) - used, points


if __name__ == "__main__":
    main()
