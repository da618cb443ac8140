"""Hashes of passwords and digests of tokens and sessions leave the server in no answer and no log."""

import logging

import httpx
import pytest
from tests.server.serving import serving

from penstock.core import HIDDEN, Secret, SignInError, UserRecord, hash_password, now, tls_context
from penstock.people import SignIns, Users
from penstock.stores import open_store
from penstock.stores.rest import operations
from penstock.stores.rest._wire import wire_of
from penstock.testing._people_contract import a_session, a_token

CANARIES = ("hash-canary", "token-canary", "session-canary", "new-canary")
CALLS = {
    "users/get": {"name": "ada"},
    "users/update": {"name": "ada", "password_hash": "new-canary"},
    "users/find-subject": {"subject": "sso 7"},
    "users/list-grants": {},
    "tokens/get": {"token_id": "pst_1"},
    "tokens/find": {"digest": "token-canary"},
    "tokens/list": {},
    "tokens/find-session": {"digest": "session-canary"},
    "tokens/revoke": {"token_id": "pst_1", "at": "2026-01-31T00:00:00Z"},
    "users/list": {},
    "audit/list": {},
    "projects/list": {},
    "store": {},
}


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as store:
        yield store


@pytest.fixture
def url(store):
    users = store.metadata.users
    users.add(UserRecord("ada", now(), password_hash="hash-canary", subject="sso 7"))
    store.metadata.tokens.add(a_token(digest="token-canary", expires_at=None))
    store.metadata.tokens.add_session(a_session(digest="session-canary"))
    with serving(store) as url:
        yield url


def test_no_answer_and_no_log_has_a_secret_at_rest(url, store, caplog):
    caplog.set_level(logging.DEBUG)
    with httpx.Client(base_url=f"{url}/api/v1/", verify=tls_context(url)) as client:
        for number, (path, body) in enumerate(CALLS.items()):
            headers = {"idempotency-key": str(number)}
            if path == "store":
                answer = client.get(path)
            else:
                answer = client.post(path, json=body, headers=headers)
            assert answer.status_code == 200, (path, answer.text)
            assert not any(canary in answer.text for canary in CANARIES), path
            if path == "users/get":
                assert answer.json()["result"]["password_hash"] == HIDDEN
    assert not any(canary in caplog.text for canary in CANARIES)
    # Nor do the remembered answers of requests, and the audit trail.
    with store.metadata.database.read() as transaction:
        for table in ("requests", "audit"):
            rows = repr(transaction.execute(f"SELECT * FROM {table}").fetchall())
            assert not any(canary in rows for canary in CANARIES), table


def test_every_operation_with_such_records_is_among_those_that_withhold():
    results = {
        operation.path: operation.result.parts.keys()
        for verbs in operations().values()
        for operation in verbs.values()
    }
    records = {"UserRecord", "TokenRecord", "SessionRecord"}
    carrying = {path for path, parts in results.items() if records & parts}
    assert carrying == {
        "users/get",
        "users/find-subject",
        "users/update",
        "users/list",
        "tokens/get",
        "tokens/find",
        "tokens/revoke",
        "tokens/list",
        "tokens/find-session",
    }


def test_the_mark_is_never_stored_as_a_secret(url, store):
    user = wire_of(UserRecord).write(UserRecord("eve", now(), password_hash=HIDDEN))
    for path, body in (
        ("users/add", {"user": user}),
        ("users/update", {"name": "ada", "password_hash": HIDDEN}),
        ("tokens/add", {"token": wire_of(type(a_token())).write(a_token(digest=HIDDEN))}),
    ):
        answer = httpx.post(f"{url}/api/v1/{path}", json=body, verify=tls_context(url))
        assert answer.status_code == 400, path
    assert store.metadata.users.get("ada").password_hash == "hash-canary"


def test_people_sign_in_at_a_store_over_http(tmp_path):
    pytest.importorskip("argon2", reason="pip install penstock[people]")
    password = Secret("correct horse battery")
    with open_store(f"sqlite:///{tmp_path}/own.db") as own:
        own.metadata.users.add(UserRecord("ada", now(), password_hash=hash_password(password)))
        with serving(own) as url, open_store(url) as store:
            session = SignIns(store=store).with_password("Ada", password)
            assert session.record.user == "ada"
            Users(store=store).set_password("ada", Secret("quite another password"))
            assert own.metadata.users.is_password("ada", Secret("quite another password"))
            with pytest.raises(SignInError):
                SignIns(store=store).with_password("ada", password)
