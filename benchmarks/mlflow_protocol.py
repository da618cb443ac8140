"""F9: the real MLflow client against penstock and against `mlflow server`, in one run.

Both serve a fresh SQLite store on this machine; the same client process calls both. PENSTOCK_MLFLOW_PYTHON
names an interpreter with mlflow, see .ci/run.

usage: python benchmarks/mlflow_protocol.py [RUNS]
"""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

from figures import quiet_store, tell

import penstock as ps
from penstock.testing._records import a_run

RUNS = 20_000
BEGAN_MS = 1_700_000_000_000
CLIENT = Path(__file__).parent / "mlflow_client.py"
SERVE = (
    "import sys; from penstock.server.mlflow import serve_mlflow;"
    " serve_mlflow(port=int(sys.argv[2]), store=sys.argv[1])"
)


def main() -> None:
    python = os.environ.get("PENSTOCK_MLFLOW_PYTHON", sys.executable)
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    with quiet_store() as folder:
        ours = measure(folder / "penstock", "penstock", start_penstock, fill_penstock, python, runs)
        theirs = measure(
            folder / "mlflow", "mlflow server", start_mlflow, fill_mlflow, python, runs
        )
    tell("F9", "start to the first answer", ours["start"], "s", 1.5)
    tell("F9", "idle memory of the process tree", ours["memory"], "MiB", 120.0)
    for name, least in (("log_metric", 5.0), ("log_batch", 10.0), ("create_run", None)):
        times = ours[name] / theirs[name]
        tell("F9", f"{name}, times mlflow server", times, "times", at_least=least)
    for name in ("log_metric", "log_batch", "create_run", "search"):
        times = theirs[f"{name} cpu"] / ours[f"{name} cpu"]
        tell("F9", f"{name}, mlflow server's processor time, of penstock's", times, "times")
    times = theirs["search"] / ours["search"]
    tell("F9", f"search of {runs:,} runs, times mlflow server", times, "times", at_least=20.0)


def measure(folder, name, start, fill, python, runs) -> dict[str, float]:
    folder.mkdir()
    found: dict[str, float] = {}
    process, url, found["start"] = start(folder, python)
    try:
        time.sleep(5)
        found["memory"], count = group_memory_mib(process.pid)
        found |= ask(python, url, "calls", process.pid)
    finally:
        stop(process)
    fill(folder, runs)
    process, url, _ = start(folder, python)
    try:
        found |= ask(python, url, "search", process.pid)
    finally:
        stop(process)
    units = {"start": "s", "memory": f"MiB in {count} processes", "search": "ms", "page": "ms",
             "history": "ms", "log_batch": "points/s"}  # fmt: skip
    for what, value in found.items():
        unit = "ms of processors" if what.endswith(" cpu") else units.get(what, "calls/s")
        tell("F9", f"{name}: {what.removesuffix(' cpu')}", value, unit)
    return found


def ask(python: str, url: str, what: str, group: int) -> dict[str, float]:
    environment = {
        **os.environ,
        "BENCH_GROUP": str(group),
        "MLFLOW_TRACKING_URI": url,
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    done = subprocess.run(
        [python, "-W", "ignore", str(CLIENT), what],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def start_penstock(folder: Path, _python: str):
    port = free_port()
    return started(
        [sys.executable, "-c", SERVE, f"sqlite:///{folder}/penstock.db", str(port)], port
    )


def start_mlflow(folder: Path, python: str):
    port = free_port()
    command = [python, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port),
               "--backend-store-uri", f"sqlite:///{folder}/mlflow.db",
               "--artifacts-destination", str(folder / "artifacts")]  # fmt: skip
    return started(command, port)


def started(command: list[str], port: int):
    began = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    url = f"http://127.0.0.1:{port}"
    while time.perf_counter() - began < 180:
        with suppress(OSError), urllib.request.urlopen(f"{url}/health", timeout=2):
            return process, url, time.perf_counter() - began
        assert process.poll() is None, command
        time.sleep(0.02)
    raise AssertionError(command)


def stop(process: subprocess.Popen[bytes]) -> None:
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        time.sleep(1)
    process.wait()


def group_memory_mib(group: int) -> tuple[float, int]:
    whole = count = 0
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError, StopIteration):
            if os.getpgid(int(entry.name)) == group:
                lines = (entry / "smaps_rollup").read_text().splitlines()
                whole += int(next(line for line in lines if line.startswith("Pss:")).split()[1])
                count += 1
    return whole / 1024, count


def fill_penstock(folder: Path, runs: int) -> None:
    store = ps.open_store(f"sqlite:///{folder}/penstock.db")
    with store.metadata.database.write() as rows:
        del rows  # the store is there
    for place in range(runs):
        store.metadata.runs.create(
            a_run(
                run_id=f"{place:032x}",
                experiment="bench",
                params={f"p{k}": str((place * 3 + k) % 10) for k in range(10)},
                tags={f"t{k}": str((place + k) % 5) for k in range(5)},
                metrics={f"m{k}": summary((place * 7919 + k) % 10_007) for k in range(10)},
            )
        )
    store.close()


def summary(value: int):
    from penstock.core import MetricSummary

    return MetricSummary(*[value / 10_007] * 4, 1, 0)


def fill_mlflow(folder: Path, runs: int) -> None:
    raw = sqlite3.connect(folder / "mlflow.db")
    [experiment] = raw.execute(
        "SELECT experiment_id FROM experiments WHERE name = 'bench'"
    ).fetchone()
    for place in range(runs):
        run, at = f"{place:032x}", BEGAN_MS + place
        raw.execute(
            "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id,"
            " status, start_time, end_time, source_version, lifecycle_stage, artifact_uri,"
            " experiment_id) VALUES (?, ?, 'LOCAL', '', '', 'b', 'FINISHED', ?, ?, '', 'active', '', ?)",
            (run, f"r{place}", at, at + 5, experiment),
        )
        params = [(f"p{k}", str((place * 3 + k) % 10), run) for k in range(10)]
        raw.executemany("INSERT INTO params (key, value, run_uuid) VALUES (?, ?, ?)", params)
        tags = [(f"t{k}", str((place + k) % 5), run) for k in range(5)]
        raw.executemany("INSERT INTO tags (key, value, run_uuid) VALUES (?, ?, ?)", tags)
        values = [(f"m{k}", ((place * 7919 + k) % 10_007) / 10_007, at, run) for k in range(10)]
        for table in ("metrics", "latest_metrics"):
            raw.executemany(
                f"INSERT INTO {table} (key, value, timestamp, run_uuid, step, is_nan)"
                " VALUES (?, ?, ?, ?, 0, 0)",
                values,
            )
    raw.commit()
    raw.close()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


if __name__ == "__main__":
    main()
