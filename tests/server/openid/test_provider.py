"""A provider that is away, changes its keys, or names addresses that nobody should ask."""

import time

import pytest
from tests.server.openid.conftest import trouble
from tests.server.openid.provider import rsa

from penstock.core import ServingError
from penstock.server import OpenIdSettings
from penstock.server.openid._provider import Provider as Client


class Clock:
    at = 0.0

    def __call__(self):
        return self.at


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def client(settings, clock):
    return Client(settings, clock)


def test_documents_are_fetched_once_an_hour(client, clock, provider):
    for _ in range(3):
        assert client.metadata["issuer"] == provider.issuer
        client.keys()
    assert provider.asked == ["/.well-known/openid-configuration", "/jwks"]
    clock.at = 3601
    client.keys()
    assert len(provider.asked) == 4


def test_a_new_key_is_looked_for_once_in_half_a_minute(client, clock, provider):
    client.keys()
    provider.keys.append(rsa("second"))
    assert len(client.keys(again=True)) == 1
    clock.at = 31
    assert len(client.keys(again=True)) == 2
    for _ in range(50):
        client.keys(again=True)
    assert provider.asked.count("/jwks") == 2


def test_people_sign_in_while_the_provider_changes_its_key(browser, provider, monkeypatch):
    provider.person["groups"] = ["ml"]
    browser.sign_in()
    provider.keys = [rsa("second")]
    at = time.monotonic()
    monkeypatch.setattr("penstock.server.openid._provider._AGAIN_S", 0.0)
    assert browser.sign_in().status_code == 200
    assert time.monotonic() - at < 20
    assert provider.asked.count("/jwks") == 2


def test_a_provider_that_is_away_is_said_and_the_form_stays(browser_with):
    browser = browser_with(issuer="http://127.0.0.1:9/realm")
    said = trouble(browser.get("/sign-in/openid/start?next=/models"))
    assert "Keycloak cannot be asked: http://127.0.0.1:9/realm/.well-known" in said
    assert "sign in with a name and a password" in said
    again = browser.get("/sign-in/openid/start?next=/models").text
    assert 'name="password"' in again
    assert 'name="next" value="/models"' in again


def test_a_failure_is_remembered_so_that_nobody_waits_for_it_again(clock, settings, monkeypatch):
    client = Client(OpenIdSettings("http://127.0.0.1:9", "penstock", settings.url), clock)
    asked = []
    monkeypatch.setattr(client._fetcher, "send", lambda *_, **__: asked.append(1) or (503, b""))
    for _ in range(5):
        with pytest.raises(ServingError, match="status 503"):
            _ = client.metadata
    clock.at = 31
    with pytest.raises(ServingError):
        _ = client.metadata
    assert len(asked) == 2


def test_what_was_known_holds_while_the_provider_is_away(client, clock, provider):
    client.keys()
    provider.discovery = {"issuer": "https://other.example"}
    clock.at = 7200
    assert len(client.keys()) == 1


DOCUMENTS = {
    "another issuer": (
        {"issuer": "https://other.example"},
        "its issuer is 'https://other.example'",
    ),
    "no token endpoint": ({"token_endpoint": None}, "no token_endpoint"),
    "an endpoint of a script": ({"authorization_endpoint": "javascript:alert(1)"}, "no URL"),
    "a plain endpoint": ({"token_endpoint": "http://sso.example/token"}, "not encrypted"),
    "a file as keys": ({"jwks_uri": "file:///etc/passwd"}, "no URL"),
    "no S256": ({"code_challenge_methods_supported": ["plain"]}, "no PKCE"),
}


@pytest.mark.parametrize("case", DOCUMENTS)
def test_a_document_that_cannot_be_right_is_refused(client, provider, case):
    provider.discovery, said = DOCUMENTS[case]
    with pytest.raises(ServingError, match=said):
        _ = client.metadata


@pytest.mark.parametrize(
    "inner",
    [
        "https://169.254.169.254/latest",
        "https://10.0.0.1/keys",
        "https://[::1]/keys",
        "https://[64:ff9b::a9fe:a9fe]/keys",
        "https://localhost:8443/keys",
    ],
)
def test_a_document_does_not_lead_into_the_network_around_the_server(client, provider, inner):
    provider.discovery = {"jwks_uri": inner, "userinfo_endpoint": inner}
    for ask in (client.keys, lambda: client.user_info("t")):
        with pytest.raises(ServingError, match="private network"):
            ask()


def test_the_issuers_own_host_on_another_port_is_another_place(client, provider):
    provider.discovery = {"jwks_uri": "http://127.0.0.1:9/keys"}
    with pytest.raises(ServingError, match="allow the host"):
        client.keys()


def test_a_redirect_is_not_followed(client, provider, monkeypatch):
    provider.discovery = {"jwks_uri": f"{provider.issuer}/authorize?client_id=penstock"}
    monkeypatch.setattr(provider, "authorize", lambda _: "http://169.254.169.254/")
    with pytest.raises(ServingError, match="status 302"):
        client.keys()


def test_an_answer_without_an_end_is_cut(client, provider):
    provider.document = lambda: b" " * (3 << 20)
    with pytest.raises(ServingError, match="larger than 1 MiB"):
        _ = client.metadata
