"""F15: a row of 30 floats over HTTP, 16 connections, a single process, schema checks and log on.

The bare ASGI handler with onnxruntime, MLServer and mlflow were measured on a quiet machine of this
kind (figures.md); the results are listed there.
"""

import asyncio
import os
import socket
import subprocess
import sys
import time

import numpy as np
import polars as pl
from figures import median_s, quiet_store, tell
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

import penstock as ps
from penstock.data import split_table

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
            register(store, name, model)
        with_port(store.url, measure)


def register(store: ps.stores.Store, name: str, model: object) -> None:
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


def with_port(url: str, work: object) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "penstock.cli", "--store", url, "serve", "logistic", "forest"]
    server = subprocess.Popen([*command, "--port", str(port)], stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.1)
        work(port)
    finally:
        server.terminate()
        server.wait()


def measure(port: int) -> None:
    row = {f"x{i}": 0.1 * i for i in range(COLUMNS)}
    body = str({"row": row}).replace("'", '"').encode()
    for name in ("logistic", "forest"):
        request = (
            f"POST /models/{name}/predict HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body
        asyncio.run(load(port, request, 1.0))
        times = asyncio.run(load(port, request, SECONDS))
        # The load client shares the machine's cores with the server.
        tell("F15", f"{name}: requests per second (client on the same {os.cpu_count()} cores)",
             len(times) / SECONDS, "1/s")  # fmt: skip
        tell("F15", f"{name}: p50", float(np.percentile(times, 50)) * 1e3, "ms")
        tell("F15", f"{name}: p99", float(np.percentile(times, 99)) * 1e3, "ms")


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
