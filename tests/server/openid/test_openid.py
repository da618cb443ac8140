"""The flow: who begins a sign-in ends it, in the same browser, once; and nobody else does."""

import re
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import httpx
import pytest
from tests.server.openid.conftest import Browser, trouble
from tests.server.openid.provider import Provider, serving

from penstock.people import Users


@pytest.fixture(autouse=True)
def _trainer(provider):
    provider.person["groups"] = ["ml"]


def test_somebody_signs_in_and_lands_on_the_page_that_was_asked_for(browser, store):
    link = re.search(
        r'href="(/sign-in/openid/start[^"]*)"', browser.get("/sign-in?next=/models").text
    )
    answer = browser.sign_in(link[1])
    assert 'http-equiv="refresh" content="0; url=/models"' in answer.text
    assert browser.name == "ada"
    assert store.metadata.users.get("ada").full_name == "Ada L."


def test_the_request_has_pkce_state_nonce_and_the_one_address_to_come_back_to(browser, provider):
    first, second = (parse_qs(urlsplit(browser.ask()).query) for _ in range(2))
    assert first["redirect_uri"] == ["http://127.0.0.1/sign-in/openid/callback"]
    assert first["code_challenge_method"] == ["S256"]
    assert first["scope"] == ["openid profile email"]
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name][0]) == 43  # 256 bits
        assert first[name] != second[name]
    assert len({first[name][0] for name in ("state", "nonce", "code_challenge")}) == 3


def test_the_cookies_are_out_of_reach_of_scripts_and_of_other_sites(browser, browser_with):
    browser.sign_in()
    kept, session, gone = browser.sent
    assert {"HttpOnly", "SameSite=lax", "Path=/", "Max-Age=600"} <= set(kept.split("; "))
    assert {"HttpOnly", "SameSite=Strict"} <= set(session.split("; "))
    assert "Max-Age=0" in gone
    secure = browser_with(url="https://127.0.0.1")
    secure.ask()
    assert secure.sent[0].startswith("__Host-penstock_openid=")
    assert "Secure" in secure.sent[0].split("; ")


def test_an_answer_counts_in_the_browser_that_asked_only(browser, store, settings):
    back = browser.back(browser.ask())
    other = Browser(store, settings)
    assert "not begun in this browser" in trouble(
        other.get(back)
    )  # login CSRF: a link that was sent
    other.ask()
    assert "not begun in this browser" in trouble(other.get(back))  # state of another browser
    assert browser.get(back).status_code == 200


def test_an_answer_counts_once(browser):
    back = browser.back(browser.ask())
    kept = dict(browser.jar)
    assert browser.get(back).status_code == 200
    assert "not begun" in trouble(browser.get(back))
    browser.jar |= kept  # somebody who copied the cookie as well
    assert "invalid_grant" in trouble(browser.get(back))


@pytest.mark.parametrize("state", ["", "x", "é", "A" * 43, None])
def test_a_swapped_state_is_refused_before_the_provider_is_asked(browser, provider, state):
    code = parse_qs(urlsplit(browser.back(browser.ask())).query)["code"][0]
    query = {"code": code} | ({} if state is None else {"state": state})
    assert "not begun" in trouble(browser.get(f"/sign-in/openid/callback?{urlencode(query)}"))
    assert "/token" not in provider.asked


def test_a_code_of_somebody_elses_request_is_refused(browser, store, settings, provider):
    """Code injection: a stolen code in the victim's own request; PKCE binds it to the other one."""
    thief = Browser(store, settings)
    stolen = parse_qs(urlsplit(browser.back(browser.ask())).query)["code"][0]
    own = parse_qs(urlsplit(thief.back(thief.ask())).query)
    query = urlencode({"code": stolen, "state": own["state"][0]})
    assert "invalid_grant" in trouble(thief.get(f"/sign-in/openid/callback?{query}"))


@pytest.mark.parametrize("changed", ["key", "time", "page"])
def test_a_cookie_is_refused_if_a_part_of_it_was_changed(browser, changed):
    back = browser.back(browser.ask())
    key, begun, page = browser.jar["penstock_openid"].split(".")
    part = {"key": [key[:-1] + "_", begun, page], "time": [key, str(int(begun) + 1), page]}
    browser.jar["penstock_openid"] = ".".join(part.get(changed, [key, begun, "L2V2aWw"]))
    assert "not begun" in trouble(browser.get(back))


def test_a_sign_in_of_long_ago_is_refused(browser, monkeypatch):
    back, at = browser.back(browser.ask()), __import__("time").time()
    monkeypatch.setattr("penstock.server.openid._openid.time.time", lambda: at + 700)
    assert "more than ten minutes ago" in trouble(browser.get(back))


@pytest.mark.parametrize(
    "page",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "\t//evil.example",
        "/\r\nset-cookie: a=b",
        "javascript:alert(1)",
        "/ok\u2028//evil.example",
    ],
)
def test_nobody_is_led_to_another_site(browser, page):
    answer = browser.sign_in(f"/sign-in/openid/start?next={quote(page)}")
    target = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', answer.text)[1]
    assert target == "/"
    assert "set-cookie: a=b" not in str(answer.headers)


def test_another_site_cannot_begin_a_sign_in(browser, provider):
    for site in ("cross-site", "same-site"):
        headers = {"sec-fetch-site": site, "sec-fetch-mode": "navigate"}
        answer = browser.get("/sign-in/openid/start", **headers)
        assert answer.headers["location"] == "/sign-in"
    assert browser.sent == []
    assert provider.asked == []


def test_mix_up_an_answer_that_names_another_issuer_is_refused(browser, provider):
    back = browser.back(browser.ask())
    answer = browser.get(f"{back}&iss=https%3A%2F%2Fother.example")
    assert "https://other.example" in trouble(answer)
    assert "/token" not in provider.asked


def test_an_issuer_that_promises_its_name_has_to_say_it(browser, provider):
    provider.discovery = {"authorization_response_iss_parameter_supported": True}
    back = browser.back(browser.ask())
    assert "not from" in trouble(browser.get(back))
    answer = browser.get(f"{back}&{urlencode({'iss': provider.issuer})}")
    assert answer.status_code == 200


def test_a_parameter_that_is_there_twice_is_none(browser):
    back = browser.back(browser.ask())
    assert "not begun" in trouble(browser.get(f"{back}&state=x"))
    assert "no code" in trouble(browser.get(f"{back}&code=x"))


def test_who_says_no_at_the_provider_reads_so_and_tries_again(browser):
    state = parse_qs(urlsplit(browser.ask()).query)["state"][0]
    query = urlencode({"error": "access_denied<script>", "state": state})
    answer = browser.get(f"/sign-in/openid/callback?{query}")
    assert "access_denied&lt;script&gt;" in trouble(answer)
    assert "Sign in with Keycloak" in answer.text


def test_an_answer_of_another_provider_gives_no_token_here(browser, provider):
    """Its code is unknown at ours, whatever it says."""
    other = Provider()
    other.person = {"sub": "7", "groups": ["ml"]}
    with serving(other):
        url = browser.ask().replace(provider.issuer, other.issuer)
        assert "invalid_grant" in trouble(browser.get(browser.back(url)))


def test_failures_are_counted_and_slow_down(browser):
    for _ in range(21):
        back = browser.back(browser.ask())
        browser.get(re.sub("code=[^&]+", "code=guess", back))
    assert "sign-ins have failed" in trouble(browser.get(browser.back(browser.ask())))


def test_a_link_that_somebody_sent_counts_as_no_failure(browser):
    for _ in range(30):
        assert trouble(browser.get("/sign-in/openid/callback?code=x&state=y"))
    assert browser.sign_in().status_code == 200


def test_a_wrong_client_secret_is_told_apart(browser_with):
    from penstock.core import Secret

    browser = browser_with(client_secret=Secret("another"))
    assert "invalid_client" in trouble(browser.sign_in())


def test_a_public_client_signs_in_by_pkce_alone(browser_with, provider):
    provider.is_public = True
    browser = browser_with(client_secret=None)
    assert browser.sign_in().status_code == 200
    assert browser.name == "ada"


def test_signing_out_ends_the_session_and_offers_the_providers(browser, provider):
    browser.sign_in()
    token = re.search(r'name="form_token" value="([^"]+)"', browser.get("/people").text)[1]
    own = {
        "origin": "http://127.0.0.1",
        "cookie": f"penstock_session={browser.jar['penstock_session']}",
    }
    answer = browser.site.post("/do/sign-out", data={"form_token": token}, headers=own)
    assert answer.headers["location"] == "/sign-in?out=openid"
    assert browser.name is None
    assert 'href="/sign-in/openid/out"' in browser.get("/sign-in?out=openid").text
    away = browser.get("/sign-in/openid/out").headers["location"]
    assert away.startswith(f"{provider.issuer}/logout?")
    assert parse_qs(urlsplit(away).query) == {
        "client_id": ["penstock"],
        "post_logout_redirect_uri": ["http://127.0.0.1/sign-in"],
    }


def test_a_provider_without_a_sign_out_page_leads_back_here(browser, provider):
    provider.discovery = {"end_session_endpoint": None}
    assert browser.get("/sign-in/openid/out").headers["location"] == "/sign-in"


def test_passwords_begin_sessions_unless_that_is_turned_off(store, browser, browser_with):
    pytest.importorskip("argon2", reason="pip install penstock[people]")
    from penstock.core import Secret

    Users(store=store).set_password("root", Secret("correct horse battery"))

    def with_password(opened):
        found = re.search(r'name="form_token" value="([^"]+)"', opened.get("/sign-in").text)
        fields = {"name": "root", "password": "correct horse battery"}
        sent = {**fields, "form_token": found[1] if found else ""}
        return opened.site.post("/do/sign-in", data=sent, headers={"origin": "http://127.0.0.1"})

    assert with_password(browser).status_code == 303
    closed = browser_with(local=False)
    assert 'name="password"' not in closed.get("/sign-in").text
    assert with_password(closed).status_code in {401, 403}
    assert closed.sign_in().status_code == 200


def test_an_id_token_is_no_token_of_the_api(browser, provider, store):
    from litestar.testing import TestClient

    from penstock.server import create_server

    issued = []
    provider.change = lambda claims: issued.append(provider.honest(claims)) or claims
    browser.sign_in()
    site = TestClient(create_server(store=store), base_url="http://127.0.0.1")
    answer = site.get("/api/v1/store", headers={"authorization": f"Bearer {issued[0]}"})
    assert answer.status_code == 401
    assert httpx.codes.is_client_error(answer.status_code)
