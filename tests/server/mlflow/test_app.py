"""The wire rules of MLflow's protocol, as its specification has them, over HTTP."""

import json
from typing import Any

import pytest
from litestar.testing import TestClient

from penstock.core import Permission
from penstock.server.mlflow import create_mlflow, mlflow_routes
from penstock.server.mlflow._app import PREFIXES

V2 = "/api/2.0/mlflow"


def post(api, path, _method="POST", **body):
    return api.request(_method, V2 + path, json=body)


def get(api, path, **query):
    return api.get(V2 + path, params=query)


def new_run(api, **body):
    return post(api, "/runs/create", experiment_id="0", **body).json()["run"]["info"]["run_id"]


def expect_refusal(answer, status, code):
    assert (answer.status_code, answer.json()["error_code"]) == (status, code), answer.text
    return answer.json()["message"]


def test_health_and_version_and_what_the_server_can_do(api):
    assert api.get("/health").text == "OK"
    assert api.get("/version").text.split(".")[0] == "3"
    assert api.get("/api/3.0/mlflow/server-info").json()["artifact_serving_enabled"] is True


def test_a_fresh_store_has_the_default_experiment(api):
    found = get(api, "/experiments/get", experiment_id="0").json()["experiment"]
    assert (found["name"], found["lifecycle_stage"]) == ("Default", "active")
    assert found["artifact_location"] == "mlflow-artifacts:/0"


@pytest.mark.parametrize("prefix", PREFIXES)
def test_every_call_is_served_under_both_prefixes(api, prefix):
    answer = api.post(f"{prefix}/2.0/mlflow/experiments/search", json={"max_results": "5"})
    assert [each["name"] for each in answer.json()["experiments"]] == ["Default"]


def test_every_route_declares_its_permission():
    app = mlflow_routes()
    declared = {
        handler.opt.get("permission", "nothing")
        for route in app.routes
        for handler in getattr(route, "route_handlers", [])
        if "OPTIONS" not in handler.http_methods
    }
    assert "nothing" not in declared
    assert {Permission.READ, Permission.WRITE, Permission.ADMIN} <= declared


def test_a_body_has_to_be_a_json_object_and_say_so(api):
    path = V2 + "/experiments/create"
    form = api.post(path, content=b"name=a", headers={"content-type": "text/plain"})
    expect_refusal(form, 400, "BAD_REQUEST")
    expect_refusal(api.post(path, content=b"{", headers={"content-type": "application/json"}), 400,
            "BAD_REQUEST")  # fmt: skip
    expect_refusal(api.post(path, json=["name"]), 400, "BAD_REQUEST")
    expect_refusal(post(api, "/experiments/create", name=7), 400, "INVALID_PARAMETER_VALUE")
    expect_refusal(api.get("/api/2.0/mlflow/nothing"), 404, "ENDPOINT_NOT_FOUND")


def test_an_experiment_lives_and_dies_with_its_runs(api):
    made = post(api, "/experiments/create", name="churn", tags=[{"key": "t", "value": "1"}]).json()
    number = made["experiment_id"]
    assert number == "1"
    message = expect_refusal(
        post(api, "/experiments/create", name="churn"), 400, "RESOURCE_ALREADY_EXISTS"
    )
    assert "active" in message
    run = post(api, "/runs/create", experiment_id=number).json()["run"]["info"]["run_id"]
    assert post(api, "/experiments/delete", experiment_id=number).json() == {}
    expect_refusal(
        post(api, "/experiments/delete", experiment_id=number), 404, "RESOURCE_DOES_NOT_EXIST"
    )
    expect_refusal(post(api, "/experiments/create", name="churn"), 400, "RESOURCE_ALREADY_EXISTS")
    expect_refusal(post(api, "/runs/create", experiment_id=number), 400, "INVALID_PARAMETER_VALUE")
    expect_refusal(post(api, "/runs/set-tag", run_id=run, key="a", value="b"), 400,
            "INVALID_PARAMETER_VALUE")  # fmt: skip
    assert get(api, "/runs/get", run_id=run).json()["run"]["info"]["lifecycle_stage"] == "deleted"
    assert post(api, "/runs/search", experiment_ids=[number]).json() == {}
    deleted = {"experiment_ids": [number], "run_view_type": "DELETED_ONLY"}
    assert len(post(api, "/runs/search", **deleted).json()["runs"]) == 1
    found = get(api, "/experiments/get-by-name", experiment_name="churn").json()["experiment"]
    assert found["lifecycle_stage"] == "deleted"
    assert post(api, "/experiments/restore", experiment_id=number).json() == {}
    assert get(api, "/runs/get", run_id=run).json()["run"]["info"]["lifecycle_stage"] == "active"


def test_an_experiment_is_renamed_with_its_runs(api, store):
    number = post(api, "/experiments/create", name="churn").json()["experiment_id"]
    run = post(api, "/runs/create", experiment_id=number).json()["run"]["info"]["run_id"]
    assert post(api, "/experiments/update", experiment_id=number, new_name="risk").json() == {}
    assert store.metadata.runs.get(run).experiment == "risk"
    assert get(api, "/runs/get", run_id=run).json()["run"]["info"]["experiment_id"] == number
    assert get(api, "/experiments/get", experiment_id=number).json()["experiment"]["name"] == "risk"
    expect_refusal(post(api, "/experiments/update", experiment_id=number, new_name="Default"), 400,
            "RESOURCE_ALREADY_EXISTS")  # fmt: skip


def test_penstocks_own_experiments_have_numbers_too(api, store):
    store.metadata.runs.create_experiment("taxi")
    found = post(api, "/experiments/search", max_results=10, filter="name = 'taxi'").json()
    number = found["experiments"][0]["experiment_id"]
    assert get(api, "/experiments/get", experiment_id=number).json()["experiment"]["name"] == "taxi"


@pytest.mark.parametrize("name", ["", "  ", "x" * 501])
def test_an_experiment_needs_a_name(api, name):
    expect_refusal(post(api, "/experiments/create", name=name), 400, "INVALID_PARAMETER_VALUE")


def test_experiments_are_searched_in_pages(api):
    for place in range(5):
        post(api, "/experiments/create", name=f"e{place}")
    asked = {"max_results": 2, "order_by": ["name DESC"], "filter": "name LIKE 'e%'"}
    names, token = [], ""
    while token is not None:
        answer = post(api, "/experiments/search", page_token=token, **asked).json()
        names += [each["name"] for each in answer["experiments"]]
        token = answer.get("next_page_token")
    assert names == ["e4", "e3", "e2", "e1", "e0"]
    expect_refusal(post(api, "/experiments/search"), 400, "INVALID_PARAMETER_VALUE")
    expect_refusal(post(api, "/experiments/search", max_results=0), 400, "INVALID_PARAMETER_VALUE")
    expect_refusal(post(api, "/experiments/search", max_results=5, page_token="???"), 400,
            "INVALID_PARAMETER_VALUE")  # fmt: skip


def test_a_tag_of_an_experiment_is_set_and_deleted(api):
    tag = {"experiment_id": "0", "key": "team"}
    post(api, "/experiments/set-experiment-tag", value="risk", **tag)
    found = get(api, "/experiments/get", experiment_id="0").json()["experiment"]
    assert found["tags"] == [{"key": "team", "value": "risk"}]
    assert post(api, "/experiments/delete-experiment-tag", **tag).json() == {}
    expect_refusal(
        post(api, "/experiments/delete-experiment-tag", **tag), 404, "RESOURCE_DOES_NOT_EXIST"
    )


def test_a_run_has_both_ids_and_a_name(api):
    run = post(api, "/runs/create", experiment_id="0", user_id="ada", start_time="1700000000000")
    info = run.json()["run"]["info"]
    assert info["run_id"] == info["run_uuid"]
    assert (info["status"], info["user_id"], info["start_time"]) == (
        "RUNNING", "ada", 1_700_000_000_000)  # fmt: skip
    tags = {tag["key"]: tag["value"] for tag in run.json()["run"]["data"]["tags"]}
    assert tags["mlflow.runName"] == info["run_name"] != ""
    assert info["artifact_uri"] == f"mlflow-artifacts:/0/{info['run_id']}/artifacts"
    post(api, "/runs/set-tag", run_uuid=info["run_id"], key="mlflow.runName", value="base")
    assert (
        get(api, "/runs/get", run_uuid=info["run_id"]).json()["run"]["info"]["run_name"] == "base"
    )
    post(api, "/runs/update", run_id=info["run_id"], run_name="other")
    found = get(api, "/runs/get", run_id=info["run_id"]).json()["run"]
    assert {"key": "mlflow.runName", "value": "other"} in found["data"]["tags"]
    both = {"run_name": "a", "tags": [{"key": "mlflow.runName", "value": "b"}]}
    expect_refusal(
        post(api, "/runs/create", experiment_id="0", **both), 400, "INVALID_PARAMETER_VALUE"
    )


@pytest.mark.parametrize("first", ["FINISHED", "FAILED", "KILLED", "SCHEDULED", "RUNNING"])
@pytest.mark.parametrize("then", ["FINISHED", "FAILED", "KILLED", "SCHEDULED", "RUNNING"])
def test_every_status_may_follow_every_other(api, first, then):
    run = new_run(api)
    post(api, "/runs/update", run_id=run, status=first)
    info = post(api, "/runs/update", run_id=run, status=then).json()["run_info"]
    assert info["status"] == then
    unknown = post(api, "/runs/update", run_id=run, status="PAUSED")
    assert (unknown.status_code, unknown.json()["run_info"]["status"]) == (200, then)


def test_a_silent_run_is_not_presumed_dead(api, store):
    run = new_run(api, start_time=1_700_000_000_000)  # years without a sign of life
    assert store.metadata.runs.kill_dead() == []
    assert get(api, "/runs/get", run_id=run).json()["run"]["info"]["status"] == "RUNNING"


def test_a_deleted_run_is_not_written(api):
    run = new_run(api)
    assert post(api, "/runs/delete", run_id=run).json() == {}
    assert post(api, "/runs/delete", run_id=run).json() == {}
    point = {"run_id": run, "key": "a", "value": 1, "timestamp": 1}
    expect_refusal(post(api, "/runs/log-metric", **point), 400, "INVALID_PARAMETER_VALUE")
    assert post(api, "/runs/restore", run_id=run).json() == {}
    assert post(api, "/runs/log-metric", **point).json() == {}
    expect_refusal(post(api, "/runs/log-metric", **{**point, "run_id": "0" * 32}), 404,
            "RESOURCE_DOES_NOT_EXIST")  # fmt: skip
    expect_refusal(post(api, "/runs/log-metric", **{**point, "run_id": run[:8]}), 404,
            "RESOURCE_DOES_NOT_EXIST")  # fmt: skip


def test_a_parameter_never_changes(api):
    run = new_run(api)
    for _ in range(2):
        assert post(api, "/runs/log-parameter", run_id=run, key="lr", value="0.1").json() == {}
    message = expect_refusal(post(api, "/runs/log-parameter", run_id=run, key="lr", value="0.2"), 400,
                      "INVALID_PARAMETER_VALUE")  # fmt: skip
    assert "already logged with value='0.1'" in message
    twice = [{"key": "d", "value": "1"}, {"key": "d", "value": "2"}]
    expect_refusal(
        post(api, "/runs/log-batch", run_id=run, params=twice), 400, "INVALID_PARAMETER_VALUE"
    )
    post(api, "/runs/log-parameter", run_id=run, key="long", value="x" * 6001)
    params = get(api, "/runs/get", run_id=run).json()["run"]["data"]["params"]
    assert {p["key"]: len(p["value"]) for p in params} == {"lr": 3, "long": 6000}


def test_parameters_of_a_step_are_texts_to_a_client(api, store):
    run = new_run(api)
    store.metadata.runs.log_params(run, {"lr": 0.1, "deep": True})
    assert post(api, "/runs/log-parameter", run_id=run, key="lr", value="0.1").status_code == 200
    params = get(api, "/runs/get", run_id=run).json()["run"]["data"]["params"]
    assert {p["key"]: p["value"] for p in params} == {"lr": "0.1", "deep": "True"}


def test_a_tag_of_a_run_is_deleted_once(api):
    run = new_run(api)
    post(api, "/runs/set-tag", run_id=run, key="team", value="risk")
    assert post(api, "/runs/delete-tag", run_id=run, key="team").json() == {}
    expect_refusal(
        post(api, "/runs/delete-tag", run_id=run, key="team"), 404, "RESOURCE_DOES_NOT_EXIST"
    )


def test_a_point_is_logged_once_however_often_it_is_sent(api, store):
    run = new_run(api)
    metrics = [
        {"key": "loss", "value": v, "timestamp": 10, "step": s} for v, s in ((0.5, 1), (0.3, 2))
    ]
    for _ in range(3):
        post(api, "/runs/log-batch", run_id=run, metrics=metrics)
        post(api, "/runs/log-metric", run_id=run, **metrics[0])
    history = get(api, "/metrics/get-history", run_id=run, metric_key="loss").json()["metrics"]
    assert [(point["step"], point["value"]) for point in history] == [(1, 0.5), (2, 0.3)]
    assert store.metadata.runs.get(run).metrics["loss"].count == 2


def test_a_second_server_knows_the_points_of_the_first(store, api):
    run = new_run(api)
    point = {"run_id": run, "key": "loss", "value": 0.5, "timestamp": 10, "step": 7}
    post(api, "/runs/log-metric", **point)
    with TestClient(create_mlflow(hosts=(), store=store)) as second:
        post(second, "/runs/log-metric", **point)
        post(second, "/runs/log-metric", **{**point, "step": 6})
    history = get(api, "/metrics/get-history", run_id=run, metric_key="loss").json()["metrics"]
    assert [point["step"] for point in history] == [6, 7]


def test_numbers_that_json_lacks_are_kept(api):
    run = new_run(api)
    for step, value in enumerate(["NaN", "Infinity", "-Infinity", "1.5", "NaN"]):
        post(
            api, "/runs/log-metric", run_id=run, key="m", value=value, timestamp="5", step=str(step)
        )
    history = get(api, "/metrics/get-history", run_id=run, metric_key="m").json()["metrics"]
    assert [point["value"] for point in history] == ["NaN", "Infinity", "-Infinity", 1.5, "NaN"]
    data = get(api, "/runs/get", run_id=run).json()["run"]["data"]
    assert data["metrics"] == [{"key": "m", "value": "NaN", "timestamp": 5, "step": 4}]


def test_the_latest_point_has_the_largest_step_time_and_value(api):
    run = new_run(api)
    for value, timestamp, step in ((3, 1, 1), (9, 5, 2), (7, 5, 2), (8, 9, 1), (1, 4, 2)):
        point = {"value": value, "timestamp": timestamp, "step": step}
        post(api, "/runs/log-metric", run_id=run, key="m", **point)
    data = get(api, "/runs/get", run_id=run).json()["run"]["data"]
    assert data["metrics"] == [{"key": "m", "value": 9.0, "timestamp": 5, "step": 2}]
    history = get(api, "/metrics/get-history", run_id=run, metric_key="m").json()["metrics"]
    assert [(p["timestamp"], p["step"], p["value"]) for p in history] == [
        (1, 1, 3), (4, 2, 1), (5, 2, 7), (5, 2, 9), (9, 1, 8)]  # fmt: skip


def test_history_comes_in_pages(api):
    run = new_run(api)
    metrics = [{"key": "m", "value": i, "timestamp": i, "step": i} for i in range(7)]
    post(api, "/runs/log-batch", run_id=run, metrics=metrics)
    asked = {"run_id": run, "metric_key": "m", "max_results": 3}
    first = get(api, "/metrics/get-history", **asked).json()
    second = get(api, "/metrics/get-history", page_token=first["next_page_token"], **asked).json()
    third = get(api, "/metrics/get-history", page_token=second["next_page_token"], **asked).json()
    steps = [p["step"] for part in (first, second, third) for p in part["metrics"]]
    assert (steps, "next_page_token" in third) == (list(range(7)), False)
    assert get(api, "/metrics/get-history", run_id=run, metric_key="none").json() == {}
    expect_refusal(get(api, "/metrics/get-history", **{**asked, "max_results": 0}), 400,
            "INVALID_PARAMETER_VALUE")  # fmt: skip


def test_history_of_several_runs(api):
    runs = [new_run(api) for _ in range(3)]
    for place, run in enumerate(runs):
        post(api, "/runs/log-metric", run_id=run, key="m", value=place, timestamp=1)
    answer = api.get(
        "/ajax-api/2.0/mlflow/metrics/get-history-bulk",
        params={"run_id": runs, "metric_key": "m"},
    )
    assert [(p["run_id"], p["value"]) for p in answer.json()["metrics"]] == [
        (run, float(runs.index(run))) for run in sorted(runs)]  # fmt: skip
    many = api.get(
        "/ajax-api/2.0/mlflow/metrics/get-history-bulk",
        params={"run_id": ["a"] * 101, "metric_key": "m"},
    )
    expect_refusal(many, 400, "INVALID_PARAMETER_VALUE")


@pytest.mark.parametrize(
    "key", ["", "a//b", "/a", "a/", "../a", "a/../b", ".", "a#b", "x" * 251, "a\n"]
)
def test_bad_keys_are_refused_and_nothing_is_logged(api, key):
    run = new_run(api)
    good = {"key": "good", "value": 1, "timestamp": 1}
    batch = {"metrics": [good, {**good, "key": key}]}
    expect_refusal(
        post(api, "/runs/log-batch", run_id=run, **batch), 400, "INVALID_PARAMETER_VALUE"
    )
    expect_refusal(post(api, "/runs/set-tag", run_id=run, key=key, value="v"), 400,
            "INVALID_PARAMETER_VALUE")  # fmt: skip
    assert "metrics" not in get(api, "/runs/get", run_id=run).json()["run"]["data"]


@pytest.mark.parametrize(
    "point",
    [
        {"value": None},
        {"value": "many"},
        {"value": True},
        {"timestamp": -1},
        {"timestamp": "soon"},
        {"timestamp": None},
        {"step": 1.5},
        {"step": 2**60},
    ],
)
def test_bad_points_are_refused(api, point):
    sent = {"key": "m", "value": 1, "timestamp": 1, "step": 0, **point}
    sent = {name: value for name, value in sent.items() if value is not None}
    expect_refusal(post(api, "/runs/log-metric", run_id=new_run(api), **sent), 400,
            "INVALID_PARAMETER_VALUE")  # fmt: skip


def test_a_batch_has_its_limits(api):
    run = new_run(api)
    metric = {"key": "m", "value": 1, "timestamp": 1}
    assert (
        post(
            api, "/runs/log-batch", run_id=run, metrics=[{**metric, "step": i} for i in range(1000)]
        ).json()
        == {}
    )
    for batch in (
        {"metrics": [{**metric, "step": i} for i in range(1001)]},
        {"params": [{"key": f"p{i}", "value": "1"} for i in range(101)]},
        {"tags": [{"key": f"t{i}", "value": "1"} for i in range(101)]},
        {
            "metrics": [{**metric, "step": i} for i in range(950)],
            "params": [{"key": f"p{i}", "value": "1"} for i in range(60)],
        },
    ):
        expect_refusal(
            post(api, "/runs/log-batch", run_id=run, **batch), 400, "INVALID_PARAMETER_VALUE"
        )


def test_a_dataset_is_an_input_once(api, store):
    run = new_run(api)
    dataset = {"name": "rides", "digest": "abc", "source_type": "local", "source": "{}"}
    entry: dict[str, Any] = {
        "dataset": dataset,
        "tags": [{"key": "mlflow.data.context", "value": "train"}],
    }
    for _ in range(2):
        assert post(api, "/runs/log-inputs", run_id=run, datasets=[entry]).json() == {}
    inputs = get(api, "/runs/get", run_id=run).json()["run"]["inputs"]
    assert inputs == {"dataset_inputs": [{"tags": entry["tags"], "dataset": dataset}]}
    answer = api.post(
        "/ajax-api/2.0/mlflow/experiments/search-datasets", json={"experiment_ids": ["0"]}
    )
    assert answer.json()["dataset_summaries"] == [
        {"experiment_id": "0", "name": "rides", "digest": "abc", "context": "train"}]  # fmt: skip
    [edge] = store.metadata.artifacts.list_edges(f"run:{run}", direction="up")
    assert edge.source == "source:rides@abc"
    asked = {
        "experiment_ids": ["0"],
        "filter": "datasets.name = 'rides' AND dataset.context = 'train'",
    }
    assert len(post(api, "/runs/search", **asked).json()["runs"]) == 1
    long = {**entry, "dataset": {**dataset, "digest": "x" * 37}}
    expect_refusal(
        post(api, "/runs/log-inputs", run_id=run, datasets=[long]), 400, "INVALID_PARAMETER_VALUE"
    )


def test_a_logged_model_has_parameters_tags_and_metrics(api):
    run = new_run(api)
    made = post(api, "/logged-models", experiment_id="0", name="m", source_run_id=run,
                params=[{"key": "a", "value": "1"}]).json()["model"]  # fmt: skip
    model_id = made["info"]["model_id"]
    assert (made["info"]["status"], len(model_id)) == ("LOGGED_MODEL_PENDING", 34)
    point = {"key": "auc", "value": 0.9, "timestamp": 1, "model_id": model_id, "dataset_name": "d"}
    for _ in range(2):
        post(api, "/runs/log-metric", run_id=run, **point)
    post(api, f"/logged-models/{model_id}/params", params=[{"key": "b", "value": "2"}])
    tagged = {"tags": [{"key": "x/y", "value": "z"}, {"key": "k", "value": "v"}]}
    post(api, f"/logged-models/{model_id}/tags", "PATCH", **tagged)
    assert api.delete(f"{V2}/logged-models/{model_id}/tags/x/y").json() == {}
    post(api, f"/logged-models/{model_id}", "PATCH", model_id=model_id, status="LOGGED_MODEL_READY")
    found = get(api, f"/logged-models/{model_id}").json()["model"]
    assert found["info"]["status"] == "LOGGED_MODEL_READY"
    assert found["info"]["tags"] == [{"key": "k", "value": "v"}]
    assert [p["key"] for p in found["data"]["params"]] == ["a", "b"]
    [metric] = found["data"]["metrics"]
    assert (metric["value"], metric["run_id"], metric["dataset_name"]) == (0.9, run, "d")
    asked: dict[str, Any] = {
        "experiment_ids": ["0"],
        "filter": "metrics.auc > 0.8 AND params.a = '1'",
    }
    asked["order_by"] = [{"field_name": "metrics.auc", "ascending": False}]
    assert len(post(api, "/logged-models/search", **asked).json()["models"]) == 1
    asked["datasets"] = [{"dataset_name": "other"}]
    assert post(api, "/logged-models/search", **asked).json() == {}
    assert api.delete(f"{V2}/logged-models/{model_id}").json() == {}
    expect_refusal(get(api, f"/logged-models/{model_id}"), 404, "RESOURCE_DOES_NOT_EXIST")


def test_a_bad_name_of_a_logged_model_is_refused(api):
    for name in ("a/b", "a:b", "a.b", "a%b", "a'b"):
        expect_refusal(post(api, "/logged-models", experiment_id="0", name=name), 400,
                "INVALID_PARAMETER_VALUE")  # fmt: skip


def test_the_older_record_of_a_model_is_a_tag(api):
    run = new_run(api)
    model = {"flavors": {}, "artifact_path": "m", "run_id": run, "utc_time_created": "2026"}
    for _ in range(2):
        assert post(api, "/runs/log-model", run_id=run, model_json=json.dumps(model)).json() == {}
    tags = {
        t["key"]: t["value"]
        for t in get(api, "/runs/get", run_id=run).json()["run"]["data"]["tags"]
    }
    assert json.loads(tags["mlflow.log-model.history"]) == [model, model]
    expect_refusal(
        post(api, "/runs/log-model", run_id=run, model_json="{}"), 400, "INVALID_PARAMETER_VALUE"
    )
