"""The page of a model in the form of a serving platform: the file itself, for those who may read the model."""

import html
import re

import pytest
from litestar.testing import TestClient
from tests.serving.conftest import MODEL, World

from penstock.exporters import SERVING_PLATFORMS, export_model
from penstock.registry import Registry
from penstock.server import create_ui
from penstock.serving import deploy
from penstock.stores import open_store


@pytest.fixture
def shown(tmp_path):
    store = open_store(f"sqlite:///{tmp_path}/.penstock/penstock.db")
    world = World(store, Registry(store=store))
    world.register()
    with TestClient(create_ui(hosts=("testserver.local",), store=store)) as client:
        yield client, world
    store.close()


def test_the_file_of_each_platform_is_shown_and_can_be_copied(shown):
    client, world = shown
    assert f"/models/{MODEL}/export" not in client.get(f"/models/{MODEL}").text
    assert client.get(f"/models/{MODEL}/export").status_code == 404  # nothing is in production
    world.promote(1)
    assert f"/models/{MODEL}/export" in client.get(f"/models/{MODEL}").text
    for to in SERVING_PLATFORMS:
        exported = export_model(MODEL, to=to, store=world.store)  # type: ignore[arg-type]
        page = client.get(f"/models/{MODEL}/export?to={to}").text
        [text] = re.findall(r'<pre class="text" id="exported">(.*?)</pre>', page, re.DOTALL)
        [copied] = re.findall(r'data-copy="([^"]*)" aria-label="Copy the file"', page)
        assert html.unescape(text) == html.unescape(copied) == exported.text
        assert f"--to {to} -o {exported.file}" in html.unescape(page)
        answer = client.get(f"/models/{MODEL}/export?to={to}&format=json").json()
        assert (answer["text"], answer["notes"]) == (exported.text, list(exported.notes))
    assert client.get(f"/models/{MODEL}/export?to=kserv").status_code == 400


def test_the_form_s_choices_are_in_the_file_and_in_the_command(shown):
    client, world = shown
    world.promote(1)
    answer = client.get(f"/models/{MODEL}/export?image=r/tips:1&anonymous=1&format=json").json()
    same = export_model(MODEL, to="kserve", image="r/tips:1", anonymous=True, store=world.store)
    assert answer["text"] == same.text
    page = html.unescape(client.get(f"/models/{MODEL}/export?image=r/tips:1&anonymous=1").text)
    assert "--to kserve --image r/tips:1 --anonymous -o" in page


def test_a_deployment_has_the_page_too_and_a_name_that_is_refused_stays_with_the_reason(shown):
    client, world = shown
    world.promote(1)
    deploy(MODEL, name="7-tips", store=world.store)
    assert "/deployments/7-tips/export" in client.get("/deployments/7-tips").text
    page = client.get("/deployments/7-tips/export")
    assert page.status_code == 200
    assert "No InferenceService can be named after" in page.text
    assert "7_tips_ray_serve" in client.get("/deployments/7-tips/export?to=ray-serve").text
    assert client.get("/deployments/nobody/export").status_code == 404
