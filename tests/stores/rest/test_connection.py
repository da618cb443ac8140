"""Connections that break at the worst moments: all that is asked is answered, once and whole."""

import hashlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from penstock.core import StoreError
from penstock.stores.rest._artifacts import RestArtifacts
from penstock.stores.rest._connection import RestConnection, ServerUrl

DATA = bytes(range(256)) * 20_000  # 5 MB
DIGEST = "sha256:" + hashlib.sha256(DATA).hexdigest()
Answer = Callable[[socket.socket, str], None]


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch):
    monkeypatch.setattr("penstock.stores.rest._connection._PATIENCE_S", 0.6)


@contextmanager
def scripted(*answers: Answer) -> Iterator[tuple[RestConnection, list[str]]]:
    """A server that answers one request per connection: the first by the first answer, and so on."""
    listener, asked = socket.create_server(("127.0.0.1", 0)), list[str]()

    def work() -> None:
        for answer in answers:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += client.recv(1 << 16)
                asked.append(head.split(b" ", 2)[1].decode())
                answer(client, asked[-1])
        listener.close()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    connection = RestConnection(ServerUrl(f"http://127.0.0.1:{listener.getsockname()[1]}"))
    try:
        yield connection, asked
    finally:
        connection.close()
        listener.close()
        thread.join(5)


def sends(body: bytes, of: int | None = None) -> Answer:
    """Send a body, or only its beginning: of as many bytes as the head announces."""
    size = len(body) if of is None else of
    head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % size
    return lambda client, _: client.sendall(head + body)


def sends_rest(until: int) -> Answer:
    """Send the data from the asked byte on, and break the connection before the byte `until`."""

    def answer(client: socket.socket, path: str) -> None:
        start = int(path.partition("start=")[2])
        sends(DATA[start:until], len(DATA) - start)(client, path)

    return answer


def breaks_after(seconds: float) -> Answer:
    return lambda *_: time.sleep(seconds)


def test_an_answer_that_breaks_off_inside_is_asked_for_again():
    with scripted(sends(b'{"resu', 13), sends(b'{"result": 7}')) as (connection, asked):
        assert connection.json("GET", "store") == {"result": 7}
        assert asked == ["/api/v1/store"] * 2


def test_patience_begins_with_the_first_trouble_and_not_with_the_request():
    """A request that was long on its way when its server died was given up at once."""
    with scripted(breaks_after(0.8), sends(b"[]")) as (connection, _):
        assert connection.json("GET", "store") == []


def test_patience_ends():
    with scripted(*[breaks_after(0.0)] * 50) as (connection, asked):
        with pytest.raises(StoreError, match="does not answer"):
            connection.json("GET", "store")
        tried = len(asked)
        assert tried > 1
        with pytest.raises(StoreError, match="does not answer"):
            connection.json("GET", "store")
        assert len(asked) == tried + 1  # known to be away: once


def test_an_answer_that_does_not_come_is_not_waited_for_twice(monkeypatch):
    monkeypatch.setattr("penstock.stores.rest._connection._ANSWER_S", 0.2)
    with scripted(breaks_after(0.5), sends(b"[]")) as (connection, asked):
        with pytest.raises(StoreError, match="ReadTimeout"):
            connection.json("GET", "store")
        assert len(asked) == 1


def test_a_large_artifact_goes_on_where_the_connection_broke(tmp_path):
    half, most = 2_500_000, 4_900_000
    answers = sends_rest(half), sends_rest(most), sends_rest(len(DATA))
    with scripted(*answers) as (connection, asked):
        RestArtifacts(connection).fetch(DIGEST, tmp_path / "data")
        assert (tmp_path / "data").read_bytes() == DATA
        starts = [int(path.partition("start=")[2]) for path in asked]
        assert starts == [0, 2 << 20, 4 << 20]


def test_a_download_that_stays_broken_leaves_no_file(tmp_path):
    with scripted(sends_rest(2_500_000), *[breaks_after(0.0)] * 50) as (connection, asked):
        with pytest.raises(StoreError, match="does not answer"):
            RestArtifacts(connection).fetch(DIGEST, tmp_path / "data")
        assert len(asked) > 2
    assert not (tmp_path / "data").exists()
