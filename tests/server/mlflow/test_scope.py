"""Two teams in one store: what a role in one project does and sees through each route of MLflow's."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from litestar.testing import TestClient

from penstock.core import ANY_PROJECT, Identity, Permission, ProjectRecord, Role
from penstock.server.mlflow import create_mlflow, mlflow_routes
from penstock.server.mlflow._routes import ROUTES

V2, FILES = "/api/2.0/mlflow", "/api/2.0/mlflow-artifacts/artifacts"
OWNER = Identity("ora", {ANY_PROJECT: frozenset(Permission)}, "token 1")
POINT = {"key": "loss", "value": 0.5, "timestamp": 1, "step": 1}


@dataclass
class Team:
    """What a team has: names begin with the team's, and values with its secret."""

    name: str
    experiment_id: str = ""
    run_id: str = ""
    model_id: str = ""
    trace_id: str = ""
    assessment_id: str = ""
    dataset_id: str = ""

    @property
    def secret(self) -> str:
        return f"secret of {self.name}"


class Api:
    """The protocol, for whoever `identity` is."""

    def __init__(self, store):
        self.identity = OWNER
        app = create_mlflow(hosts=("127.0.0.1",), authenticate=self._who, store=store)
        self.http = TestClient(app, base_url="http://127.0.0.1")

    def _who(self, _call):
        return self.identity

    def __call__(self, method, path, /, **fields):
        named: dict[str, Any] = {"params" if method == "GET" else "json": fields}
        return self.http.request(method, path, **named)

    def post(self, path, /, **fields):
        answer = self("POST", V2 + path, **fields)
        assert answer.status_code == 200, answer.text
        return answer.json()


def furnish(api, team):
    """Make one thing of each kind."""
    secret = team.secret
    made = api.post(
        "/experiments/create", name=f"{team.name}-a", tags=[{"key": "k", "value": secret}]
    )
    team.experiment_id = made["experiment_id"]
    team.run_id = api.post("/runs/create", experiment_id=team.experiment_id, run_name=secret)[
        "run"
    ]["info"]["run_id"]
    api.post("/runs/set-tag", run_id=team.run_id, key="k", value=secret)
    api.post("/runs/log-parameter", run_id=team.run_id, key="p", value=secret)
    api.post("/runs/log-metric", run_id=team.run_id, **POINT)
    dataset = {"name": secret, "digest": "d", "source_type": "local", "source": "s"}
    api.post("/runs/log-inputs", run_id=team.run_id, datasets=[{"dataset": dataset}])
    made = api.post(
        "/logged-models", experiment_id=team.experiment_id, name="m", source_run_id=team.run_id,
        params=[{"key": "p", "value": secret}], tags=[{"key": "k", "value": secret}],
    )  # fmt: skip
    team.model_id = made["model"]["info"]["model_id"]
    api.post("/runs/outputs", run_id=team.run_id, models=[{"model_id": team.model_id}])
    api.post("/registered-models/create", name=f"{team.name}-m", description=secret,
             tags=[{"key": "k", "value": secret}])  # fmt: skip
    api.post("/model-versions/create", name=f"{team.name}-m", source=f"models:/{team.model_id}",
             description=secret, tags=[{"key": "k", "value": secret}])  # fmt: skip
    api.post("/registered-models/alias", name=f"{team.name}-m", alias="live", version="1")
    for folder in files_of(team):
        assert api.http.put(f"{FILES}/{folder}/a.txt", content=secret).status_code == 200
    number = int(team.experiment_id)
    team.trace_id = f"tr-{number:032x}"
    assert send_span(api, team).status_code == 200
    v3 = "/api/3.0/mlflow"
    said = {"assessment_name": "good", "feedback": {"value": secret}}
    made = api("POST", f"{v3}/traces/{team.trace_id}/assessments", assessment=said).json()
    team.assessment_id = made["assessment"]["assessment_id"]
    sent = {"name": secret, "experiment_ids": [team.experiment_id]}
    team.dataset_id = api("POST", f"{v3}/datasets/create", **sent).json()["dataset"]["dataset_id"]
    records = json.dumps([{"inputs": {"q": secret}}])
    api("POST", f"{v3}/datasets/{team.dataset_id}/records", records=records)
    scorer = {"experiment_id": team.experiment_id, "name": "s", "serialized_scorer": secret}
    assert api("POST", f"{v3}/scorers/register", **scorer).status_code == 200


def send_span(api, team, text=None):
    attributes = [{"key": "mlflow.spanInputs", "value": {"stringValue": text or team.secret}}]
    span = {
        "traceId": team.trace_id.removeprefix("tr-"), "spanId": "00f067aa0ba902b7", "name": "ask",
        "startTimeUnixNano": "1700000000000000000", "endTimeUnixNano": "1700000001000000000",
        "attributes": attributes,
    }  # fmt: skip
    headers = {"x-mlflow-experiment-id": team.experiment_id}
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    return api.http.post("/v1/traces", json=body, headers=headers)


def files_of(team):
    run = f"{team.experiment_id}/{team.run_id}/artifacts"
    return run, f"{team.experiment_id}/models/{team.model_id}/artifacts"


@pytest.fixture
def world(store):
    for name in ("red", "blue"):
        record = ProjectRecord(name, (name, f"{name}-*"), datetime(2026, 1, 1, tzinfo=UTC))
        store.metadata.projects.save(record)
    api = Api(store)
    teams = Team("red"), Team("blue")
    for team in teams:
        furnish(api, team)
    return api, *teams


def fields_for(route, team):
    """Return the fields with which a call of a route is about a team's things, and would be done."""
    experiment, run, model = (
        {"experiment_id": team.experiment_id}, {"run_id": team.run_id}, {"name": f"{team.name}-m"},
    )  # fmt: skip
    said = {"assessment_name": "good", "feedback": {"value": "new"}}
    version, tag = {**model, "version": "1"}, {"key": "k", "value": "new"}
    ids, places = [team.experiment_id], [{"mlflow_experiment": experiment}]
    trace = {"request_ids": [team.trace_id], "trace_ids": [team.trace_id]}
    known = {
        "/experiments/create": {"name": f"{team.name}-new"},
        "/experiments/get": experiment,
        "/experiments/get-by-name": {"experiment_name": f"{team.name}-a"},
        "/experiments/search": {"max_results": 100},
        "/experiments/update": {**experiment, "new_name": f"{team.name}-b"},
        "/experiments/delete": experiment,
        "/experiments/restore": experiment,
        "/experiments/set-experiment-tag": {**experiment, **tag},
        "/experiments/delete-experiment-tag": {**experiment, "key": "k"},
        "/experiments/search-datasets": {"experiment_ids": ids},
        "/runs/create": experiment,
        "/runs/search": {"experiment_ids": ids},
        "/runs/log-metric": {**run, **POINT, "step": 2},
        "/runs/log-parameter": {**run, "key": "q", "value": "new"},
        "/runs/log-batch": {**run, "metrics": [{**POINT, "step": 3}], "tags": [tag]},
        "/runs/set-tag": {**run, **tag},
        "/runs/delete-tag": {**run, "key": "k"},
        "/runs/log-inputs": {**run, "models": [{"model_id": team.model_id}]},
        "/runs/outputs": {**run, "models": [{"model_id": team.model_id, "step": 2}]},
        "/runs/log-model": {**run, "model_json": json.dumps({
            "run_id": team.run_id, "artifact_path": "x", "utc_time_created": "now",
            "flavors": {"a": {}}})},
        "/metrics/get-history": {**run, "metric_key": "loss"},
        "/metrics/get-history-bulk": {**run, "metric_key": "loss"},
        "/metrics/get-history-bulk-interval": {"run_ids": team.run_id, "metric_key": "loss",
                                               "max_results": 10},
        "/logged-models": {**experiment, "name": "n"},
        "/logged-models/search": {"experiment_ids": ids},
        "/logged-models/{model_id:str}": {"model_id": team.model_id, "status": "LOGGED_MODEL_READY"},
        "/logged-models/{model_id:str}/params": {"params": [{"key": "q", "value": "1"}]},
        "/logged-models/{model_id:str}/tags": {"tags": [tag]},
        "/registered-models/create": {"name": f"{team.name}-n"},
        "/registered-models/rename": {**model, "new_name": f"{team.name}-r"},
        "/registered-models/search": {},
        "/registered-models/set-tag": {**model, **tag},
        "/registered-models/delete-tag": {**model, "key": "k"},
        "/registered-models/alias": {**model, "alias": "live", "version": "1"},
        "/model-versions/create": {**model, "source": f"models:/{team.model_id}"},
        "/model-versions/transition-stage": {**version, "stage": "Staging"},
        "/model-versions/search": {},
        "/model-versions/set-tag": {**version, **tag},
        "/model-versions/delete-tag": {**version, "key": "k"},
        "/traces": {"trace": {"trace_info": {
            "trace_id": team.trace_id, "trace_location": places[0], "state": "OK",
            "request_time": "2026-01-01T00:00:00Z"}}},
        "/traces/search": {"locations": places},
        "/traces/get": {"trace_id": team.trace_id},
        "/traces/{trace_id:str}/tags": tag,
        "/traces/delete-traces": {**experiment, **trace},
        "/traces/link-to-run": {**run, **trace},
        "/traces/link-prompts": {**trace, "trace_id": team.trace_id},
        "/traces/calculate-filter-correlation": {
            "experiment_ids": ids, "filter_string1": "name = 'ask'", "filter_string2": "name = 'a'"},
        "/traces/{trace_id:str}/assessments": {"assessment": said},
        "/traces/{trace_id:str}/assessments/{assessment_id:str}": {
            "assessment": said, "update_mask": "feedback"},
        "/datasets/create": {"name": "new", "experiment_ids": ids},
        "/datasets/search": {"experiment_ids": ids},
        "/datasets/{dataset_id:str}/tags": {"tags": '{"k": "new"}'},
        "/datasets/{dataset_id:str}/records": {
            "records": '[{"inputs": {"q": "new"}}]', "dataset_record_ids": ["dr-1"]},
        "/datasets/{dataset_id:str}/add-experiments": {"experiment_ids": ids},
        "/datasets/{dataset_id:str}/remove-experiments": {"experiment_ids": ["4711"]},
        "/scorers/register": {**experiment, "name": "n", "serialized_scorer": "{}"},
        "/scorers/list": experiment,
    }  # fmt: skip
    if route.path.startswith("/datasets/") and route.method == "GET" and "{" in route.path:
        return {}
    found = known.get(route.path)
    if found is None:
        rest = {
            "/scorers": {**experiment, "name": "s"},
            "/runs": run,
            "/registered-models": model,
            "/model-versions": version,
        }
        found = rest.get(f"/{route.path.split('/')[1]}", {**run, **trace, "path": ""})
    return dict(found)


def call(api, route, team):
    named = {
        "model_id:str": team.model_id, "trace_id:str": team.trace_id, "tag_key:path": "k",
        "assessment_id:str": team.assessment_id, "dataset_id:str": team.dataset_id,
    }  # fmt: skip
    path = re.sub(r"{([^}]*)}", lambda part: named[part[1]], route.path)
    return api(route.method, f"/api/{route.version}/mlflow{path}", **fields_for(route, team))


def someone(role, *projects):
    return Identity("ann", dict.fromkeys(projects, role.permissions), "token 2")


def state_of(api, store, team):
    """Return all that a team has, as its own."""
    api.identity = OWNER
    kept = [call(api, route, team).text for route in ROUTES if route.permission is Permission.READ]
    files = [api.http.get(f"{FILES}/{folder}/a.txt").text for folder in files_of(team)]
    events = [event.to_stage for event in store.metadata.models.list_stage_events(f"{team.name}-m")]
    return kept, files, events


READING = [route for route in ROUTES if route.permission is Permission.READ]
# What takes a thing away comes last.
CHANGING = sorted(
    (route for route in ROUTES if route.permission is not Permission.READ),
    key=lambda r: (r.method == "DELETE") + 2 * (r.path.rpartition("/")[2] in {"delete", "rename"}),
)


@pytest.mark.parametrize("role", list(Role))
def test_no_route_shows_or_changes_what_another_project_has(world, store, role):
    api, red, blue = world
    before = state_of(api, store, blue)
    api.identity = someone(role, "red")

    for route in ROUTES:
        answer = call(api, route, blue)
        assert answer.status_code in {200, 403, 404}, (route.path, answer.text)
        assert "blue" not in answer.text or answer.status_code in {403, 404}, answer.text
        assert blue.secret not in answer.text, route.path
        if answer.status_code == 200:
            # What is not there is deleted already, and what is not one's own is not there.
            deletes = route.method == "DELETE" or "delete" in route.path
            assert route.permission is Permission.READ or deletes, route.path
    assert send_span(api, blue, "forged").status_code in {403, 404}
    assert send_span(api, Team("red", red.experiment_id, trace_id=blue.trace_id), "forged").status_code in {403, 404}  # fmt: skip
    for folder in files_of(blue):
        assert api.http.get(f"{FILES}/{folder}/a.txt").status_code in {403, 404}
        assert api.http.put(f"{FILES}/{folder}/b.txt", content="forged").status_code in {403, 404}
        api.http.delete(f"{FILES}/{folder}/a.txt")
        assert "a.txt" not in api("GET", FILES, path=folder).text
    for path, fields in (
        ("/get-artifact", {"run_id": blue.run_id, "path": "a.txt"}),
        ("/model-versions/get-artifact", {"name": "blue-m", "version": "1", "path": "a.txt"}),
    ):
        assert api("GET", path, **fields).status_code in {403, 404}

    assert state_of(api, store, blue) == before


@pytest.mark.parametrize("role", list(Role))
def test_in_ones_own_project_each_route_does_what_the_role_allows(world, role):
    api, red, _ = world
    api.identity = someone(role, "red")
    for route in [*READING, *CHANGING]:
        answer = call(api, route, red)
        allowed = route.permission in role.permissions
        gone = answer.status_code == 404 and route in CHANGING  # by a call before it
        assert (answer.status_code == 200 or gone) if allowed else answer.status_code == 403, (
            f"{route.method} {route.path}: {answer.status_code} {answer.text}"
        )


def test_what_may_be_read_and_not_changed_is_refused_and_not_denied(world):
    api, red, blue = world
    api.identity = Identity(
        "ann", {"red": Role.TRAINER.permissions, "blue": Role.VIEWER.permissions}, "token 2"
    )
    assert red.secret in call(api, ROUTES[1], red).text
    assert blue.secret in call(api, ROUTES[1], blue).text
    for path in ("/runs/set-tag", "/experiments/set-experiment-tag", "/registered-models/set-tag"):
        [route] = [each for each in ROUTES if each.path == path]
        assert call(api, route, red).status_code == 200
        assert call(api, route, blue).status_code in {403, 404}, path


def test_lists_have_what_ones_project_has(world):
    api, red, _ = world
    api.identity = someone(Role.VIEWER, "red")
    found = api.post("/experiments/search", max_results=100)["experiments"]
    assert [each["name"] for each in found] == ["red-a"]
    models = api("GET", f"{V2}/registered-models/search").json()["registered_models"]
    assert [each["name"] for each in models] == ["red-m"]
    ids = [red.experiment_id, str(int(red.experiment_id) + 1), "0"]
    runs = api.post("/runs/search", experiment_ids=ids)["runs"]
    assert [each["info"]["run_id"] for each in runs] == [red.run_id]


def test_a_model_is_not_renamed_into_another_project(world):
    api, _, _ = world
    api.identity = someone(Role.TRAINER, "red")
    answer = api("POST", f"{V2}/registered-models/rename", name="red-m", new_name="blue-n")
    assert answer.status_code == 403


def test_a_version_is_not_made_of_files_of_another_project(world):
    api, _, blue = world
    api.identity = someone(Role.TRAINER, "red")
    for source, of in (
        (f"models:/{blue.model_id}", {}),
        (f"runs:/{blue.run_id}", {"run_id": blue.run_id}),
        (f"mlflow-artifacts:/{files_of(blue)[0]}", {"run_id": blue.run_id}),
    ):
        api("POST", f"{V2}/model-versions/create", name="red-m", source=source, **of)
    versions = api("GET", f"{V2}/model-versions/search").json()["model_versions"]
    for each in versions:
        if each["version"] != "1":
            shown = {"name": "red-m", "version": each["version"], "path": "a.txt"}
            assert api("GET", "/model-versions/get-artifact", **shown).status_code == 404


def test_production_of_ones_own_project_needs_an_operator_there(world):
    api, _, _ = world
    move = {"name": "red-m", "version": "1", "stage": "Production"}
    api.identity = someone(Role.TRAINER, "red")
    assert api("POST", f"{V2}/model-versions/transition-stage", **move).status_code == 403
    api.identity = Identity(
        "ann", {"red": Role.TRAINER.permissions, "blue": Role.ADMIN.permissions}, "token 2"
    )
    assert api("POST", f"{V2}/model-versions/transition-stage", **move).status_code == 403
    api.identity = someone(Role.ADMIN, "red")
    assert api("POST", f"{V2}/model-versions/transition-stage", **move).status_code == 200


def test_files_that_belong_to_nobody_are_for_roles_in_all_projects(world):
    api, _, _ = world
    assert api.http.put(f"{FILES}/loose/a.txt", content="x").status_code == 200
    api.identity = someone(Role.ADMIN, "red")
    assert api.http.get(f"{FILES}/loose/a.txt").status_code in {403, 404}
    assert api.http.put(f"{FILES}/loose/b.txt", content="x").status_code in {403, 404}
    assert "a.txt" not in api("GET", FILES, path="loose").text


def test_every_route_of_the_server_is_checked():
    """Beside the table there are the files, the spans and what is open to all."""
    paths = {path for route in mlflow_routes().routes for path in [route.path]}
    table = {f"/{p}/{r.version}/mlflow{r.path}" for r in ROUTES for p in ("api", "ajax-api")}
    others = {
        "/health", "/version", "/v1/traces", "/get-artifact", "/model-versions/get-artifact",
        *(f"/{p}/3.0/mlflow/server-info" for p in ("api", "ajax-api")),
        *(f"/{p}/2.0/mlflow-artifacts/artifacts{rest}" for p in ("api", "ajax-api")
          for rest in ("", "/{path:path}")),
        *(f"/{p}/2.0/mlflow/{rest}" for p in ("api", "ajax-api")
          for rest in ("upload-artifact", "logged-models/{model_id:str}/artifacts/files")),
    }  # fmt: skip
    assert paths == table | others
