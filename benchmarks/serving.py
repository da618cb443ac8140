"""F15, F23: a row of 30 floats over HTTP, 16 connections, a single process, checks and log on.

Each model is served in its ONNX form, in its native form, and by a bare ASGI handler around
onnxruntime, which checks and logs nothing: in turn, each twice, since machines of one kind differ and
the client shares the cores. Beside requests per second stands the processor time of the server's
processes per request, which other work on the machine disturbs less. F23 sends half of the requests
that were answered at full load, at even distances, and counts from when each was due.
PENSTOCK_MLFLOW_PYTHON, the interpreter of an environment with mlflow and scikit-learn, adds
``mlflow models serve``; MLServer was measured on a quiet machine of this kind (figures.md). Needs the
extra ``onnx``.
"""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import psutil
import skops.io
from figures import median_s, quiet_store, tell
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

import penstock as ps
from penstock.data import split_table
from penstock.models import describe_form

CONNECTIONS = 16
ROUNDS = int(os.environ.get("SERVE_ROUNDS", "2"))
SECONDS = float(os.environ.get("SERVE_SECONDS", "5"))
COLUMNS = 30


def main() -> None:
    with quiet_store() as folder:
        store = ps.open_store(f"sqlite:///{folder}/.penstock/penstock.db")
        for name, model in (
            ("logistic", LogisticRegression(max_iter=500)),
            ("forest", RandomForestClassifier(100, max_depth=8, random_state=0)),
        ):
            register(store, name, model, Path(folder))
            compare(store, name, Path(folder))


def register(store: ps.stores.Store, name: str, model: object, folder: Path) -> None:
    generator = np.random.default_rng(0)
    columns = {f"x{i}": generator.normal(size=2000) for i in range(COLUMNS)}
    table = pl.DataFrame(columns).with_columns(y=(pl.col("x0") + pl.col("x1") > 0).cast(pl.Int8))
    split = split_table(table, target="y")
    fitted = model.fit(split.train.X, split.train.y)
    row = split.test.X.head(1)
    tell("F15", f"{name}: scikit-learn's own predict_proba of one row",
         median_s(lambda: fitted.predict_proba(row), 50) * 1e3, "ms")  # fmt: skip
    report = ps.evaluate(fitted, split, resamples=20)
    with ps.start_run(name, store=store):
        ps.steps.register(name, fitted, report, gates=[])
    ps.promote(name, 1, store=store)
    sys.stderr.write(f"{describe_form(ps.Registry(store=store).get(name), store=store)}\n")
    rows = split.train.X.head(1).to_numpy().astype(np.float32)
    skops.io.dump(fitted, folder / f"{name}.skops")
    graph = to_onnx(fitted, rows, options={"zipmap": False})
    (folder / f"{name}.onnx").write_bytes(graph.SerializeToString())


@dataclass
class Load:
    """Seconds per response at full load, the server's processor seconds, and the same at half load."""

    times: list[float]
    processor: float
    half: list[float]


def compare(store: ps.stores.Store, name: str, folder: Path) -> None:
    """Ask each server in turn, in each round, and tell the best of each."""
    row = {f"x{i}": 0.1 * i for i in range(COLUMNS)}
    ours = (f"/models/{name}/predict", str({"row": row}).replace("'", '"').encode())
    bare = ("/", str({"x": [list(row.values())]}).replace("'", '"').encode())
    found: dict[str, list[Load]] = {"onnx": [], "native": [], "bare": []}
    for _ in range(ROUNDS):
        for form in ("onnx", "native"):
            ps.deploy(name, form=form, store=store)
            command = ["-m", "penstock.cli", "--store", store.url, "serve", name, "--port"]
            with server([sys.executable, *command]) as (port, process):
                found[form].append(measure(process, port, *ours))
        command = ["-m", "uvicorn", "bare_onnx:app", "--log-level", "error", "--no-access-log",
                   "--app-dir", str(Path(__file__).parent), "--port"]  # fmt: skip
        with server([sys.executable, *command], MODEL=str(folder / f"{name}.onnx")) as (
            port,
            process,
        ):
            found["bare"].append(measure(process, port, *bare))
    if mlflow := os.environ.get("PENSTOCK_MLFLOW_PYTHON"):
        found["mlflow"] = [ask_mlflow(mlflow, folder, name, row)]
    best = {form: max(loads, key=lambda load: len(load.times)) for form, loads in found.items()}
    told = f"(client on the same {os.cpu_count()} cores)"
    labels = {"onnx": "ONNX form", "native": "native form",
              "bare": "bare ASGI with onnxruntime", "mlflow": "mlflow models serve"}  # fmt: skip
    for form, load in best.items():
        label, times, goal = f"{name}, {labels[form]}", load.times, form == "onnx"
        tell("F15", f"{label}: requests per second {told}", len(times) / SECONDS, "1/s")
        tell("F15", f"{label}: p99", float(np.percentile(times, 99)) * 1e3, "ms")
        tell("F15", f"{label}: processor time per request", cost(load), "ms")
        for percent, most in ((50, 1), (99, 3)):
            value = float(np.percentile(load.half, percent)) * 1e3
            tell("F23", f"{label}: p{percent} at half load", value, "ms", most if goal else None)
    share = len(best["onnx"].times) / len(best["bare"].times)
    tell("F15", f"{name}: ONNX form, of the bare handler", share, "times", at_least=0.7)
    share = cost(best["bare"]) / cost(best["onnx"])
    tell("F15", f"{name}: the same, by processor time per request", share, "times")
    if "mlflow" in best:
        share = len(best["onnx"].times) / len(best["mlflow"].times)
        tell("F15", f"{name}: ONNX form, of mlflow models serve", share, "times", at_least=10)
        share = cost(best["mlflow"]) / cost(best["onnx"])
        tell("F15", f"{name}: the same, by processor time per request", share, "times")


def cost(load: Load) -> float:
    """Compute the server's milliseconds of processor time per request."""
    return load.processor / len(load.times) * 1e3


def ask_mlflow(python: str, folder: Path, name: str, row: dict[str, float]) -> Load:
    """Measure mlflow's server of the same estimator, stored as mlflow stores it."""
    save = (
        "import sys, mlflow.sklearn, skops.io as s; data = sys.argv[1]; "
        "m = s.load(data, trusted=s.get_untrusted_types(file=data)); "
        "mlflow.sklearn.save_model(m, sys.argv[2], serialization_format='pickle')"
    )
    stored, target = folder / f"{name}.skops", folder / f"mlflow-{name}"
    subprocess.run([python, "-c", save, str(stored), str(target)], check=True, capture_output=True)
    command = [python, "-m", "mlflow", "models", "serve", "-m", str(target), "--env-manager",
               "local", "--workers", "1", "--port"]  # fmt: skip
    body = str({"dataframe_records": [row]}).replace("'", '"').encode()
    with server(command) as (port, process):
        return measure(process, port, "/invocations", body)


@contextmanager
def server(command: list[str], **environment: str) -> Iterator[tuple[int, psutil.Process]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [*command, str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )
    children: list[psutil.Process] = []
    try:
        for _ in range(3000):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                if process.poll() is not None:
                    raise RuntimeError(f"{command} ended with {process.returncode}") from None
                time.sleep(0.1)
        yield port, psutil.Process(process.pid)
    finally:
        with suppress(psutil.NoSuchProcess):
            children = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        process.wait()
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.kill()


def measure(process: psutil.Process, port: int, path: str, body: bytes) -> Load:
    """Load a server fully, and then with half of the requests that it has answered."""
    request = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    asyncio.run(load(port, request, 1.0))
    before = processor_s(process)
    times = asyncio.run(load(port, request, SECONDS))
    used = processor_s(process) - before
    gap = SECONDS / len(times) * 2 * CONNECTIONS
    return Load(times, used, asyncio.run(load(port, request, SECONDS, gap)))


def processor_s(process: psutil.Process) -> float:
    """Read the processor seconds of a process and those that it has started."""
    family = [process, *process.children(recursive=True)]
    return sum(sum(each.cpu_times()[:2]) for each in family)


async def load(port: int, request: bytes, seconds: float, gap: float = 0.0) -> list[float]:
    """Send requests on each connection, at once or one in each gap; return seconds per response.

    With a gap the seconds count from when the request was due, also if the one before was late.
    """
    times: list[float] = []
    begin = time.perf_counter()

    async def client(place: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        due = begin + gap * place / CONNECTIONS
        while (now := time.perf_counter()) < begin + seconds:
            if gap and due > now:
                await asyncio.sleep(due - now)
            started = due if gap else now
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(head.decode())
            length = next(
                int(line.split(b":")[1])
                for line in head.splitlines()
                if line.lower().startswith(b"content-length")
            )
            await reader.readexactly(length)
            times.append(time.perf_counter() - started)
            due += gap
        writer.close()

    await asyncio.gather(*(client(place) for place in range(CONNECTIONS)))
    return times


if __name__ == "__main__":
    main()
