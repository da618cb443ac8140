"""`penstock server`: the store over HTTP."""

from typing import Any

import pytest


@pytest.fixture
def served(monkeypatch) -> dict[str, Any]:
    given: dict[str, Any] = {}

    def serve(host, port, *, ready, store, **options):
        given.update(options, store=store.url, port=port)
        ready(f"http://{host}:{port}")

    monkeypatch.setattr("penstock.cli._server.serve_store", serve)
    return given


def test_the_server_serves_the_projects_store(world, served):
    assert "Server at http://127.0.0.1:4321" in world("server", "--port", "4321").err
    assert (served["port"], served["scheduler"], served["courier"]) == (4321, False, False)
    assert served["store"].endswith("penstock.db")
    assert (served["url"], served["max_artifact_size"]) == ("", 0)


def test_a_proxy_and_the_largest_artifact_are_options(world, served):
    world("server", "--url", "https://ml.example.org", "--max-artifact-size", "20GB", *OPENID)
    assert (served["url"], served["max_artifact_size"]) == ("https://ml.example.org", 20 * 10**9)
    assert served["openid"].url == "https://ml.example.org"
    refused = world("server", "--max-artifact-size", "much", code=2).err
    assert "'much' is no size" in refused


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


OPENID = ("--oidc-issuer", "https://sso.example.org", "--oidc-client-id", "penstock")


def test_people_may_sign_in_with_an_openid_provider(world, served, monkeypatch, tmp_path):
    assert world("server").out == ""
    assert served.pop("openid") is None
    monkeypatch.setenv("OIDC_SECRET", " hidden-away\n")
    roles = ("--oidc-role", "ml=trainer:churn", "--oidc-role", "leads=admin", "--oidc-only")
    world("server", *OPENID, *roles, "--oidc-client-secret-env", "OIDC_SECRET")
    made = served["openid"]
    assert (made.url, made.label, made.local) == ("http://127.0.0.1:4270", "sso.example.org", False)
    assert [(each.group, each.project) for each in made.roles] == [("ml", "churn"), ("leads", "*")]
    assert made.client_secret.reveal() == "hidden-away"
    file = tmp_path / "secret"
    file.write_text("hidden-too\n")
    more = (
        "--oidc-url",
        "https://ml.example.org",
        "--oidc-name",
        "Keycloak",
        "--oidc-scope",
        "groups",
    )
    world("server", *OPENID, *more, "--oidc-client-secret-file", str(file))
    made = served["openid"]
    assert (made.label, made.is_secure, made.scopes[-1]) == ("Keycloak", True, "groups")
    assert made.client_secret.reveal() == "hidden-too"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (OPENID[:2], "no --oidc-client-id"),
        (OPENID[2:], "no --oidc-issuer"),
        (("--oidc-only",), "--oidc-only is given"),
        ((*OPENID, "--oidc-client-secret-env", "NOT_SET"), "NOT_SET is empty or not set"),
        ((*OPENID, "--oidc-client-secret-file", "nowhere"), "nowhere cannot be read"),
        ((*OPENID, "--oidc-role", "ml"), "gives no role"),
        ((*OPENID, "--port", "0"), "Give --oidc-url"),
        ((*OPENID, "--host", "0.0.0.0"), "Give --oidc-url"),
        (("--oidc-issuer", "http://sso.example.org", *OPENID[2:]), "is not encrypted"),
    ],
)
def test_settings_of_the_provider_that_cannot_be_right_are_told(world, options, said):
    assert said in world("server", *options, code=2).err
