"""A socket is opened, or the reason stands in one sentence."""

import socket
import sys
import time
from threading import Thread

import pytest

from penstock.core import ServingError
from penstock.http import listen
from penstock.http._listen import hold_back_new


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_free_port_is_taken(host):
    with listen(host, 0) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection((host, port), timeout=5) as client:
            assert client.getpeername()[1] == port


def test_a_port_in_use_is_refused_with_a_free_one():
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ServingError, match=f"Port {port} on 127.0.0.1 is in use") as refused:
            listen("127.0.0.1", port)
    assert refused.value.fix.endswith(f"--port {port + 1}")


@pytest.mark.parametrize(("host", "port"), [("203.0.113.7", 0), ("127.0.0.1", 70_000)])
def test_an_address_of_another_machine_or_no_port_is_refused(host, port):
    with pytest.raises(ServingError, match="cannot be listened on"):
        listen(host, port)


@pytest.mark.skipif(sys.platform != "linux", reason="socket filters are Linux's")
def test_held_back_connections_are_refused_not_reset_when_the_socket_closes():
    listener = listen("127.0.0.1", 0)
    address = listener.getsockname()
    before = socket.create_connection(address, timeout=5)
    assert hold_back_new(listener)
    ends: list[str] = []

    def connect() -> None:
        try:
            socket.create_connection(address, timeout=10).close()
            ends.append("connected")
        except OSError as error:
            ends.append(type(error).__name__)

    clients = [Thread(target=connect) for _ in range(4)]
    for client in clients:
        client.start()
    time.sleep(0.1)
    accepted, _ = listener.accept()  # whoever connected before is served still
    listener.setblocking(False)
    with pytest.raises(BlockingIOError):
        listener.accept()
    listener.close()
    before.sendall(b"request")
    assert accepted.recv(7) == b"request"
    for client in clients:
        client.join()
    assert ends == ["ConnectionRefusedError"] * 4
    before.close()
    accepted.close()
