"""Who may call: hosts, foreign pages, tokens, permissions."""

import re

import pytest
from litestar.testing import TestClient

from penstock.core import ANY_PROJECT, Identity, Permission, Role, SignInError
from penstock.server.mlflow import create_mlflow
from penstock.server.mlflow._routes import ROUTES

V2 = "/api/2.0/mlflow"
PEOPLE = {
    "Bearer viewer": Identity("vera", {ANY_PROJECT: frozenset({Permission.READ})}, "token 1"),
    "Bearer trainer": Identity(
        "tom", {ANY_PROJECT: frozenset({Permission.READ, Permission.WRITE})}, "token 2"
    ),
    "Bearer elsewhere": Identity("eva", {"churn": frozenset(Permission)}, "token 3"),
    "Bearer owner": Identity("ora", {ANY_PROJECT: frozenset(Permission)}, "token 4"),
}


def who(call):
    said = (call.header(b"authorization") or "").strip()
    if said and said not in PEOPLE:
        raise SignInError(what="The token is not known here.")
    return PEOPLE.get(said)


@pytest.fixture
def api(store):
    app = create_mlflow(hosts=("127.0.0.1",), authenticate=who, store=store)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client


def call(api, token, path="/runs/create", method="POST", **body):
    headers = {"authorization": f"Bearer {token}"} if token else {}
    if method == "GET":
        return api.get(V2 + path, params=body, headers=headers)
    return api.request(method, V2 + path, json=body, headers=headers)


@pytest.mark.parametrize(
    ("token", "reads", "writes", "deletes"),
    [
        ("", 401, 401, 401),
        ("stolen", 401, 401, 401),
        ("viewer", 200, 403, 403),
        ("elsewhere", 403, 403, 404),  # of another project no model is known
        ("trainer", 200, 200, 403),
        ("owner", 200, 200, 404),
    ],
)
def test_a_call_needs_its_permission(api, token, reads, writes, deletes):
    statuses = (
        call(api, token, "/experiments/get", "GET", experiment_id="0").status_code,
        call(api, token, experiment_id="0").status_code,
        call(api, token, "/registered-models/delete", "DELETE", name="none").status_code,
    )
    assert statuses == (reads, writes, deletes)


def test_a_refusal_has_mlflows_form(api):
    assert call(api, "").json()["error_code"] == "UNAUTHENTICATED"
    assert call(api, "viewer").json()["error_code"] == "PERMISSION_DENIED"


def test_a_file_needs_a_permission_too(api):
    path = "/api/2.0/mlflow-artifacts/artifacts/a.txt"
    headers = {"authorization": "Bearer viewer"}
    assert api.put(path, content=b"x", headers=headers).status_code == 403
    assert api.get(path, headers=headers).status_code == 404


def test_production_needs_an_operator(api):
    call(api, "trainer", "/registered-models/create", name="churn")
    call(api, "trainer", "/model-versions/create", name="churn", source="s3://bucket/model")
    move = {"name": "churn", "version": "1"}
    staged = call(api, "trainer", "/model-versions/transition-stage", stage="Staging", **move)
    refused = call(api, "trainer", "/model-versions/transition-stage", stage="Production", **move)
    alias = call(api, "trainer", "/registered-models/alias", alias="champion", **move)
    done = call(api, "owner", "/model-versions/transition-stage", stage="Production", **move)
    assert [a.status_code for a in (staged, refused, alias, done)] == [200, 403, 403, 200]


def test_changes_are_those_of_whoever_signed_in(api, store):
    call(api, "trainer", "/registered-models/create", name="churn")
    call(api, "trainer", "/model-versions/create", name="churn", source="s3://bucket/model")
    assert store.metadata.models.get_version("churn", 1).trained_by == "tom"
    assert {event.actor for event in store.metadata.models.list_stage_events("churn")} == {"tom"}


def test_a_foreign_host_or_page_is_refused(api):
    headers = {"authorization": "Bearer owner"}
    path, body = f"{V2}/runs/create", {"experiment_id": "0"}
    rebound = api.post(path, json=body, headers={**headers, "host": "evil.example"})
    foreign = api.post(path, json=body, headers={**headers, "origin": "http://evil.example"})
    fetched = api.post(path, json=body, headers={**headers, "sec-fetch-site": "cross-site"})
    own = api.post(path, json=body, headers=headers)
    assert [a.status_code for a in (rebound, foreign, fetched, own)] == [400, 403, 403, 200]
    assert own.headers["x-content-type-options"] == "nosniff"
    assert own.headers["x-frame-options"] == "DENY"


def test_the_user_of_a_run_is_whoever_signed_in_whatever_the_client_says(api, store):
    made = call(api, "owner", "/experiments/create", name="x").json()["experiment_id"]
    tags = [{"key": "mlflow.user", "value": "ghost"}]
    run = call(api, "trainer", experiment_id=made, user_id="ghost", tags=tags).json()["run"]
    assert store.metadata.runs.get(run["info"]["run_id"]).user == "tom"


@pytest.mark.parametrize("role", list(Role))
def test_each_route_is_for_the_roles_with_its_permission(store, role):
    who_asks = Identity("ann", {ANY_PROJECT: role.permissions}, "token 1")
    app = create_mlflow(hosts=("127.0.0.1",), authenticate=lambda _call: who_asks, store=store)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        for route in ROUTES:
            path = f"/api/{route.version}/mlflow{re.sub(r'{[^}]*}', 'x', route.path)}"
            answer = client.request(route.method, path)
            refused = answer.status_code == 403
            assert refused is (route.permission not in role.permissions), (path, answer.text)


def test_nobody_is_let_in_on_any_route(api):
    for route in ROUTES:
        path = f"/api/{route.version}/mlflow{re.sub(r'{[^}]*}', 'x', route.path)}"
        assert api.request(route.method, path).status_code == 401, path
    for path in ("/get-artifact", "/model-versions/get-artifact", "/v1/traces"):
        assert api.request("POST" if "traces" in path else "GET", path).status_code == 401
