"""A real provider (Canaille), a real server and a real browser, over real connections.

Canaille has an interpreter of its own, which PENSTOCK_OPENID_PYTHON names, as `.ci/run` makes it. It
answers as localhost and penstock as 127.0.0.1: two sites, so that cookies are kept back as in the wild.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.server.ui.test_browser import browser  # noqa: F401 - the fixture
from tests.services import free_port

from penstock.people import Projects, Users
from penstock.stores import open_store

pytestmark = pytest.mark.services
SECRET = "client secret / with % signs"


@pytest.fixture(scope="module")
def canaille():
    named = os.environ.get("PENSTOCK_OPENID_PYTHON")
    if named is None:
        if os.environ.get("CI"):
            pytest.fail("CI must test the sign-in against a real provider: see .ci/run")
        pytest.skip(
            "needs canaille in an interpreter that PENSTOCK_OPENID_PYTHON names: see .ci/run"
        )
    port, own = free_port(), free_port()
    script = Path(__file__).with_name("canaille_server.py")
    command = [named, str(script), str(port), f"http://127.0.0.1:{own}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout.readline() == b"ready\n"
        yield f"http://localhost:{port}", own
        process.kill()


@pytest.fixture(scope="module")
def server(canaille, tmp_path_factory):
    issuer, port = canaille
    folder = tmp_path_factory.mktemp("server")
    url = f"sqlite:///{folder}/penstock.db"
    with open_store(url) as store:
        Users(store=store).add("root", role="admin")
        Projects(store=store).add("churn")
    command = [
        *(sys.executable, "-m", "penstock.cli", "--store", url, "server", "--port", str(port)),
        *("--oidc-issuer", issuer, "--oidc-client-id", "penstock", "--oidc-name", "Canaille"),
        *("--oidc-client-secret-env", "OIDC_SECRET", "--oidc-scope", "groups"),
        *("--oidc-role", "ml=trainer:churn", "--json"),
    ]
    environment = {**os.environ, "OIDC_SECRET": SECRET}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, cwd=folder) as process:
        assert b"url" in process.stdout.readline()
        yield f"http://127.0.0.1:{port}", url
        process.terminate()


def sign_in(page, name):
    page.click("text=Sign in with Canaille")
    page.fill("input[name=login]", name)
    page.keyboard.press("Enter")
    page.fill("input[name=password]", "correct horse battery")
    page.keyboard.press("Enter")


def test_a_browser_signs_in_and_out_again(browser, server, canaille):  # noqa: F811 - the fixture
    address, url = server
    complaints = []
    context = browser.new_context(viewport={"width": 1300, "height": 850})
    page = context.new_page()
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    page.goto(f"{address}/models")
    page.wait_for_url("**/sign-in?next=/models")
    if pictures := os.environ.get("PENSTOCK_PICTURES"):
        page.screenshot(path=f"{pictures}/sign-in.png")
    sign_in(page, "ada")
    page.wait_for_url(f"{address}/models")
    assert page.locator(".me").inner_text() == "ada"
    page.goto(f"{address}/people")
    assert page.locator("td >> text=trainer in churn").is_visible()
    if pictures:
        page.screenshot(path=f"{pictures}/people.png")
    names = {cookie["name"]: cookie for cookie in context.cookies(address)}
    assert names["penstock_session"]["sameSite"] == "Strict"
    assert "penstock_openid" not in names
    page.click("text=Sign out")
    page.wait_for_url(f"{address}/sign-in?out=openid")
    if pictures:
        page.screenshot(path=f"{pictures}/out.png")
    page.click("text=sign out there as well")
    page.wait_for_url(f"{canaille[0]}/**")
    context.close()
    assert [text for text in complaints if address in text] == []
    with open_store(url) as store:
        kept = store.metadata.users.get("ada")
        assert kept.subject == f"{canaille[0]} ada"
        assert store.metadata.audit.verify() is None


def test_somebody_in_no_group_is_refused_in_the_browser(browser, server):  # noqa: F811 - the fixture
    address, _ = server
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{address}/sign-in")
    sign_in(page, "eve")
    page.wait_for_url("**/sign-in/openid/callback?**")
    assert "penstock users link NAME" in page.locator("[role=alert]").inner_text()
    page.goto(f"{address}/people")
    page.wait_for_url("**/sign-in?next=/people")
    context.close()
