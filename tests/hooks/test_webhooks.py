"""Webhooks: signed, in order, at least once, and never into the network around this machine."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from tests.hooks.conftest import certificate

import penstock as ps
from penstock.core import ConflictError, ParameterError, now, set_clock
from penstock.execution import QuietReporter
from penstock.hooks._destination import find_destination
from penstock.hooks._signature import headers_of, new_secret, read_secret
from penstock.stores import open_store
from penstock.tracking import start_run


@pytest.fixture(autouse=True)
def _clock():
    yield
    set_clock(None)


@ps.step
def double(number: int) -> int:
    if number < 0:
        raise ValueError(f"{number} is negative")
    return 2 * number


@ps.pipeline
def job(number: int):
    return double(number)


def go(store, number=1, **options):
    return ps.run(job, number=number, store=store, reporter=QuietReporter(), **options)


def test_a_run_is_told_of_with_a_signature_that_the_field_can_check(hooks, receiver, store):
    hook = hooks.add(receiver.url)
    result = go(store, tags={"team": "risk"})
    assert receiver.types == ["run.started", "run.finished"]
    for got in receiver.got:
        Webhook(hook.secret).verify(got.body, got.headers)
    data = receiver.got[1].json["data"]
    assert (data["run_id"], data["pipeline"], data["tags"], data["params"]) == (
        result.run_id,
        "job",
        {"team": "risk"},
        {"number": 1},
    )
    assert hooks.events("webhook") == []
    assert hooks.get("webhook").delivered == 2


def test_a_changed_body_or_another_secret_is_no_message_of_ours(hooks, receiver, store):
    hook = hooks.add(receiver.url)
    go(store)
    got = receiver.got[0]
    with pytest.raises(WebhookVerificationError):
        Webhook(hook.secret).verify(got.body + b" ", got.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(got.body, got.headers)


def test_what_is_old_is_refused_by_the_fields_libraries():
    secret, body = new_secret(), b"{}"
    old = headers_of(secret, "e1", datetime.now(UTC) - timedelta(minutes=6), body)
    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(secret).verify(body, old)


def test_steps_are_told_of_if_asked_for_and_failures_with_their_error(hooks, receiver, store):
    hooks.add(receiver.url, name="steps", events=["step.*"])
    hooks.add(receiver.url, name="alarm", events=["run.failed"])
    go(store)
    go(store)
    go(store, number=-1)
    assert sorted(receiver.types) == [
        "run.failed",
        "step.cached",
        "step.failed",
        "step.finished",
        "step.started",
        "step.started",
    ]
    alarm = next(got.json["data"] for got in receiver.got if got.json["type"] == "run.failed")
    assert "-1 is negative" in alarm["error"]


def test_tracked_scripts_are_told_of_too(hooks, receiver, store):
    hooks.add(receiver.url)
    with start_run("base", store=store) as run:
        run.log_metric("auc", 0.9)
        run.log_metric("loss", float("nan"))
    assert receiver.types == ["run.started", "run.finished"]
    assert receiver.got[1].json["data"]["metrics"] == {"auc": 0.9, "loss": None}


def test_what_cannot_be_brought_is_tried_again_later_in_order_with_its_id(hooks, receiver, store):
    hook = hooks.add(receiver.url)
    receiver.answer = lambda _: 503
    go(store)
    tried = receiver.got[0].headers["webhook-id"]
    assert len(receiver.got) >= 1
    first, second = hooks.events("webhook")
    assert (first.attempts, second.attempts) == (1, 0)
    assert "answered 503" in hooks.get("webhook").error
    receiver.answer = lambda _: 200
    assert hooks.deliver() == 0  # it is not yet time
    set_clock(lambda: datetime.now(UTC) + timedelta(seconds=10))
    assert hooks.deliver() == 2
    assert receiver.types[-2:] == ["run.started", "run.finished"]
    assert receiver.got[-2].headers["webhook-id"] == tried
    assert hooks.get("webhook").error is None
    assert hook.secret


def test_a_receiver_may_ask_for_more_time(hooks, receiver, store):
    hooks.add(receiver.url)
    receiver.answer, receiver.extra = (lambda _: 429), {"retry-after": "900"}
    go(store)
    event = hooks.events("webhook")[0]
    assert event.due_at > now() + timedelta(minutes=14)


def test_what_is_refused_is_given_up_and_holds_up_nothing(hooks, receiver, store):
    hooks.add(receiver.url)
    receiver.answer = lambda number: 400 if number == 1 else 200
    go(store)
    assert receiver.types == ["run.started", "run.finished"]
    (dead,) = hooks.events("webhook", dead=True)
    assert (dead.kind, "answered 400" in dead.error) == ("run.started", True)
    assert hooks.retry("webhook") == 1
    assert hooks.deliver() == 1
    assert hooks.events("webhook", dead=True) == []


def test_an_event_is_given_up_after_a_day_of_trying(hooks, receiver, store):
    hooks.add(receiver.url, events=["run.started"])
    receiver.answer = lambda _: 500
    moment = [datetime.now(UTC)]
    set_clock(lambda: moment[0])
    go(store)
    for _ in range(20):
        moment[0] += timedelta(hours=13)
        hooks.deliver()
    (dead,) = hooks.events("webhook", dead=True)
    assert (dead.attempts, len(receiver.got)) == (11, 11)


def test_a_receiver_that_is_away_does_not_stop_a_run(hooks, store, monkeypatch):
    monkeypatch.setenv("PENSTOCK_HOOK_HOSTS", "127.0.0.1:9")
    hooks.add("http://127.0.0.1:9/hook")
    began = time.monotonic()
    assert go(store).ok
    assert time.monotonic() - began < 20
    assert len(hooks.events("webhook")) == 2


def test_a_paused_hook_is_told_afterwards(hooks, receiver, store):
    hooks.add(receiver.url)
    hooks.pause("webhook")
    go(store)
    assert receiver.got == []
    hooks.resume("webhook")
    assert hooks.deliver() == 2


def test_a_removed_hook_is_told_nothing(hooks, receiver, store):
    hooks.add(receiver.url)
    hooks.pause("webhook")
    go(store)
    hooks.remove("webhook")
    assert store.metadata.hooks.count_events() == {}
    go(store)
    assert (hooks.list(), receiver.got) == ([], [])


def test_a_redirect_is_not_followed(hooks, receiver, store):
    hooks.add(receiver.url)
    receiver.answer, receiver.extra = (lambda _: 302), {"location": "http://169.254.169.254/"}
    go(store)
    assert "answered 302" in hooks.get("webhook").error
    assert len(hooks.events("webhook")) == 2


KILLED = """
import os, signal, sys
import penstock as ps

@ps.step
def dies() -> int:
    os.kill(os.getpid(), signal.SIGKILL)

@ps.pipeline
def job():
    return dies()
"""


def test_what_a_killed_process_could_not_tell_is_told_by_the_next(tmp_path, receiver):
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "job.py").write_text(KILLED)
    with open_store(f"sqlite:///{tmp_path}/.penstock/penstock.db") as store:
        hooks = ps.hooks.Webhooks(store=store)
        hooks.add(receiver.url, events=["*"])
        done = subprocess.run(
            [sys.executable, "-m", "penstock.cli", "run", "job.py", "-q"],
            cwd=tmp_path,
            env={**os.environ, "PENSTOCK_STORE": ""},
            check=False,
        )
        assert done.returncode == -signal.SIGKILL
        store.metadata.runs.kill_dead()
        hooks.deliver()
    assert receiver.types == ["run.started", "step.started", "step.killed", "run.killed"]


def test_two_couriers_bring_each_event_once(hooks, receiver, store):
    from concurrent.futures import ThreadPoolExecutor

    from penstock.hooks import Courier

    hooks.add(receiver.url, events=["run.finished"])
    hooks.pause("webhook")
    for number in range(12):
        go(store, number=number)
    hooks.resume("webhook")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: Courier(store=store).deliver(), range(8)))
    ids = [got.headers["webhook-id"] for got in receiver.got]
    assert len(ids) == len(set(ids)) == 12


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("example.org/hook", "no address"),
        ("ftp://example.org", "no address"),
        ("http://example.org/hook", "not encrypted"),
        ("https://user:pass@example.org/", "user or password"),
        ("https://example.org:99999/", "no usable port"),
        ("https://10.0.0.1/", "^10.0.0.1 is an address of a private network"),
        ("https://[::1]/", "private network"),
    ],
)
def test_a_url_that_nothing_can_be_sent_to_is_refused(hooks, url, told, monkeypatch):
    monkeypatch.delenv("PENSTOCK_HOOK_HOSTS", raising=False)
    with pytest.raises(ParameterError, match=told):
        hooks.add(url)
    assert hooks.list() == []


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "10.1.2.3", "192.168.0.1", "169.254.169.254", "[::1]", "[fd00::1]",
     "0.0.0.0", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "[fe80::1]", "0177.0.0.1", "127.1", "127.0.0.1.",
     "0x7f000001", "017700000001", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]",
     "[64:ff9b:1::a00:1]", "[2002:7f00:1::]", "[2002:a9fe:a9fe::1]", "[2001:0:7f00:1::]", "[::]", "[fec0::1]",
     "[ff02::1]", "[ff0e::1]", "[fd00:ec2::254]", "[fe80::1%25lo]", "[2001:db8::1]", "[3fff::1]", "[5f00::1]",
     "[::ffff:0:127.0.0.1]", "[100::1]", "224.0.0.1", "239.255.255.250", "255.255.255.255", "240.0.0.1",
     "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "192.88.99.1", "198.18.0.1", "0.1.2.3",
     "192.0.2.1", "172.31.255.255", "169.254.170.2", "\uff11\uff12\uff17.0.0.1",
     "127\u30020\u30020\u30021"],
)  # fmt: skip
def test_addresses_of_private_networks_are_refused_however_written(host, monkeypatch):
    monkeypatch.delenv("PENSTOCK_HOOK_HOSTS", raising=False)
    with pytest.raises((ParameterError, OSError)) as caught:
        find_destination(f"https://{host}/hook")
    assert isinstance(caught.value, OSError) or "private network" in caught.value.what  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "8.8.8.8"]
)
def test_addresses_of_the_public_network_are_not_refused(address, monkeypatch):
    monkeypatch.delenv("PENSTOCK_HOOK_HOSTS", raising=False)
    host = f"[{address}]" if ":" in address else address
    assert find_destination(f"https://{host}/hook").address == address


def test_one_private_address_of_a_name_is_enough_to_refuse_it(monkeypatch):
    import socket

    monkeypatch.delenv("PENSTOCK_HOOK_HOSTS", raising=False)
    both = [
        (2, 1, 6, "", ("93.184.216.34", 443)),
        (10, 1, 6, "", ("64:ff9b::a9fe:a9fe", 443, 0, 0)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    with pytest.raises(ParameterError, match="private network"):
        find_destination("https://two-faced.example/hook")


def test_the_address_that_was_judged_is_the_one_that_is_connected_to(monkeypatch):
    import socket

    answers = iter(["93.184.216.34", "127.0.0.1"])  # a name that changes between two questions
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda name, port, **_: [(2, 1, 6, "", (next(answers), port))],
    )
    place = find_destination("https://rebind.example/hook?x=1")
    assert place.url == "https://93.184.216.34:443/hook?x=1"
    assert (place.host, place.name) == ("rebind.example", "rebind.example")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"form": "slak"}, "no message format 'slak'. Did you mean .slack"),
        ({"events": ["run.ended"]}, "No event matches 'run.ended'"),
        ({"secret": "hush"}, "cannot be used to sign"),
        ({"name": "my hook"}, "no legal name"),
    ],
)
def test_a_hook_that_cannot_work_is_refused(hooks, options, told):
    with pytest.raises(ParameterError, match=told):
        hooks.add("https://example.org/hook", **options)


def test_a_name_is_taken_once(hooks):
    hooks.add("https://example.org/hook")
    with pytest.raises(ConflictError, match="webhook 'webhook' exists already"):
        hooks.add("https://example.org/other")


def test_a_secret_has_enough_bytes():
    assert len(read_secret(new_secret())) == 32


def test_allowed_hosts_come_from_the_project_too(tmp_path, monkeypatch, hooks):
    monkeypatch.delenv("PENSTOCK_HOOK_HOSTS", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text('[tool.penstock]\nhook-hosts = ["localhost:5000"]\n')
    hooks.add("http://localhost:5000/api/v1/lineage", form="openlineage")
    with pytest.raises(ParameterError, match="not encrypted"):
        hooks.add("http://localhost:5001/api/v1/lineage", form="openlineage", name="other")


def test_a_hook_is_tried_out_on_the_newest_run(hooks, receiver, store):
    hooks.add(receiver.url, events=["run.failed"])
    go(store)
    assert hooks.test("webhook").ok
    receiver.answer = lambda _: 500
    assert "answered 500" in hooks.test("webhook").error
    assert hooks.events("webhook") == []


def test_https_goes_to_the_judged_address_and_wants_a_certificate_of_the_name(
    hooks, receiver, store, tmp_path, monkeypatch
):
    port = receiver.url.rpartition(":")[2].partition("/")[0]
    monkeypatch.setenv("PENSTOCK_HOOK_HOSTS", f"localhost:{port}")
    for name in ("localhost", "other.example"):
        certificate(tmp_path / f"{name}.pem", name)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "localhost.pem"))
    receiver.encrypt(tmp_path / "localhost.pem")
    hooks.add(f"https://localhost:{port}/hook")
    go(store)
    assert receiver.types == ["run.started", "run.finished"]
    assert receiver.got[0].headers["host"] == f"localhost:{port}"
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "other.example.pem"))
    receiver.encrypt(tmp_path / "other.example.pem")
    attempt = hooks.test("webhook")
    assert "CERTIFICATE_VERIFY_FAILED" in attempt.error
    assert "localhost" in attempt.error
