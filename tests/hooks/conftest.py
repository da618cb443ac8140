"""A receiver that answers over real HTTP, and a store whose hooks may call it."""

import json
import os
import shutil
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from penstock.hooks import Webhooks
from penstock.stores import Store, open_store


@dataclass
class Got:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """A server that keeps what it gets; ``answer`` says what it answers."""

    url: str
    got: list[Got] = field(default_factory=list)
    answer: Callable[[int], int] = lambda _: 204
    extra: dict[str, str] = field(default_factory=dict)
    server: Any = None

    def encrypt(self, certificate: Path) -> None:
        """Speak TLS from now on, with this certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.server.tls = context

    @property
    def types(self) -> list[str]:
        return [each.json["type"] for each in self.got]


@pytest.fixture
def receiver(monkeypatch) -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            found.got.append(Got(self.path, headers, body))
            self.send_response(found.answer(len(found.got)))
            for name, value in found.extra.items():
                self.send_header(name, value)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        tls: ssl.SSLContext | None = None

        def get_request(self):
            connection, address = super().get_request()
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
            return connection, address

        def handle_error(self, *_: object) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    port = server.server_address[1]
    found = Receiver(f"http://127.0.0.1:{port}/hook", server=server)
    monkeypatch.setenv("PENSTOCK_HOOK_HOSTS", f"127.0.0.1:{port}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture
def store(tmp_path) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as opened:
        yield opened


@pytest.fixture
def hooks(store) -> Webhooks:
    return Webhooks(store=store)


def certificate(path, name):
    """A self-signed one, with its key, in one file."""
    if shutil.which("openssl") is None:
        stop = pytest.fail if os.environ.get("CI") else pytest.skip
        stop("openssl is not installed: apt-get install openssl")
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}",
         "-keyout", f"{path}.key", "-out", str(path)],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    path.write_text(path.read_text() + path.with_name(f"{path.name}.key").read_text())
