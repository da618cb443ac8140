"""A deployment with a canary, and the answers of its model server: what a serving platform must answer too."""

import json
import os
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
from litestar.testing import TestClient
from tests.serving.conftest import MODEL, World

from penstock.exporters import export_model
from penstock.people import create_first_admin
from penstock.registry import Registry
from penstock.serving import create_app, deploy
from penstock.stores import open_store

ROOT = Path(__file__).parents[2]
UNITS = [f"customer-{number}" for number in range(24)]


class Served:
    """A store with two versions under a canary of 25 %, and the file for a platform."""

    def __init__(self, folder: Path, to: str) -> None:
        self.store = open_store(f"sqlite:///{folder}/.penstock/penstock.db")
        world = World(self.store, Registry(store=self.store))
        world.register()
        world.promote(1)
        world.register(0.01)
        deploy(MODEL, version=2, canary=(25, 100), store=self.store)
        self.token = create_first_admin(store=self.store).secret.reveal()
        self.exported = export_model(MODEL, to=to, store=self.store)  # type: ignore[arg-type]
        (folder / self.exported.file).write_text(self.exported.text)
        self.folder = folder

    @contextmanager
    def started(self, *command: object, **env: str):
        """Start a platform, as its users do: what the file needs is in the environment."""
        with (self.folder / "platform.log").open("wb") as log:
            process = subprocess.Popen(
                list(map(str, command)),
                cwd=self.folder,
                stdout=log,
                stderr=log,
                env={**os.environ, "PENSTOCK_STORE": self.store.url, **env},
            )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(timeout=60)

    def wait_until_ready(self, url: str, process: "subprocess.Popen[bytes]") -> None:
        until = time.monotonic() + 240
        while time.monotonic() < until and process.poll() is None:
            try:
                if httpx.get(f"{url}/v2/health/ready").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.2)
        raise AssertionError((self.folder / "platform.log").read_text())

    def answers(self, post) -> list:
        """Return version, and outputs as text, of each unit: equal texts are equal bits."""
        found: list = []
        for unit in UNITS:
            row = {"miles": 2.5 + 0.05 * len(found), "hour": 7}
            columns = [("miles", "FP64"), ("hour", "INT64")]
            body = {
                "inputs": [
                    {"name": name, "shape": [1], "datatype": datatype, "data": [row[name]]}
                    for name, datatype in columns
                ],
                "parameters": {"unit": unit},
            }
            answer = post(f"/v2/models/{MODEL}/infer", body)
            found.append((answer["model_version"], json.dumps(answer["outputs"])))
        return found

    def expected(self) -> list:
        """Return the answers of penstock's own model server."""
        app = create_app(names=[MODEL], log=False, store=self.store)
        with TestClient(app) as client:
            return self.answers(
                lambda path, body: client.post(path, json=body, headers=self.headers).json()
            )

    def answered_by(self, url: str) -> list:
        with httpx.Client(base_url=url, timeout=60) as client:
            refused = client.get(f"/v2/models/{MODEL}")
            assert refused.status_code == 401
            return self.answers(
                lambda path, body: client.post(path, json=body, headers=self.headers).json()
            )

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}

    def require_equal(self, url: str) -> None:
        expected = self.expected()
        assert {version for version, _ in expected} == {"1", "2"}
        assert self.answered_by(url) == expected
