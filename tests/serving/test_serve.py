import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Thread
from typing import Any

import httpx
import pytest
from litestar.testing import TestClient

from penstock.core import AccessError, NotFoundError, ServingError
from penstock.http import RateLimit
from penstock.serving import serve
from penstock.serving._app import create_app
from penstock.stores import open_store

MODEL = "big-tips"


def test_a_port_in_use_is_told_with_another(served: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ServingError, match=rf"Port {port} .* --port {port + 1}"):
            serve([MODEL], port=port, store=served.store)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org"])
def test_an_address_that_others_reach_needs_a_yes(served: Any, host: str) -> None:
    with pytest.raises(ServingError, match="--allow-remote"):
        serve([MODEL], host=host, store=served.store)


@pytest.mark.parametrize(("host", "port"), [("203.0.113.7", 0), ("127.0.0.1", 70_000)])
def test_an_address_that_cannot_be_listened_on_is_told(served: Any, host: str, port: int) -> None:
    with pytest.raises(ServingError, match="cannot be listened on"):
        serve([MODEL], host=host, port=port, allow_remote=True, anonymous=True, store=served.store)


def test_an_address_that_others_reach_needs_users_or_a_gateway(served: Any) -> None:
    with pytest.raises(ServingError, match=r"--anonymous.*penstock users first"):
        serve([MODEL], host="0.0.0.0", allow_remote=True, store=served.store)


def test_a_token_that_may_not_look_callers_up_is_told_at_the_start(
    served: Any, monkeypatch: Any
) -> None:
    def refuse(_: object) -> int:
        raise AccessError(what="users.count needs admin.")

    monkeypatch.setattr(type(served.store.metadata.users), "count", refuse)
    for host in ("127.0.0.1", "0.0.0.0"):
        with pytest.raises(ServingError, match=r"may not look up users.*PENSTOCK_TOKEN"):
            serve([MODEL], host=host, allow_remote=True, store=served.store)


def test_nothing_to_serve_is_told(world: Any) -> None:
    with pytest.raises(NotFoundError, match="penstock promote MODEL"):
        serve(port=0, store=world.store)
    with pytest.raises(NotFoundError, match="no deployment or model 'x'"):
        serve(["x"], port=0, store=world.store)


def test_a_real_server_answers_and_stops_in_order(served: Any, row: dict) -> None:
    code = (
        "import sys\n"
        "from penstock.serving import serve\n"
        "from penstock.stores import open_store\n"
        "serve(store=sys.argv[1], port=0, ready=lambda url: print(url, flush=True))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, served.store.url],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with httpx.Client(base_url=url) as client:
            reply = client.post(f"/models/{MODEL}/predict", json={"row": row})
            assert reply.status_code == 200
            seconds = []
            for _ in range(60):
                started = time.perf_counter()
                client.get("/v2/health/live")
                seconds.append(time.perf_counter() - started)
            # Nagle's algorithm against delayed acknowledgements would cost 40 ms for each.
            assert sorted(seconds)[15] < 0.03
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    # What was answered last is in the store, as closing writes the log.
    assert len(open_store(served.store.url).metadata.predictions.list(MODEL)) == 1


@contextmanager
def server(store: Any, files: int | None = None) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A server process, and its port; with so many open files at most."""
    code = (
        "import resource, sys\n"
        "from penstock.serving import serve\n"
        "from penstock.stores import open_store\n"
        "files = int(sys.argv[2])\n"
        "if files: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))\n"
        "serve(store=sys.argv[1], port=0, ready=lambda url: print(url, flush=True))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, store.url, str(files or 0)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        yield process, int(process.stdout.readline().strip().rsplit(":", 1)[1])
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def ask(port: int, row: dict, connection: http.client.HTTPConnection | None = None) -> Any:
    one = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    one.request(
        "POST",
        f"/models/{MODEL}/predict",
        json.dumps({"row": row}),
        {"Content-Type": "application/json"},
    )
    reply = one.getresponse()
    reply.read()
    return reply


def test_stopping_under_load_resets_nobody(served: Any, row: dict) -> None:
    ends: list[str] = []
    answered = [0] * 8

    def client(place: int, port: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            while ask(port, row, connection).status == 200:
                answered[place] += 1
                if place % 2:
                    connection.close()
        except ConnectionRefusedError:
            ends.append("refused")  # there is no server any more: what a client can retry
        except Exception as error:  # noqa: BLE001 - whatever a client meets is what is tested
            ends.append(repr(error))
        finally:
            connection.close()

    with server(served.store) as (process, port):
        threads = [Thread(target=client, args=(place, port)) for place in range(8)]
        for thread in threads:
            thread.start()
        end = time.monotonic() + 60
        while min(answered) < 3 and time.monotonic() < end:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=15)
        for thread in threads:
            thread.join()
    assert ends == ["refused"] * 8
    counts = open_store(served.store.url).metadata.predictions.count(MODEL)
    assert counts[1]["requests"] == sum(answered)


def test_half_sent_requests_hold_nobody_up(served: Any, row: dict) -> None:
    with server(served.store, files=256) as (_process, port), ExitStack() as stack:
        for _ in range(300):
            half = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
            half.sendall(b"POST /models/big-tips/predict HTTP/1.1\r\nhost: x\r\ncontent-le")
        time.sleep(1.1)  # until they are old enough to be let go of
        for _ in range(3):
            started = time.perf_counter()
            assert ask(port, row).status == 200
            assert time.perf_counter() - started < 20


@pytest.mark.parametrize(
    ("options", "most"),
    [
        ({}, 1000.0),
        ({"anonymous": True}, None),
        ({"anonymous": True, "rate": 7.0}, 7.0),
        ({"rate": 0.0}, None),
    ],
)
def test_a_model_server_limits_how_often_a_sender_asks(
    served: Any, monkeypatch: Any, options: dict[str, Any], most: float | None
) -> None:
    """Behind a gateway, which sends everybody's requests, only if that is asked for."""
    given: list[Any] = []
    monkeypatch.setattr("penstock.http.run_server", lambda app, *_, **__: given.append(app))
    serve([MODEL], port=0, store=served.store, **options)
    assert isinstance(given[0], RateLimit) is (most is not None)
    if most is not None:
        assert given[0]._all._rate == most


def test_who_asks_a_model_server_too_often_waits(served: Any) -> None:
    limited = RateLimit(create_app(names=[MODEL], store=served.store), rate=1.0)

    async def elsewhere(scope: Any, receive: Any, send: Any) -> None:
        await limited({**scope, "client": ("203.0.113.7", 1)}, receive, send)

    with TestClient(elsewhere) as client:
        answers = [client.get("/v2/health/live").status_code for _ in range(14)]
    assert 429 in answers
    assert answers.index(429) in {10, 11}


def test_the_interpreter_is_as_before_once_the_server_has_stopped(monkeypatch, served):
    import gc

    during, before = [], sys.getswitchinterval()
    monkeypatch.setattr(
        "penstock.http.run_server",
        lambda *_, **__: during.append((sys.getswitchinterval(), gc.get_freeze_count() > 0)),
    )
    gc.unfreeze()  # what tests/conftest.py has frozen
    serve([MODEL], port=0, store=served.store)
    after = (sys.getswitchinterval(), gc.get_freeze_count())
    gc.freeze()
    assert after == (before, 0)
    serve([MODEL], port=0, store=served.store)
    assert gc.get_freeze_count() > 0
    assert [(round(each, 5), frozen) for each, frozen in during] == [(0.0005, True)] * 2
