"""Back-channel logout: what the provider signed ends sessions at once; nothing else ends any."""

import json
import time
from typing import Any
from urllib.parse import urlencode

import pytest
from joserfc import jwt
from tests.server.openid.conftest import Browser
from tests.server.openid.provider import CLIENT, rsa, symmetric, unsigned

from penstock.core import Secret
from penstock.people import SignIns, Users

PATH = "/sign-in/openid/back-channel-logout"
EVENT: dict[str, Any] = {"http://schemas.openid.net/event/backchannel-logout": {}}


@pytest.fixture(autouse=True)
def _person(provider):
    provider.person |= {"groups": ["ml"], "sid": "session 1"}


def claims(provider, **changes):
    at = int(time.time())
    made = {
        "iss": provider.issuer, "aud": CLIENT, "iat": at, "exp": at + 120, "jti": f"j {at}",
        "sub": "7", "sid": "session 1", "events": EVENT, **changes,
    }  # fmt: skip
    return {name: value for name, value in made.items() if value is not ...}


def signed(provider, key=None, typ="logout+jwt", alg="RS256", **changes):
    key = key or provider.keys[-1]
    head = {"alg": alg, "kid": key.kid} | ({} if typ is None else {"typ": typ})
    return jwt.encode(head, claims(provider, **changes), key)


def send(browser, token, **headers):
    """Send a logout token as the provider does: no cookie, no page, a form."""
    body = token if isinstance(token, bytes) else urlencode({"logout_token": token}).encode()
    sent = {"content-type": "application/x-www-form-urlencoded", **headers}
    browser.site.cookies.clear()
    return browser.site.post(PATH, content=body, headers=sent)


def test_a_session_ends_at_once(browser, provider):
    kinds: list[dict[str, Any]] = [
        *({"typ": typ} for typ in ("logout+jwt", "JWT", None)),
        *({"sub": ...}, {"exp": ...}, {"aud": [CLIENT, "other"]}),
    ]
    for place, changes in enumerate(kinds):
        browser.sign_in()
        assert browser.name == "ada"
        answer = send(browser, signed(provider, jti=f"j{place}", **changes))
        assert (answer.status_code, answer.content) == (200, b""), changes
        assert answer.headers["cache-control"] == "no-store"
        assert browser.get("/people").status_code == 303


def test_a_session_ends_alone_and_a_person_with_all(store, settings, browser, provider):
    other = Browser(store, settings)
    browser.sign_in()
    provider.person["sid"] = "session 2"
    other.sign_in()
    assert send(browser, signed(provider)).status_code == 200
    assert (browser.name, other.name) == (None, "ada")
    browser.sign_in()
    assert send(browser, signed(provider, jti="j2", sid=...)).status_code == 200
    assert (browser.name, other.name) == (None, None)


def test_a_session_of_somebody_else_stays(store, settings, browser, provider):
    browser.sign_in()
    provider.person |= {"sub": "8", "preferred_username": "eve", "sid": "session 2"}
    other = Browser(store, settings)
    other.sign_in()
    assert send(browser, signed(provider, sub="8", sid=...)).status_code == 200
    assert (browser.name, other.name) == ("ada", None)


def test_a_person_or_session_that_is_not_known_has_signed_out_already(browser, provider):
    browser.sign_in()
    assert send(browser, signed(provider, sub="nobody", sid="none")).status_code == 200
    assert send(browser, signed(provider, jti="j2", sub="nobody", sid=...)).status_code == 200
    assert browser.name == "ada"


def test_a_recorded_token_does_not_end_the_next_session(browser, provider):
    browser.sign_in()
    token = signed(provider)
    assert send(browser, token).status_code == 200
    browser.sign_in()
    again = send(browser, token)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_request")
    assert again.json()["error_description"] == "The message came before."
    assert browser.name == "ada"


def test_the_end_is_in_the_audit_trail(browser, provider, store):
    browser.sign_in()
    send(browser, signed(provider))
    ended = [each for each in store.metadata.audit.list() if each.action == "user.sign_out"]
    assert [(each.actor, each.facts["with"]) for each in ended] == [("ada", "back-channel logout")]
    assert store.metadata.audit.verify() is None


BAD: dict[str, dict[str, Any]] = {
    "issuer": {"iss": "https://other.example"},
    "audience": {"aud": "other"},
    "no audience": {"aud": ...},
    "no iat": {"iat": ...},
    "iat is text": {"iat": "now"},
    "iat is true": {"iat": True, "exp": ...},
    "future": {"iat": 2_000_000_000_000},
    "ended": {"exp": 1_000_000_000},
    "old": {"iat": 1_000_000_000, "exp": ...},
    "no jti": {"jti": ...},
    "jti is a number": {"jti": 7},
    "empty jti": {"jti": ""},
    "no events": {"events": ...},
    "events is text": {"events": next(iter(EVENT))},
    "other event": {"events": {"http://schemas.openid.net/event/other": {}}},
    "event is text": {"events": dict.fromkeys(EVENT, "x")},
    "nonce": {"nonce": "n"},
    "empty nonce": {"nonce": None},
    "nobody": {"sub": ..., "sid": ...},
    "sub is a list": {"sub": ["7"], "sid": ...},
    "long sid": {"sid": "s" * 256},
    "line in sid": {"sid": "session 1\n"},
}


def test_a_token_that_is_none_for_a_logout_ends_nothing(browser, provider):
    browser.sign_in()
    answers = {name: send(browser, signed(provider, **changes)) for name, changes in BAD.items()}
    assert {name for name, answer in answers.items() if answer.status_code != 400} == set()
    assert {answer.json()["error"] for answer in answers.values()} == {"invalid_request"}
    reasons = {answer.json()["error_description"] for answer in answers.values()}
    assert all("is refused: " in each for each in reasons)
    assert len(reasons) > 10  # each is refused for what it is
    assert browser.name == "ada"


def test_what_the_provider_has_not_signed_ends_nothing(browser, provider):
    browser.sign_in()
    whole = signed(provider)
    head, body, seal = whole.split(".")
    public = json.dumps(provider.keys[-1].as_dict(private=False)).encode()
    id_token = provider.honest(claims(provider, nonce="n", events=...))
    forged = [
        unsigned(claims(provider)),
        symmetric(public)(claims(provider)),
        signed(provider, key=rsa("first")),
        signed(provider, key=rsa("unknown")),
        f"{head}.{body}.",
        f"{head}.{body}.{seal[:-4]}AAAA",
        signed(provider, typ="at+jwt"),
        id_token,
        "x.y.z",
        "",
        "é" * 9,
    ]
    assert {send(browser, each).status_code for each in forged} == {400}
    assert send(browser, b"").status_code == 400
    assert send(browser, "a" * 100_001).status_code == 413
    assert send(browser, b"logout_token", **{"content-type": "text/plain"}).status_code == 400
    assert browser.name == "ada"


def test_a_provider_whose_keys_cannot_be_fetched_may_try_again(store, settings, provider):
    token, fresh = signed(provider), Browser(store, settings)
    provider.discovery = {"issuer": "https://other.example"}
    answer = send(fresh, token)
    assert (answer.status_code, answer.json()["error"]) == (503, "invalid_request")


def test_only_this_one_address_takes_a_post_without_a_page(browser, provider):
    token = urlencode({"logout_token": signed(provider)}).encode()
    for path in ("/sign-in/openid/callback", f"{PATH}/", f"{PATH}x", "/sign-in"):
        assert browser.site.post(path, content=token).status_code in {404, 405}
    assert browser.get(PATH).status_code == 405
    foreign = send(browser, token, host="evil.example")
    assert foreign.status_code == 421


def test_a_session_by_password_stays_when_a_session_there_ends(store, settings, browser, provider):
    browser.sign_in()
    Users(store=store).set_password("ada", Secret("correct horse battery"))
    other = SignIns(store=store).with_password("ada", Secret("correct horse battery"))
    browser.sign_in()
    send(browser, signed(provider, sub=...))
    assert browser.name is None
    assert store.metadata.tokens.find_session(other.record.digest) is not None
