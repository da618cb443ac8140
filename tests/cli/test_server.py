"""`penstock server`: the store over HTTP."""

from typing import Any

import pytest


@pytest.fixture
def served(monkeypatch) -> dict[str, Any]:
    given: dict[str, Any] = {}

    def serve(host, port, *, ready, store, **options):
        given.update(options, url=store.url, port=port)
        ready(f"http://{host}:{port}")

    monkeypatch.setattr("penstock.cli._server.serve_store", serve)
    return given


def test_the_server_serves_the_projects_store(world, served):
    assert "Server at http://127.0.0.1:4321" in world("server", "--port", "4321").err
    assert (served["port"], served["scheduler"], served["courier"]) == (4321, False, False)
    assert served["url"].endswith("penstock.db")


def test_its_url_is_one_document_for_programs(world, served):
    answer = world("server", "--scheduler", "--courier", "--share-port", "--json")
    assert answer.json == {"url": "http://127.0.0.1:4270"}
    assert (served["scheduler"], served["courier"], served["share_port"]) == (True, True, True)


def test_the_description_of_the_api_is_printed(world):
    described = world("server", "--openapi").json
    assert described["paths"]["/api/v1/runs/search"]["get"]["x-permission"] == "read"


def test_an_address_that_others_reach_is_refused(world):
    refused = world("server", "--host", "0.0.0.0", code=2).err
    assert "the store has no users" in refused
