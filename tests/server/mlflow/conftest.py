"""A server in this process for the wire, and a real MLflow client against a server of its own.

The client needs the package `mlflow` in an interpreter of its own, since its pins are not ours:
PENSTOCK_MLFLOW_PYTHON names it, as `.ci/run` makes it; an `mlflow` beside penstock does as well.
"""

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient

from penstock.server.mlflow import create_mlflow
from penstock.stores import open_store

_HERE = Path(__file__).parent
_SERVE = (
    "import sys; from penstock.server.mlflow import serve_mlflow;"
    " serve_mlflow(port=int(sys.argv[2]), store=sys.argv[1],"
    " ready=lambda url: print(url, flush=True))"
)


class RealServer:
    """MLflow's protocol in a process of its own, which can be killed and started again."""

    def __init__(self, store: str, folder: Path) -> None:
        self.store, self._folder, self._port = store, folder, 0
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-c", _SERVE, self.store, str(self._port)]
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=self._folder
            )
        self.url = self._process.stdout.readline().strip()
        assert self.url, (self._folder / "server.log").read_text()
        self._port = int(self.url.rpartition(":")[2])

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def peak_kb(self) -> int:
        status = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        [line] = [line for line in status if line.startswith("VmHWM")]
        return int(line.split()[1])

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()


class RealClient:
    """A process with the real client, which runs pieces of code and says what `result` is."""

    def __init__(self, python: str, url: str, folder: Path) -> None:
        environment = {
            **os.environ,
            "MLFLOW_TRACKING_URI": url,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
        }
        self._log = (folder / "client.log").open("ab")
        self._process = subprocess.Popen(
            [python, "-W", "ignore", str(_HERE / "client_worker.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=environment,
            cwd=folder,
        )

    def __call__(self, code: str, **values: Any) -> Any:
        self.begin(code, **values)
        return self.end()

    def begin(self, code: str, **values: Any) -> None:
        self._process.stdin.write(json.dumps({"code": code, "values": values}) + "\n")
        self._process.stdin.flush()

    def end(self) -> Any:
        answer = json.loads(self._process.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def stop(self) -> None:
        self._process.stdin.close()
        self._process.wait()
        self._log.close()


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as opened:
        yield opened


@pytest.fixture
def api(store):
    with TestClient(create_mlflow(hosts=(), store=store)) as client:
        yield client


@pytest.fixture(scope="session")
def mlflow_python():
    named = os.environ.get("PENSTOCK_MLFLOW_PYTHON")
    if named:
        return named
    if importlib.util.find_spec("mlflow") is None:
        pytest.skip("needs mlflow in an interpreter that PENSTOCK_MLFLOW_PYTHON names: see .ci/run")
    return sys.executable


@pytest.fixture(scope="session")
def server(tmp_path_factory, mlflow_python):  # without a client there is nothing to serve
    folder = tmp_path_factory.mktemp("mlflow-server")
    running = RealServer(f"sqlite:///{folder}/penstock.db", folder)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def client(server, mlflow_python, tmp_path_factory):
    running = RealClient(mlflow_python, server.url, tmp_path_factory.mktemp("mlflow-client"))
    yield running
    running.stop()


@pytest.fixture
def own_server(tmp_path, mlflow_python):  # without a client there is nothing to kill
    running = RealServer(f"sqlite:///{tmp_path}/own.db", tmp_path)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def start_client(mlflow_python, tmp_path_factory):
    """Return how to start a client, which the caller stops."""
    return lambda url: RealClient(mlflow_python, url, tmp_path_factory.mktemp("client"))


@pytest.fixture
def new_client(mlflow_python, tmp_path):
    """Return a client of one test, for a server of its own."""
    made = []

    def make(url: str) -> RealClient:
        made.append(RealClient(mlflow_python, url, tmp_path))
        return made[-1]

    yield make
    for each in made:
        each.stop()
