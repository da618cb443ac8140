"""Which servers are up for a deployment: what is told while they run, and after."""

import time
from datetime import timedelta

from litestar.testing import TestClient

from penstock.core import now, set_clock
from penstock.serving import Availability, availability, create_app
from penstock.serving._presence import Presence
from penstock.stores import this_process

MODEL = "big-tips"


def wait_until(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_deployment_tells_whether_a_server_is_up(served, row):
    assert availability(MODEL, store=served.store) == Availability((), None)
    for names in ([MODEL], None):
        with TestClient(create_app(names=names, poll_s=0.01, store=served.store)) as client:
            reply = client.post(f"/models/{MODEL}/predict", json={"rows": [row]})
            assert reply.status_code == 200
            wait_until(lambda: availability(MODEL, store=served.store).servers)
            host, pid, _ = this_process()
            assert availability(MODEL, store=served.store).servers == (f"{host}:{pid}",)
        after = availability(MODEL, store=served.store)
        assert after.servers == ()
        assert now() - after.last_at < timedelta(minutes=1)


def test_a_server_that_is_silent_is_not_there_any_more(served):
    Presence(served.store, [MODEL]).renew()
    assert availability(MODEL, store=served.store).servers
    later = now() + timedelta(minutes=2)
    set_clock(lambda: later)
    try:
        assert availability(MODEL, store=served.store).servers == ()
    finally:
        set_clock(None)
