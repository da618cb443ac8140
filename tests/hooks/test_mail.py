"""Mail: a real SMTP server gets it, encrypted, once, and nothing of its text forges a header."""

import asyncio
import ssl
from email import message_from_bytes, policy
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from tests.hooks.conftest import certificate

import penstock as ps
from penstock.core import EventRecord, ParameterError, now
from penstock.execution import QuietReporter
from penstock.hooks import Webhooks
from penstock.hooks._mail import read_route


class Mails:
    """What the server got; ``answer`` is what it says to a mail."""

    def __init__(self):
        self.got, self.answer, self.refused = [], "250 OK", set()

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        if address in self.refused:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        if self.answer.startswith("250"):
            mail = message_from_bytes(envelope.content, policy=policy.default)
            encrypted = server.transport.get_extra_info("cipher") is not None
            self.got.append((envelope, mail, encrypted))
        return self.answer


class Server(Controller):
    """A server on a free port, which it learns before it tries itself out."""

    def _trigger_server(self):
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


def sign_in(server, session, envelope, mechanism, data):
    right = LoginPassword(b"ci", b"open sesame")
    return AuthResult(success=data == right, handled=False)  # the server answers


@pytest.fixture
def start(monkeypatch, tmp_path):
    """Start a mail server on a free port; returns it with the hook's URL."""
    running = []

    def begin(*, tls="starttls", allowed=True, name="localhost", **options):
        mails = Mails()
        context = None
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            certificate(tmp_path / "server.pem", name)
            context.load_cert_chain(tmp_path / "server.pem")
            monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "server.pem"))
        implicit: dict[str, Any] = {"ssl_context" if tls == "implicit" else "tls_context": context}
        controller = Server(mails, hostname="127.0.0.1", port=0, **implicit, **options)
        controller.start()
        running.append(controller)
        port = controller.port
        if allowed:
            monkeypatch.setenv("PENSTOCK_HOOK_HOSTS", f"localhost:{port}")
        scheme = "smtps" if tls == "implicit" else "smtp"
        return mails, f"{scheme}://%slocalhost:{port}?to=ml@example.org&from=ps@example.org"

    yield begin
    for controller in running:
        controller.stop(no_assert=True)


@ps.step
def double(number: int) -> int:
    if number < 0:
        raise ValueError(f"{number}, Bcc: thief@example.org")
    return 2 * number


@ps.pipeline
def job(number: int):
    return double(number)


def go(store, number):
    return ps.run(job, number=number, store=store, reporter=QuietReporter())


# The server knows only STARTTLS as encryption, so it warns of the other.
@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_failed_run_is_mailed_encrypted_and_signed_in(hooks, store, start, tls):
    mails, url = start(
        tls=tls, authenticator=sign_in, auth_required=True, auth_require_tls=tls == "starttls"
    )
    hook = hooks.add(url % "ci@", secret="open sesame")
    assert (hook.form, hook.name) == ("email", "email")
    result = go(store, -1)
    ((envelope, mail, encrypted),) = mails.got
    assert encrypted
    assert (envelope.mail_from, envelope.rcpt_tos) == ("ps@example.org", ["ml@example.org"])
    assert mail["subject"] == "penstock: job has failed"
    assert mail["bcc"] is None
    body = mail.get_content()
    assert "thief@example.org" in body  # as text
    assert f"run: {result.run_id}" in body
    assert hooks.get("email").delivered == 1
    assert hooks.events("email") == []


def test_every_attempt_has_the_same_message_id(hooks, store, start):
    mails, url = start()
    hooks.add(url % "", events=["run.finished"])
    mails.answer = "451 later"
    go(store, 1)
    (event,) = hooks.events("email")
    assert (event.attempts, "451 later" in event.error) == (1, True)
    mails.answer = "250 OK"
    hooks.retry("email")
    assert hooks.deliver() == 1
    assert mails.got[0][1]["message-id"] == f"<{event.event_id}@penstock>"


def test_a_mail_that_is_refused_for_ever_blocks_no_other(hooks, store, start):
    mails, url = start()
    hooks.add(url % "", events=["run.finished"])
    mails.refused = {"ml@example.org"}
    go(store, 1)
    assert hooks.events("email") == []
    (dead,) = hooks.events("email", dead=True)
    assert "takes mail for none of the recipients" in dead.error


def test_a_wrong_password_is_told_and_tried_again(hooks, store, start):
    mails, url = start(authenticator=sign_in, auth_required=True)
    hooks.add(url % "ci@", secret="wrong", events=["run.finished"])
    go(store, 1)
    (event,) = hooks.events("email")
    assert "535" in event.error
    assert "wrong" not in event.error
    assert mails.got == []


def test_nothing_is_sent_in_the_clear_with_a_password(hooks, store, start):
    mails, url = start(tls=None)
    hooks.add(url % "ci@", secret="open sesame", events=["run.finished"])
    go(store, 1)
    (event,) = hooks.events("email")
    assert "offers no encryption" in event.error
    hooks.remove("email")
    hooks.add(url % "", events=["run.finished"])  # the host is allowed, and there is no password
    go(store, 1)
    assert len(mails.got) == 1


def test_a_server_in_a_private_network_must_be_allowed(hooks, store, start, monkeypatch):
    mails, url = start(allowed=False)
    monkeypatch.delenv("PENSTOCK_HOOK_HOSTS", raising=False)
    hooks.add(url % "", events=["run.finished"])
    go(store, 1)
    assert "private network" in hooks.events("email")[0].error
    assert mails.got == []


def test_a_certificate_of_another_name_is_refused(hooks, store, start):
    mails, url = start(name="other.example")
    hooks.add(url % "", events=["run.finished"])
    go(store, 1)
    assert "CERTIFICATE_VERIFY_FAILED" in hooks.events("email")[0].error
    assert mails.got == []


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("smtp://mail.example.org", "names no recipient"),
        ("smtp://mail.example.org?to=", "is no mail address"),
        ("smtp://mail.example.org?to=ml", "is no mail address"),
        ("smtp://mail.example.org?to=a@b.org%0d%0aBcc:x@y.org", "is no mail address"),
        ("smtp://mail.example.org?to=a@b.org&cc=x@y.org", "unknown part 'cc'"),
        ("smtp://me:secret@mail.example.org?to=a@b.org", "holds a user or password"),
    ],
)
def test_a_url_that_cannot_be_mailed_to_is_refused(hooks, url, told):
    with pytest.raises(ParameterError, match=told):
        hooks.add(url)
    assert hooks.list() == []


def test_the_form_and_the_url_belong_together(hooks):
    with pytest.raises(ParameterError, match="names no recipient"):
        hooks.add("https://example.org", form="email")
    with pytest.raises(ParameterError, match="does not go to a smtp URL"):
        hooks.add("smtp://mail.example.org?to=a@b.org", form="slack")


def test_several_recipients_and_a_sender_of_the_servers_name():
    found = read_route("smtp://mail.example.org?to=a@b.org&to=c@d.org")
    assert found.to == ("a@b.org", "c@d.org")
    assert found.sender == "penstock@mail.example.org"


def test_an_event_of_a_deleted_run_is_mailed_with_what_it_knows(store, start):
    from penstock.hooks._sending import Sender

    mails, url = start()
    hook = Webhooks(store=store).add(url % "")
    event = EventRecord("e1", "email", "run.failed", "gone", now(), now(), facts={"error": "boom"})
    with Sender(store) as sender:
        assert sender.send(hook, event).ok
    assert "boom" in mails.got[0][1].get_content()
