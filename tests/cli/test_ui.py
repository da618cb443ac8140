"""`penstock ui`: the web UI of the project's store."""

from typing import Any


def test_ui_serves_the_projects_store(world, monkeypatch):
    given: dict[str, Any] = {}

    def serve(host, port, allowed_hosts, url, ready, store):
        given.update(store=store.url, port=port, url=url)
        ready(f"http://{host}:{port}")

    monkeypatch.setattr("penstock.cli._ui.serve_ui", serve)
    assert "UI at http://127.0.0.1:4321" in world("ui", "--port", "4321").err
    assert (given["port"], given["url"]) == (4321, "")
    assert given["store"].endswith("penstock.db")
    world("ui", "--url", "https://ml.example.org")
    assert given["url"] == "https://ml.example.org"


def test_an_address_is_named_only_once_it_answers(world):
    refused = world("ui", "--host", "0.0.0.0", code=2).err
    assert "UI at" not in refused
    assert "can be reached from other machines" in refused
