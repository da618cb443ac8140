"""What MLflow's own tests ask of a server, and ours did not do: words, orders, thinning, links."""

import json
import time

import pytest

V2 = "/api/2.0/mlflow"


def post(api, path, **fields):
    return api.post(V2 + path, json=fields)


@pytest.fixture
def experiment_id(api):
    return post(api, "/experiments/create", name="e").json()["experiment_id"]


@pytest.fixture
def run_id(api, experiment_id):
    return new_run(api, experiment_id)


def new_run(api, experiment_id, **fields):
    made = post(api, "/runs/create", experiment_id=experiment_id, **fields)
    return made.json()["run"]["info"]["run_id"]


def refusal(answer):
    assert answer.status_code == 400, answer.text
    return answer.json()["message"]


@pytest.mark.parametrize(
    ("path", "fields", "words"),
    [
        ("/experiments/create", {}, "Missing value for required parameter 'name'"),
        ("/runs/set-tag", {"value": "v"}, "Missing value for required parameter 'key'"),
        ("/runs/log-metric", {"value": 1, "timestamp": 1}, "required parameter 'key'"),
        ("/runs/log-metric", {"key": "k", "value": 1, "timestamp": 1, "step": "foo"},
         "Invalid value \"foo\" for parameter 'step' supplied"),
        ("/runs/log-batch", {"metrics": "foo"}, "Invalid value \"foo\" for parameter 'metrics'"),
        ("/runs/log-batch", {"metrics": [{"key": "k", "value": 1}]},
         "Missing value for required parameter 'metrics[0].timestamp'"),
        ("/registered-models/create", {}, "Missing value for required parameter 'name'"),
        ("/experiments/search-datasets", {"experiment_ids": [f"id_{n}" for n in range(21)]},
         "cannot specify more than"),
    ],
)  # fmt: skip
def test_a_refusal_names_the_field_as_mlflow_does(api, run_id, path, fields, words):
    assert words in refusal(post(api, path, run_id=run_id, **fields))


def test_a_path_that_leaves_is_refused_in_mlflows_words(api, run_id):
    answer = api.get(f"{V2}/artifacts/list", params={"run_id": run_id, "path": "../path"})
    assert refusal(answer) == "Invalid path"


def test_runs_that_began_at_once_are_in_order_of_their_ids(api, experiment_id):
    runs = sorted(new_run(api, experiment_id, start_time=1) for _ in range(7))
    found, more = [], {"max_results": 3}
    while more:
        page = post(api, "/runs/search", experiment_ids=[experiment_id], **more)
        found += [each["info"]["run_id"] for each in page.json()["runs"]]
        token = page.json().get("next_page_token")
        more = {"max_results": 3, "page_token": token} if token else {}
    assert found == runs


def log(api, run_id, steps):
    points = [{"key": "m", "value": 1.0, "timestamp": 1, "step": step} for step in steps]
    assert post(api, "/runs/log-batch", run_id=run_id, metrics=points).status_code == 200


def interval(api, *run_ids, **fields):
    query = {"run_ids": run_ids, "metric_key": "m", **fields}
    return api.get("/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval", params=query)


def test_histories_are_thinned_at_the_steps_that_mlflow_chooses(api, experiment_id, run_id):
    log(api, run_id, range(10))
    [alone] = [interval(api, run_id, max_results=5).json()["metrics"]]
    assert [point["step"] for point in alone] == [0, 2, 4, 6, 8, 9]
    other = new_run(api, experiment_id)
    log(api, other, range(20))
    both = interval(api, run_id, other, max_results=5).json()["metrics"]
    steps = [0, 4, 8, 9, 12, 16, 19]
    assert [(p["run_id"], p["step"]) for p in both] == [
        *((run_id, step) for step in steps if step < 10), *((other, step) for step in steps)
    ]  # fmt: skip
    cut = interval(api, run_id, max_results=5, start_step=0, end_step=4).json()["metrics"]
    assert [point["step"] for point in cut] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"max_results": 0}, "max_results must be between 1 and 2500"),
        ({"start_step": 1, "end_step": 0}, "end_step must be greater than start_step. "),
        ({"start_step": 1}, "both must be specified"),
        ({"run_ids": []}, "Missing value for required parameter 'run_ids'"),
        ({"run_ids": [f"id_{n}" for n in range(101)]}, "must specify at most 100 run_ids"),
    ],
)
def test_a_thinned_history_says_what_is_wrong_before_it_looks_for_runs(api, fields, words):
    assert words in refusal(interval(api, "nowhere", **fields))


def test_histories_of_several_runs_come_run_by_run(api, experiment_id):
    runs = sorted((new_run(api, experiment_id) for _ in range(3)), reverse=True)
    for run in runs:
        log(api, run, range(2))
    query = {"run_id": runs, "metric_key": "m"}
    points = api.get("/ajax-api/2.0/mlflow/metrics/get-history-bulk", params=query).json()
    assert [p["run_id"] for p in points["metrics"]] == sorted([*runs, *runs])
    unnamed = api.get("/ajax-api/2.0/mlflow/metrics/get-history-bulk", params={"run_id": ["x"]})
    assert "must specify a metric_key" in refusal(unnamed)


def logged_model(api, experiment_id):
    made = post(api, "/logged-models", experiment_id=experiment_id).json()["model"]
    return made["info"]["model_id"], made["info"]["artifact_uri"]


def test_a_logged_model_names_the_versions_made_of_it(api, experiment_id):
    model_id, folder = logged_model(api, experiment_id)
    post(api, "/registered-models/create", name="model")
    for number in (1, 2):
        post(api, "/model-versions/create", name="model", source=folder, model_id=model_id)
        model = api.get(f"{V2}/logged-models/{model_id}").json()["model"]
        tags = {each["key"]: each["value"] for each in model["info"]["tags"]}
        made = [{"name": "model", "version": each + 1} for each in range(number)]
        assert json.loads(tags["mlflow.modelVersions"]) == made


def test_a_name_that_is_registered_again_is_new(api):
    first = post(api, "/registered-models/create", name="m").json()["registered_model"]
    api.request("DELETE", f"{V2}/registered-models/delete", json={"name": "m"})
    time.sleep(0.002)
    again = post(api, "/registered-models/create", name="m").json()["registered_model"]
    assert again["creation_timestamp"] > first["creation_timestamp"]
    assert again["last_updated_timestamp"] >= again["creation_timestamp"]


def test_files_of_runs_and_logged_models_come_and_go_by_the_pages_routes(
    api, experiment_id, run_id
):
    upload, at = "/ajax-api/2.0/mlflow/upload-artifact", {"run_uuid": run_id, "path": "a/t.txt"}
    assert api.post(upload, params=at, content=b"hello").status_code == 200
    assert api.get("/get-artifact", params={"run_id": run_id, "path": "a/t.txt"}).text == "hello"
    for fields, words in (
        ({}, "Request must specify run_uuid."),
        ({"run_uuid": run_id}, "Request must specify path."),
        ({"run_uuid": run_id, "path": "../t"}, "Invalid path"),
    ):
        assert refusal(api.post(upload, params=fields)) == words
    assert refusal(api.post(upload, params=at)) == "Request must specify data."
    model_id, folder = logged_model(api, experiment_id)
    path = folder.removeprefix("mlflow-artifacts:/")
    api.put(f"/api/2.0/mlflow-artifacts/artifacts/{path}/MLmodel", content=b"flavors")
    files = f"/ajax-api/2.0/mlflow/logged-models/{model_id}/artifacts/files"
    assert api.get(files, params={"artifact_file_path": "MLmodel"}).text == "flavors"
    assert api.get(files, params={"artifact_file_path": "none"}).status_code == 404


def test_a_trace_may_be_linked_to_a_run_before_it_is_sent(api, experiment_id, run_id):
    place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment_id}}
    post(api, "/traces/link-to-run", run_id=run_id, trace_ids=["tr-1"])
    info = {"trace_id": "tr-1", "trace_location": place, "request_time": "2026-01-01T00:00:00Z"}
    for _ in range(2):  # and what is sent again does not lose the link
        api.post("/api/3.0/mlflow/traces", json={"trace": {"trace_info": info}})
        found = api.post("/api/3.0/mlflow/traces/search", json={
            "locations": [place], "filter": f"attribute.run_id = '{run_id}'"})  # fmt: skip
        assert [each["trace_id"] for each in found.json()["traces"]] == ["tr-1"]
