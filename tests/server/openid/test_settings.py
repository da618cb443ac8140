"""Settings that could send people, or their codes, to somebody else are refused at the start."""

import pytest

from penstock.core import NotFoundError, ParameterError, Role, Secret, ServingError
from penstock.server import ClaimedRole, OpenIdSettings, create_ui
from penstock.stores import open_store

URL = "https://ml.example.org"


@pytest.mark.parametrize(
    "issuer",
    [
        "http://sso.example.org",
        "sso.example.org",
        "",
        "ftp://sso.example.org",
        "https://user:pw@sso.example.org",
        "https://sso.example.org?x=1",
        "https://sso.example.org/#a",
        "https://sso example.org",
        "https://sso.example.org:port",
        "https://[::1",
    ],
)
def test_an_issuer_is_an_encrypted_url(issuer):
    with pytest.raises(ParameterError, match="issuer"):
        OpenIdSettings(issuer, "penstock", URL)


@pytest.mark.parametrize("url", ["http://ml.example.org", "https://ml.example.org/ui", "ml:4270"])
def test_the_servers_url_is_the_beginning_of_an_encrypted_one(url):
    with pytest.raises(ParameterError, match="URL of this server"):
        OpenIdSettings("https://sso.example.org", "penstock", url)


def test_on_this_machine_plain_http_will_do():
    made = OpenIdSettings("http://localhost:8080/realms/ml", "penstock", "http://127.0.0.1:4270/")
    assert made.redirect_uri == "http://127.0.0.1:4270/sign-in/openid/callback"
    assert not made.is_secure


@pytest.mark.parametrize("text", ["ml", "=viewer", "ml=", "ml=boss", "ml=churn:viewer", ""])
def test_a_role_by_group_says_group_and_role(text):
    with pytest.raises(ParameterError, match="gives no role"):
        ClaimedRole.read(text)


def test_a_group_may_have_any_letters():
    assert ClaimedRole.read("cn=ml,dc=example=admin") == ClaimedRole("cn=ml,dc=example", Role.ADMIN)
    assert ClaimedRole.read("a=viewer:b").project == "b"


def test_the_secret_is_shown_nowhere():
    made = OpenIdSettings("https://sso.example.org", "penstock", URL, Secret("hidden-away"))
    assert "hidden-away" not in repr(made)


def test_a_role_in_a_project_that_does_not_exist_stops_the_start(store):
    roles = (ClaimedRole.read("ml=trainer:chrun"),)
    with pytest.raises(NotFoundError, match="no such project"):
        create_ui(
            openid=OpenIdSettings("https://sso.example.org", "penstock", URL, roles=roles),
            store=store,
        )


def test_a_store_without_users_stops_the_start(tmp_path):
    with (
        open_store(f"sqlite:///{tmp_path}/new.db") as new,
        pytest.raises(ServingError, match="penstock users first"),
    ):
        create_ui(openid=OpenIdSettings("https://sso.example.org", "penstock", URL), store=new)
