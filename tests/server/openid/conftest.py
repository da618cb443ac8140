import re
from dataclasses import replace
from http.cookies import SimpleCookie
from urllib.parse import urlsplit

import httpx
import pytest
from litestar.testing import TestClient

pytest.importorskip("joserfc", reason="pip install penstock[people]")

from tests.server.openid.provider import CLIENT, SECRET, Provider, rsa, serving

from penstock.core import Secret
from penstock.people import Projects, Users
from penstock.server import ClaimedRole, OpenIdSettings, create_ui
from penstock.stores import open_store

KEY = rsa("first")
HOME = "http://127.0.0.1"


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as opened:
        Users(store=opened).add("root", role="admin")
        Projects(store=opened).add("churn")
        yield opened


@pytest.fixture
def provider():
    made = Provider()
    made.keys = [KEY]
    with serving(made):
        yield made


@pytest.fixture
def settings(provider):
    roles = [ClaimedRole.read("ml=trainer:churn"), ClaimedRole.read("leads=approver:churn")]
    return OpenIdSettings(
        provider.issuer, CLIENT, HOME, Secret(SECRET), label="Keycloak", roles=tuple(roles)
    )


class Browser:
    """Somebody's browser: cookies of this site, and what it is sent."""

    def __init__(self, store, settings):
        self.site = TestClient(create_ui(store=store, openid=settings), base_url=HOME)
        self.site.follow_redirects = False
        self.jar, self.sent = {}, []

    def get(self, path, **headers):
        cookie = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        self.site.cookies.clear()
        answer = self.site.get(path, headers={"cookie": cookie, **headers})
        for text in answer.headers.get_list("set-cookie"):
            self.sent.append(text)
            for name, morsel in SimpleCookie(text).items():
                self.jar[name] = morsel.value
        return answer

    def ask(self, path="/sign-in/openid/start"):
        """Begin a sign-in; give the way to the provider."""
        answer = self.get(path)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    def back(self, url):
        """What the provider sends back, as path and query of this site."""
        parts = urlsplit(httpx.get(url).headers["location"])
        assert f"{parts.scheme}://{parts.netloc}" == HOME
        return f"{parts.path}?{parts.query}"

    def sign_in(self, path="/sign-in/openid/start"):
        return self.get(self.back(self.ask(path)))

    @property
    def name(self):
        """Who has signed in; None for nobody."""
        found = re.search(r'<span class="me">([^<]+)', self.get("/people").text)
        return found and found[1]


@pytest.fixture
def browser(store, settings):
    return Browser(store, settings)


@pytest.fixture
def browser_with(store, settings):
    return lambda **changes: Browser(store, replace(settings, **changes))


def trouble(answer):
    """What the sign-in page says went wrong."""
    assert answer.status_code in {401, 429, 503}, answer.status_code
    assert not any("penstock_session=ps" in text for text in answer.headers.get_list("set-cookie"))
    return re.search(r'role="alert">([^<]+)', answer.text)[1]
