"""The API answers what it describes, to whom it may, and never fails because of what it is sent."""

import asyncio
import json
import random
import re
import socket
import struct
from types import SimpleNamespace

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.server.serving import serving

from penstock.core import (
    ANY_PROJECT,
    Identity,
    Permission,
    ProjectRecord,
    Role,
    StepRunRecord,
    digest_bytes,
    now,
    tls_context,
)
from penstock.server import describe_api
from penstock.server.api import create_api
from penstock.stores import open_store
from penstock.stores.rest import operations
from penstock.stores.rest._wire import wire_of
from penstock.testing._records import a_prediction, a_run, a_step, a_version

ROLES = {role.value: role.permissions for role in Role}


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as store:
        yield store


@pytest.fixture
def client(store):
    with (
        serving(store) as url,
        httpx.Client(base_url=f"{url}/api/v1/", verify=tls_context(url)) as client,
    ):
        yield client


def by_token(call):
    """A token is the name of a role; nobody else is known."""
    name = (call.header(b"authorization") or "").removeprefix("Bearer ")
    if name not in ROLES:
        return None
    return Identity(name, {ANY_PROJECT: ROLES[name]}, attested=f"token {name}")


def by_project(call):
    """Ada trains churn, and reads fraud."""
    del call
    churn, fraud = ROLES["trainer"], ROLES["viewer"]
    return Identity("ada", {"churn": churn, "fraud": fraud}, attested="token ada")


@pytest.fixture
def team(store):
    with (
        serving(store, authenticate=by_token) as url,
        httpx.Client(base_url=f"{url}/api/v1/", verify=tls_context(url)) as client,
    ):
        yield client


def asking(client, path, role=None, body=None):
    headers = {} if role is None else {"authorization": f"Bearer {role}"}
    return client.post(path, json=body or {}, headers=headers)


def test_a_search_is_asked_by_query_or_by_body_with_one_answer(client, store):
    run = a_run()
    store.metadata.runs.create(run)
    by_query = client.get("runs/search", params={"limit": 5, "order_by": "created_at"})
    by_body = client.post("runs/search", json={"limit": 5, "order_by": "created_at"})
    assert by_query.status_code == by_body.status_code == 200
    assert by_query.json() == by_body.json()
    assert [each["run_id"] for each in by_body.json()["result"]] == [run.run_id]


def test_an_error_says_what_why_and_how_to_fix_it(client):
    answer = client.get("runs/get", params={"run_id": "nobody"})
    assert answer.status_code == 404
    error = answer.json()["error"]
    assert (error["type"], answer.headers["penstock-error"]) == ("NotFoundError", "NotFoundError")
    assert "nobody" in error["what"]


@pytest.mark.parametrize(
    ("path", "status"),
    [("runs/serch", 404), ("nothing", 404), ("bytes/a/b", 404), ("runs/create", 405)],
)
def test_what_is_no_operation_is_said(client, path, status):
    assert client.get(path).status_code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 400),
        ({"origin": "http://evil.example"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"content-type": "text/plain"}, 415),
        ({"content-encoding": "gzip"}, 415),
    ],
)
def test_a_foreign_page_changes_nothing(client, store, headers, status):
    body = json.dumps({"name": "x"})
    sent = {"content-type": "application/json", **headers}
    answer = client.post("runs/create-experiment", content=body, headers=sent)
    assert answer.status_code == status
    assert store.metadata.runs.list_experiments() == []


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b"\xff", b'{"limit": NaN}', b"[" * 100_000, b'{"a":' * 100_000, b"1" * 5000],
)
def test_a_body_that_is_no_json_is_a_fault_of_the_sender(client, body):
    headers = {"content-type": "application/json"}
    assert client.post("runs/search", content=body, headers=headers).status_code == 400


def test_a_body_that_is_too_long_is_refused_before_it_is_read(client):
    host, port = client.base_url.host, client.base_url.port
    head = (
        f"POST /api/v1/runs/search HTTP/1.1\r\nhost: {host}:{port}\r\n"
        f"content-type: application/json\r\ncontent-length: {1 << 40}\r\n\r\n"
    )
    with socket.create_connection((host, port), timeout=10) as raw:
        raw.sendall(head.encode())
        assert b" 413 " in raw.recv(100)


def test_a_repeated_request_acts_once(client, store):
    run = a_run()
    store.metadata.runs.create(run)
    line = {"time": "2026-01-31T00:00:00Z", "stream": "stdout", "text": "once"}
    body = {"run_id": run.run_id, "lines": [line]}
    for _ in range(3):
        answer = client.post("steps/add-logs", json=body, headers={"idempotency-key": "1"})
        assert answer.json() == {"result": None}
    client.post("steps/add-logs", json=body, headers={"idempotency-key": "2"})
    assert len(store.metadata.steps.list_logs(run.run_id)) == 2


# People


def test_nobody_sees_anything_without_a_token(team):
    for verbs in operations().values():
        for operation in verbs.values():
            assert asking(team, operation.path).status_code == 401
    for path in ("store", "openapi.json", "bytes/x"):
        assert team.get(path).status_code == 401
    assert team.post("bytes", content=b"x").status_code == 401


@pytest.mark.parametrize("role", Role)
def test_each_role_may_call_what_its_permissions_say_and_nothing_else(team, role):
    for verbs in operations().values():
        for operation in verbs.values():
            refused = asking(team, operation.path, role.value).status_code == 403
            assert refused is (operation.rule.permission not in role.permissions), operation.path
    headers = {"authorization": f"Bearer {role.value}", "content-type": "application/octet-stream"}
    answer = team.post("bytes", content=b"x", headers=headers)
    assert (answer.status_code == 403) is (Permission.WRITE not in role.permissions)


def test_the_actor_is_whoever_signed_in_whatever_the_request_says(team, store):
    run = a_run(user="mallory")
    form = wire_of(type(run)).write(run)
    assert asking(team, "runs/create", "trainer", {"run": form}).status_code == 200
    assert store.metadata.runs.get(run.run_id).user == "trainer"
    version = a_version(run_id=run.run_id, trained_by="mallory")
    body = {"version": wire_of(type(version)).write(version), "actor": "mallory"}
    assert asking(team, "models/create-version", "trainer", body).status_code == 200
    [found] = store.metadata.models.list_versions(version.model)
    assert found.trained_by == "trainer"
    body = {"name": "single_user", "value": "true", "actor": "mallory"}
    assert asking(team, "settings/set", "trainer", body).status_code == 403
    assert asking(team, "settings/set", "admin", body).status_code == 200
    assert [each.actor for each in store.metadata.models.list_stage_events("(store)")] == ["admin"]


def test_a_viewer_cannot_move_a_version_to_any_stage(team, store):
    version = store.metadata.models.create_version(a_version(), actor="ada")
    for stage in ("staging", "production", "rejected"):
        move = {
            "model": version.model,
            "version": 1,
            "from_stage": "none",
            "to_stage": stage,
            "actor": "x",
            "reason": "",
            "at": "2026-01-31T00:00:00Z",
        }
        body = {"moves": [move], "expected": {"1": 1}}
        assert asking(team, "models/move-stages", "viewer", body).status_code == 403


@pytest.fixture
def ada(store):
    for name in ("churn", "fraud", "rest"):
        store.metadata.runs.create(a_run(run_id=f"r-{name}", experiment=f"{name}-1"))
        store.metadata.models.create_version(a_version(model=f"{name}-1"), actor="x")
        store.metadata.steps.start(a_step(f"r-{name}", step_run_id=f"s-{name}"))
    for name in ("churn", "fraud"):
        store.metadata.projects.save(ProjectRecord(name, (f"{name}-*",), now()))
    with (
        serving(store, authenticate=by_project) as url,
        httpx.Client(base_url=f"{url}/api/v1/", verify=tls_context(url)) as client,
    ):
        yield client


@pytest.mark.parametrize(
    ("path", "body", "allowed"),
    [
        ("runs/get", {"run_id": "r-churn"}, True),
        ("runs/get", {"run_id": "r-fraud"}, True),
        ("runs/get", {"run_id": "r-rest"}, False),
        ("runs/update", {"run_id": "r-rest", "note": "x"}, False),
        ("steps/list", {"run_id": "r-rest"}, False),
        ("steps/list-logs", {"step_run_id": "r-rest"}, False),
        ("steps/list-logs", {"step_run_id": "s-rest"}, False),
        ("steps/list-logs", {"step_run_id": "s-churn"}, True),
        ("bytes/list", {}, False),
        ("runs/search", {"experiment": "fraud-1"}, True),
        ("runs/search", {"experiment": "rest-1"}, True),
        ("runs/search", {}, True),
        ("runs/set-tags", {"run_id": "r-churn", "tags": {"a": "b"}}, True),
        ("runs/set-tags", {"run_id": "r-fraud", "tags": {"a": "b"}}, False),
        ("runs/update", {"run_id": "r-churn", "experiment": "churn-2"}, True),
        ("runs/update", {"run_id": "r-churn", "name": "best so far"}, True),
        ("runs/update", {"run_id": "r-churn", "experiment": "rest-1"}, False),
        ("runs/create-experiment", {"name": "churn-9"}, True),
        ("runs/create-experiment", {"name": "fraud-9"}, False),
        ("runs/rename-experiment", {"name": "churn-1", "to": "rest-9"}, False),
        ("metrics/copy", {"source": "r-fraud", "target": "r-churn"}, False),
        ("metrics/history", {"run_id": "r-rest", "key": "loss"}, False),
        ("models/list-versions", {"model": "fraud-1"}, True),
        ("models/list-versions", {"model": "rest-1"}, False),
        ("models/set-tags", {"model": "fraud-1", "tags": {}}, False),
        ("models/search", {}, True),
        ("artifacts/list", {"run_id": "r-rest"}, False),
        ("artifacts/list-edges", {"node": "run:r-rest", "direction": "up"}, False),
        ("deployments/list", {}, True),
        ("documents/list", {"kind": "x"}, False),
        ("settings/get", {"name": "x"}, True),
    ],
)
def test_a_permission_holds_in_its_project_only(ada, path, body, allowed):
    answer = ada.post(path, json=body)
    # What may not be seen is unknown.
    is_unknown = any(f"There is no run '{each}-rest'" in answer.text for each in "rs")
    refused = answer.status_code == 403 or is_unknown
    if not refused and answer.status_code >= 400:
        # The store refuses for a reason of its own: whoever got there was let in.
        assert allowed, answer.text
    assert refused is not allowed, answer.text


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("runs/get", {"run_id": "ID"}),
        ("runs/set-tags", {"run_id": "ID", "tags": {"a": "b"}}),
        ("runs/update", {"run_id": "ID", "note": "x"}),
        ("steps/list", {"run_id": "ID"}),
        ("steps/list-logs", {"step_run_id": "ID"}),
        ("artifacts/list", {"run_id": "ID"}),
        ("artifacts/list-proofs", {"run_id": "ID"}),
        ("artifacts/list-edges", {"node": "run:ID", "direction": "up"}),
        ("metrics/history", {"run_id": "ID", "key": "loss"}),
        ("metrics/copy", {"source": "ID", "target": "r-churn"}),
        ("predictions/get", {"prediction_id": "ID"}),
        ("steps/start", {"step": wire_of(StepRunRecord).write(a_step("ID", step_run_id="s"))}),
    ],
)
def test_a_hidden_id_and_an_unknown_one_get_the_same_answer(ada, store, path, body):
    store.metadata.predictions.add([a_prediction("r-rest", deployment="rest-1", model="rest-1")])
    answers = []
    for run_id in ("r-rest", "r-none"):
        sent = json.loads(json.dumps(body).replace("ID", run_id))
        answer = ada.post(path, json=sent)
        answers.append((answer.status_code, answer.text.replace(run_id, "ID")))
    assert answers[0] == answers[1]
    assert answers[0][0] == 404


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("models/list-versions", {}),
        ("models/get-version", {"version": 1}),
        ("models/set-tags", {"tags": {}}),
        ("models/list-stage-events", {}),
    ],
)
def test_a_name_is_refused_for_its_project_whether_there_is_such_a_thing_or_not(ada, path, more):
    answers = [
        ada.post(path, json={"model": name, **more}).text for name in ("rest-1", "rest-none")
    ]
    assert answers[0] == answers[1]
    assert "has no permission" in answers[0]


def test_lists_and_searches_return_what_may_be_seen(ada):
    seen = {"churn-1", "fraud-1"}
    runs = ada.post("runs/search", json={}).json()["result"]
    assert {each["experiment"] for each in runs} == seen
    assert ada.post("runs/count", json={}).json()["result"] == 2
    assert set(ada.post("runs/list-experiments", json={}).json()["result"]) == seen
    assert set(ada.post("models/list", json={}).json()["result"]) == seen
    assert {e["model"] for e in ada.post("models/search", json={}).json()["result"]} == seen
    # A typo gets no name proposed that is another team's.
    assert "rest-1" not in ada.post("models/list-versions", json={"model": "fraud-l"}).text


def test_a_new_run_belongs_to_the_project_of_its_experiment(ada):
    for experiment, status in (("churn-3", 200), ("fraud-3", 403), ("other", 403)):
        run = a_run(experiment=experiment)
        body = {"run": wire_of(type(run)).write(run)}
        assert ada.post("runs/create", json=body).status_code == status


# Bytes


def test_bytes_that_are_not_what_was_said_are_not_stored(client, store):
    headers = {"content-type": "application/octet-stream"}
    wrong = digest_bytes(b"other")
    for data in (b"rows", b"x" * (3 << 20)):
        answer = client.post("bytes", params={"digest": wrong}, content=data, headers=headers)
        assert answer.status_code == 400
    assert store.artifacts.list() == []


@pytest.mark.parametrize("is_declared", [True, False])
@pytest.mark.parametrize("size", [1001, 3 << 20])
def test_an_upload_that_is_too_long_leaves_nothing(store, tmp_path, monkeypatch, size, is_declared):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    headers = {"content-type": "application/octet-stream"}
    data = b"x" * size
    with serving(store, max_artifact_size=1000) as url:
        content = data if is_declared else iter([data[:500], data[500:]])
        answer = httpx.post(
            f"{url}/api/v1/bytes", content=content, headers=headers, verify=tls_context(url)
        )
        assert answer.status_code == 413, answer.text
        assert "longer than 1,000 bytes" in answer.json()["error"]["what"]
        batch = struct.pack(">Q", size) + data
        many = httpx.post(
            f"{url}/api/v1/bytes/write-many",
            content=batch,
            headers=headers,
            verify=tls_context(url),
        )
        assert many.status_code == 413
        assert httpx.post(
            f"{url}/api/v1/bytes", content=b"x" * 1000, headers=headers, verify=tls_context(url)
        ).is_success
    assert store.artifacts.list() == [digest_bytes(b"x" * 1000)]
    assert list(tmp_path.glob("penstock-upload-*")) == []


@pytest.mark.parametrize("is_declared", [True, False])
def test_an_upload_without_room_is_refused_and_leaves_nothing(
    store, tmp_path, monkeypatch, is_declared
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(
        "shutil.disk_usage", lambda _: SimpleNamespace(total=1 << 50, free=67 << 20)
    )
    headers = {"content-type": "application/octet-stream"}
    parts = [b"x" * (1 << 20)] * 4
    with serving(store) as url:
        content = b"".join(parts) if is_declared else iter(parts)
        answer = httpx.post(
            f"{url}/api/v1/bytes", content=content, headers=headers, verify=tls_context(url)
        )
    assert answer.status_code == 507, answer.text
    assert "no room" in answer.json()["error"]["what"]
    assert store.artifacts.list() == []
    assert list(tmp_path.glob("penstock-upload-*")) == []


def test_a_batch_that_ends_inside_a_value_is_refused(client, store):
    headers = {"content-type": "application/octet-stream"}
    for body in (b"\0" * 7, b"\0" * 7 + b"\5abc", b"\xff" * 8 + b"abc"):
        answer = client.post("bytes/write-many", content=body, headers=headers)
        assert answer.status_code == 400
    assert store.artifacts.list() == []


def test_what_is_no_digest_is_never_a_path(client, tmp_path):
    (tmp_path / "secret").write_text("canary")
    bad = ["..%2fpenstock.db", "%2e%2e%2fsecret", "..%5csecret", "%252e%252e%252fsecret", "~", ".."]
    bad += ["sha256:" + "0" * 63 + end for end in ("/", "%2f", "%00", "..", "g", "")]
    for name in bad:
        answer = httpx.get(f"{client.base_url}bytes/{name}")
        assert answer.status_code in {400, 404}
        assert "canary" not in answer.text


def test_missing_bytes_are_not_found(client):
    digest = digest_bytes(b"none")
    for path in ("verify", "written-at"):
        assert client.get(f"bytes/{path}", params={"digest": digest}).status_code == 404
    assert client.get(f"bytes/{digest}").status_code == 404


# The description


def test_the_description_names_every_operation_with_its_permission_and_all_it_refers_to():
    described = describe_api()
    paths = described["paths"]
    for verbs in operations().values():
        for operation in verbs.values():
            post = paths[f"/api/v1/{operation.path}"]["post"]
            assert post["x-permission"] == operation.rule.permission.value
            assert post["summary"]
    names = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(described)))
    assert names <= set(described["components"]["schemas"])
    ids = [each["operationId"] for path in paths.values() for each in path.values()]
    assert len(ids) == len(set(ids))


# Whatever is sent

ODD = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=30)
    | st.sampled_from(
        ["", "last", "*", "NaN", "sha256:", "'", '"', "1e999", "params.x", "..", "\0"]
    )
    | st.sampled_from(["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "2026-01-31T00:00Z"])
    | st.just({"$": "datetime", "v": "x"})
    | st.lists(st.integers(), max_size=2)
    | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2)
)


def fitting(schema, parts):
    """Values that fit a schema, mostly: so that calls reach the store."""
    if "$ref" in schema:
        return fitting(parts[schema["$ref"].rpartition("/")[2]], parts)
    if "anyOf" in schema:
        return st.one_of([fitting(each, parts) for each in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "prefixItems" in schema:
        return st.tuples(*[fitting(each, parts) for each in schema["prefixItems"]]).map(list)
    kind = schema.get("type")
    if kind == "array":
        return st.lists(fitting(schema["items"], parts), max_size=2)
    if kind == "object" and "properties" in schema:
        known = {name: fitting(each, parts) for name, each in schema["properties"].items()}
        needed = {name: known[name] for name in schema.get("required", ())}
        rest = {name: each for name, each in known.items() if name not in needed}
        return st.fixed_dictionaries(needed, optional=rest)
    simple = {
        "string": st.text(max_size=8) | st.sampled_from(["r1", "m", "last", "AAAAAAAAAAA="]),
        "integer": st.integers(-2, 3) | st.sampled_from([2**31, 2**63, -(2**63) - 1]),
        "number": st.floats(allow_nan=False, allow_infinity=False),
        "boolean": st.booleans(),
        "null": st.none(),
        "object": st.dictionaries(st.text(max_size=3), ODD, max_size=2),
    }
    if schema.get("format") == "date-time":
        return st.sampled_from(["0001-01-01T00:00:00Z", "2026-01-31T00:00:00Z"])
    return simple.get(kind, ODD)


PARTS = describe_api()["components"]["schemas"]
CALLS = [operation for verbs in operations().values() for operation in verbs.values()]


@st.composite
def requests(draw):
    operation = draw(st.sampled_from(CALLS))
    body = dict(draw(fitting(operation.body, PARTS)))
    for name in draw(st.lists(st.sampled_from([*operation.parameters, "x"]), max_size=1)):
        body[name] = draw(ODD)
    return operation, body


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    """The application itself, as fast as it goes."""
    folder = tmp_path_factory.mktemp("fuzzed")
    with open_store(f"sqlite:///{folder}/penstock.db") as store:
        store.metadata.runs.create(a_run(run_id="r1"))
        store.metadata.models.create_version(a_version(model="m"), actor="ada")
        yield create_api(store=store)


def answer_of(app, operation, body, key):
    """Call the application as a server does."""
    data = json.dumps(body).encode()
    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    headers += [(b"idempotency-key", key)] if key else []
    scope = {
        "type": "http",
        "method": "POST",
        "path": f"/api/v1/{operation.path}",
        "query_string": b"",
        "headers": headers,
    }
    sent = []

    async def receive():
        return {"type": "http.request", "body": data, "more_body": False}

    async def send(message):
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], sent[1]["body"]


@settings(max_examples=400, deadline=None)
@given(sent=requests(), key=st.sampled_from([b"", b"one"]))
def test_no_body_makes_the_server_fail(door, sent, key):
    status, text = answer_of(door, sent[0], sent[1], key)
    assert status < 500, text
    document = json.loads(text)
    if status == 200:
        sent[0].result.read(document["result"], "result")  # the answer is as described
    else:
        assert document["error"]["what"]


def test_no_bytes_make_the_server_fail(door):
    dice = random.Random(7)
    for _ in range(300):
        operation = dice.choice(CALLS)
        data = bytearray(json.dumps(dict.fromkeys(operation.parameters)).encode())
        for _ in range(3):
            data[dice.randrange(len(data))] = dice.randrange(256)
        status, _ = answer_of(door, operation, data.decode("latin-1"), b"")
        assert status < 500
