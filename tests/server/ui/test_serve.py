import socket
import threading
import time

import httpx
import pytest

from penstock.core import ServingError
from penstock.server import serve_ui


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_a_taken_port_is_one_sentence_with_the_remedy(store):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ServingError, match=f"Port {port} on 127.0.0.1 is in use") as raised:
            serve_ui(port=port, store=store)
    assert raised.value.fix.endswith(f"--port {port + 1}")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])
def test_an_address_that_others_reach_is_refused(store, host):
    with pytest.raises(ServingError, match="can be reached from other machines"):
        serve_ui(host=host, store=store)


def test_it_serves_over_a_real_socket(store, monkeypatch):
    import uvicorn

    servers = []
    monkeypatch.setattr(uvicorn.Server, "install_signal_handlers", lambda self: None, raising=False)
    real = uvicorn.Server.run
    monkeypatch.setattr(
        uvicorn.Server,
        "run",
        lambda self, sockets: (servers.append(self), real(self, sockets)),
    )
    port = free_port()
    thread = threading.Thread(
        target=serve_ui, args=("localhost", port), kwargs={"store": store}, daemon=True
    )
    thread.start()
    for _ in range(100):
        try:
            answer = httpx.get(f"http://localhost:{port}/health")
            break
        except httpx.ConnectError:
            time.sleep(0.05)
    assert answer.json()["status"] == "ok"
    assert "server" not in answer.headers
    servers[0].should_exit = True
    thread.join(5)
    assert not thread.is_alive()
