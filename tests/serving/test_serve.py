import os
import signal
import socket
import subprocess
import sys
import time
from typing import Any

import httpx
import pytest

from penstock.core import NotFoundError, ServingError
from penstock.serving import serve
from penstock.stores import open_store

MODEL = "big-tips"


def test_a_port_in_use_is_told_with_another(served: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ServingError, match=rf"Port {port} .* --port {port + 1}"):
            serve(served.store, [MODEL], port=port)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org"])
def test_an_address_that_others_reach_needs_a_yes(served: Any, host: str) -> None:
    with pytest.raises(ServingError, match="--allow-remote"):
        serve(served.store, [MODEL], host=host)


@pytest.mark.parametrize(("host", "port"), [("203.0.113.7", 0), ("127.0.0.1", 70_000)])
def test_an_address_that_cannot_be_listened_on_is_told(served: Any, host: str, port: int) -> None:
    with pytest.raises(ServingError, match="cannot be listened on"):
        serve(served.store, [MODEL], host=host, port=port, allow_remote=True)


def test_nothing_to_serve_is_told(world: Any) -> None:
    with pytest.raises(NotFoundError, match="penstock promote MODEL"):
        serve(world.store, port=0)
    with pytest.raises(NotFoundError, match="no deployment or model 'x'"):
        serve(world.store, ["x"], port=0)


def test_a_real_server_answers_and_stops_in_order(served: Any, row: dict) -> None:
    code = (
        "import sys\n"
        "from penstock.serving import serve\n"
        "from penstock.stores import open_store\n"
        "serve(open_store(sys.argv[1]), port=0, ready=lambda url: print(url, flush=True))\n"
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
            started = time.perf_counter()
            for _ in range(20):
                client.get("/v2/health/live")
            # Nagle's algorithm against delayed acknowledgements would cost 40 ms for each.
            assert time.perf_counter() - started < 0.6
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    # What was answered last is in the store, as closing writes the log.
    assert len(open_store(served.store.url).metadata.list_predictions(MODEL)) == 1
