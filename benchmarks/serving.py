"""F15: a row of 30 floats over HTTP, 16 connections, a single process, schema checks and log on.

Each model is served in its ONNX form, in its native form, and by a bare ASGI handler around
onnxruntime, which checks and logs nothing: in turn, each twice, since machines of one kind differ and
the client shares the cores. MLServer and mlflow were measured on a quiet machine of this kind
(figures.md). Needs the extra ``onnx``.
"""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
from figures import median_s, quiet_store, tell
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

import penstock as ps
from penstock.data import split_table
from penstock.models import describe_form

CONNECTIONS = 16
SECONDS = 5.0
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
    graph = to_onnx(fitted, rows, options={"zipmap": False})
    (folder / f"{name}.onnx").write_bytes(graph.SerializeToString())


def compare(store: ps.stores.Store, name: str, folder: Path) -> None:
    """Ask each server in turn, twice, and tell the better of both."""
    row = {f"x{i}": 0.1 * i for i in range(COLUMNS)}
    ours = (f"/models/{name}/predict", str({"row": row}).replace("'", '"').encode())
    bare = ("/", str({"x": [list(row.values())]}).replace("'", '"').encode())
    found: dict[str, list[list[float]]] = {"onnx": [], "native": [], "bare": []}
    for _ in range(2):
        for form in ("onnx", "native"):
            ps.deploy(name, form=form, store=store)
            command = ["-m", "penstock.cli", "--store", store.url, "serve", name, "--port"]
            with server(command) as port:
                found[form].append(measure(port, *ours))
        command = ["-m", "uvicorn", "bare_onnx:app", "--log-level", "error", "--no-access-log",
                   "--app-dir", str(Path(__file__).parent), "--port"]  # fmt: skip
        with server(command, MODEL=str(folder / f"{name}.onnx")) as port:
            found["bare"].append(measure(port, *bare))
    best = {form: max(times, key=len) for form, times in found.items()}
    told = f"(client on the same {os.cpu_count()} cores)"
    for form, label in (
        ("onnx", "ONNX form"),
        ("native", "native form"),
        ("bare", "bare ASGI with onnxruntime"),
    ):
        times = best[form]
        tell("F15", f"{name}, {label}: requests per second {told}", len(times) / SECONDS, "1/s")
        tell("F15", f"{name}, {label}: p99", float(np.percentile(times, 99)) * 1e3, "ms")
    share = len(best["onnx"]) / len(best["bare"])
    tell("F15", f"{name}: ONNX form, of the bare handler", share, "times", at_least=0.7)


@contextmanager
def server(command: list[str], **environment: str) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, *command, str(port)],
        stderr=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )
    try:
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait()


def measure(port: int, path: str, body: bytes) -> list[float]:
    """Return the seconds per response."""
    request = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    asyncio.run(load(port, request, 1.0))
    return asyncio.run(load(port, request, SECONDS))


async def load(port: int, request: bytes, seconds: float) -> list[float]:
    """Send requests repeatedly on each connection; return the seconds per response."""
    times: list[float] = []
    end = time.perf_counter() + seconds

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (started := time.perf_counter()) < end:
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
        writer.close()

    await asyncio.gather(*(client() for _ in range(CONNECTIONS)))
    return times


if __name__ == "__main__":
    main()
