"""A running MLflow server that asks who calls, over real connections."""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import pytest

from penstock.core import StoreError
from penstock.server.mlflow.moving._running import Protocol, ServerSource

BASIC = "Basic " + base64.b64encode(b"ann:p:w").decode()
NAME = "plots/a#b 50% ü?.txt"


SEEN: list[str | None] = []


class Guarded(BaseHTTPRequestHandler):
    """Answers only who is allowed; notes who came."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(json.dumps({"experiments": [{"experiment_id": "1"}]}).encode())

    def do_GET(self):
        self.answer(unquote(self.path).encode())

    def answer(self, body):
        came = self.headers.get("Authorization")
        SEEN.append(came)
        self.send_response(200 if came in {BASIC, "Bearer secret"} else 401)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def guarded(monkeypatch):
    for name in ("USERNAME", "PASSWORD", "TOKEN"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Guarded)
    SEEN.clear()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_who_is_not_let_in_is_told_what_to_set(guarded):
    with pytest.raises(StoreError, match="does not let you in") as refused:
        list(ServerSource(f"http://127.0.0.1:{guarded.server_port}", None).experiments())
    assert "MLFLOW_TRACKING_TOKEN" in str(refused.value)


def test_mlflows_own_variables_open_the_server(guarded, monkeypatch):
    url = f"http://127.0.0.1:{guarded.server_port}"
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "secret")
    assert list(ServerSource(url, None).experiments()) == [{"experiment_id": "1"}]
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ann")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "p:w")
    assert list(ServerSource(url, None).experiments()) == [{"experiment_id": "1"}]
    assert SEEN == ["Bearer secret", BASIC]  # name and password go first, as in MLflow


def test_a_password_in_the_url_is_sent_and_not_shown(guarded):
    source = ServerSource(f"http://ann:p%3Aw@127.0.0.1:{guarded.server_port}/", None)
    assert list(source.experiments()) == [{"experiment_id": "1"}]
    assert source.name == f"http://127.0.0.1:{guarded.server_port}"
    refused = ServerSource(f"http://ann:wrong@127.0.0.1:{guarded.server_port}", None)
    with pytest.raises(StoreError) as error:
        list(refused.experiments())
    assert "wrong" not in str(error.value)


def test_every_name_of_an_artifact_reaches_the_server_whole(guarded, monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "secret")
    protocol = Protocol(f"http://127.0.0.1:{guarded.server_port}")
    protocol.fetch(f"1/{NAME}", tmp_path / "file")
    assert (tmp_path / "file").read_text(encoding="utf-8").endswith(f"/artifacts/1/{NAME}")
