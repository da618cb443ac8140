"""The model server in a store with users: each route asks for its permission in the model's project."""

from typing import Any

import pytest
from litestar.testing import TestClient

from penstock.core import Permission, Role
from penstock.people import Projects, Tokens, Users
from penstock.serving import create_app
from penstock.serving._routes import Route

MODEL = "big-tips"


@pytest.fixture
def team(served: Any) -> Any:
    Projects(store=served.store).add("tips", names=["big-*"])
    Projects(store=served.store).add("other")
    users = Users(store=served.store)
    users.add("root", role="admin")
    for role in Role:
        users.add(role.value, role=role, project="tips")
    users.add("stranger", role="admin", project="other")
    return served.store


def bearer(store: Any, user: str) -> dict[str, str]:
    return {"authorization": f"Bearer {Tokens(store=store).create(user).secret.reveal()}"}


def routes(row: dict[str, Any]) -> list[tuple[str, str, Any, Permission | None]]:
    infer: dict[str, Any] = {"inputs": []}
    truth = {"prediction_id": "x", "truth": "yes"}
    rows = {"rows": [row]}
    read = Permission.READ
    return [
        ("GET", f"/models/{MODEL}", None, read),
        ("POST", f"/models/{MODEL}/predict", rows, read),
        ("POST", f"/models/{MODEL}/explain", rows, read),
        ("POST", f"/models/{MODEL}/truth", truth, Permission.OPERATE),
        ("GET", "/v2", None, read),
        ("GET", "/v2/health/live", None, None),
        ("GET", "/v2/health/ready", None, None),
        ("GET", f"/v2/models/{MODEL}", None, read),
        ("GET", f"/v2/models/{MODEL}/ready", None, read),
        ("POST", f"/v2/models/{MODEL}/infer", infer, read),
        ("GET", f"/v2/models/{MODEL}/versions/1", None, read),
        ("GET", f"/v2/models/{MODEL}/versions/1/ready", None, read),
        ("POST", f"/v2/models/{MODEL}/versions/1/infer", infer, read),
        ("GET", "/metrics", None, read),
    ]


def test_every_route_for_every_role_a_stranger_and_nobody(team: Any, row: Any) -> None:
    headers = {role: bearer(team, role.value) for role in Role}
    other = bearer(team, "stranger")
    with TestClient(create_app(names=[MODEL], store=team)) as client:
        for method, path, body, permission in routes(row):

            def ask(sent: Any, to: Any = (method, path, body)) -> int:
                return client.request(to[0], to[1], json=to[2], headers=sent).status_code

            assert (ask({}) == 401) is (permission is not None), path
            for role in Role:
                is_allowed = permission is None or permission in role.permissions
                assert (ask(headers[role]) != 403) is is_allowed, (path, role)
            is_open = permission is None or "big-tips" not in path
            assert (ask(other) != 403) is is_open, path


def test_a_wrong_token_is_no_token(team: Any, row: Any) -> None:
    with TestClient(create_app(names=[MODEL], store=team)) as client:
        for sent in ("Bearer x", "Bearer pst_0123456789_" + "A" * 43, "Basic x", "x"):
            answer = client.post(
                f"/models/{MODEL}/predict", json={"row": row}, headers={"authorization": sent}
            )
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_revoked_token_is_refused_after_a_second(team: Any, row: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("penstock.serving._admission._KNOWN_S", 0.0)
    sent = bearer(team, "viewer")
    with TestClient(create_app(names=[MODEL], store=team)) as client:
        assert client.get("/metrics", headers=sent).status_code == 200
        Tokens(store=team).revoke(sent["authorization"].split()[1])
        assert client.get("/metrics", headers=sent).status_code == 401


def test_behind_a_gateway_nobody_is_asked(team: Any, row: Any) -> None:
    with TestClient(create_app(names=[MODEL], anonymous=True, store=team)) as client:
        assert client.post(f"/models/{MODEL}/predict", json={"row": row}).status_code == 200


def test_a_route_that_does_not_say_who_may_use_it_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="permission"):
        Route("x", "GET", "x", None, None)  # type: ignore[call-arg] # what is forgotten
