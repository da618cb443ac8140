"""The real MLflow client, unmodified, against a server: what a team does all day."""

import hashlib
import time

import httpx
import pytest

pytestmark = pytest.mark.slow  # the client alone takes seconds to import


def test_runs_with_parameters_metrics_and_tags(client):
    found = client("""
import math
experiment = mlflow.set_experiment("basics")
with mlflow.start_run(run_name="base", tags={"team": "risk"}, description="a *note*") as run:
    mlflow.log_params({"lr": 0.1, "long": "x" * 7000})
    for step, value in enumerate([0.5, float("nan"), float("inf"), -math.inf]):
        mlflow.log_metric("loss", value, step=step)
    mlflow.log_metrics({"auc": 0.9, "f1": 0.7}, step=3)
    with mlflow.start_run(nested=True) as child:
        mlflow.set_tag("inner", "yes")
data = client.get_run(run.info.run_id).data
history = [str(point.value) for point in client.get_metric_history(run.info.run_id, "loss")]
child_data = client.get_run(child.info.run_id).data
again = mlflow.start_run(run_id=run.info.run_id)
running = client.get_run(run.info.run_id).info.status
mlflow.end_run("FAILED")
result = {
    "params": {k: len(v) for k, v in data.params.items()}, "auc": data.metrics["auc"],
    "history": history, "team": data.tags["team"], "note": data.tags["mlflow.note.content"],
    "parent": child_data.tags["mlflow.parentRunId"] == run.info.run_id,
    "states": [running, client.get_run(run.info.run_id).info.status],
    "change": refusal(client.log_param, run.info.run_id, "lr", "0.2"),
    "exists": refusal(client.create_experiment, "basics"),
    "missing": refusal(client.get_run, "0" * 32),
    "experiment": mlflow.get_experiment_by_name("basics").experiment_id == experiment.experiment_id,
    "unknown": mlflow.get_experiment_by_name("never") is None,
}
""")
    assert found == {
        "params": {"lr": 3, "long": 6000},
        "auc": 0.9,
        "history": ["0.5", "nan", "inf", "-inf"],
        "team": "risk",
        "note": "a *note*",
        "parent": True,
        "states": ["RUNNING", "FAILED"],
        "change": "INVALID_PARAMETER_VALUE",
        "exists": "RESOURCE_ALREADY_EXISTS",
        "missing": "RESOURCE_DOES_NOT_EXIST",
        "experiment": True,
        "unknown": True,
    }


def test_runs_are_searched_as_a_frame_and_in_pages(client):
    found = client("""
experiment = mlflow.set_experiment("searched")
for place in range(25):
    with mlflow.start_run(run_name=f"r{place}"):
        mlflow.log_param("even", place % 2 == 0)
        mlflow.log_metric("auc", place / 25)
frame = mlflow.search_runs([experiment.experiment_id], "params.even = 'True' AND metrics.auc > 0.5",
                           order_by=["metrics.auc DESC"])
pages, token = [], None
while True:
    page = client.search_runs([experiment.experiment_id], max_results=10, page_token=token)
    pages.append(len(page))
    token = page.token
    if not token:
        break
mlflow.delete_run(frame["run_id"][0])
result = {
    "names": list(frame["tags.mlflow.runName"]), "pages": pages,
    "left": len(client.search_runs([experiment.experiment_id])),
    "or": refusal(client.search_runs, [experiment.experiment_id], "metrics.a > 1 OR metrics.b > 2"),
}
""")
    names = [f"r{place}" for place in range(24, 12, -2)]
    assert found == {
        "names": names,
        "pages": [10, 10, 5],
        "left": 24,
        "or": "INVALID_PARAMETER_VALUE",
    }


def test_artifacts_of_every_kind(client, tmp_path):
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    (tmp_path / "folder" / "deep" / "ü x.txt").write_text("deep")
    (tmp_path / "folder" / "a.txt").write_text("top")
    found = client(
        """
import pandas as pd
with mlflow.start_run() as run:
    mlflow.log_artifacts(folder, "files")
    mlflow.log_text("hello", "notes/hello.txt")
    mlflow.log_dict({"a": [1, 2]}, "d.json")
    mlflow.log_table({"x": [1, 2]}, "table.json")
root = run.info.artifact_uri
local = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="files")
import pathlib
result = {
    "text": mlflow.artifacts.load_text(root + "/notes/hello.txt"),
    "dict": mlflow.artifacts.load_dict(root + "/d.json"),
    "files": sorted(p.relative_to(local).as_posix() for p in pathlib.Path(local).rglob("*.*")),
    "deep": pathlib.Path(local, "deep", "ü x.txt").read_text(),
    "table": mlflow.load_table("table.json", [run.info.run_id])["x"].tolist(),
    "listed": [(f.path, f.is_dir) for f in client.list_artifacts(run.info.run_id)],
    "missing": refusal(mlflow.artifacts.load_text, root + "/none.txt"),
}
""",
        folder=str(tmp_path / "folder"),
    )
    assert found["missing"] is not None
    del found["missing"]
    assert found == {
        "text": "hello",
        "dict": {"a": [1, 2]},
        "files": ["a.txt", "deep/ü x.txt"],
        "deep": "deep",
        "table": [1, 2],
        "listed": [["d.json", False], ["files", True], ["notes", True], ["table.json", False]],
    }


def test_a_large_file_goes_through_a_small_server(client, server, tmp_path):
    data = hashlib.sha256(b"seed").digest() * (1 << 16)  # 2 MiB
    with (tmp_path / "large.bin").open("wb") as file:
        for _ in range(50):
            file.write(data)
    whole = hashlib.sha256(data * 50).hexdigest()
    before = server.peak_kb()
    found = client(
        """
import hashlib, pathlib
with mlflow.start_run() as run:
    mlflow.log_artifact(path)
local = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="large.bin")
result = hashlib.sha256(pathlib.Path(local).read_bytes()).hexdigest()
""",
        path=str(tmp_path / "large.bin"),
    )
    assert found == whole
    assert server.peak_kb() - before < 64_000  # of 100 MiB


def test_datasets_and_models_are_logged_registered_and_loaded(client):
    found = client("""
import pandas as pd
from sklearn.linear_model import LogisticRegression
experiment = mlflow.set_experiment("models")
frame = pd.DataFrame({"x": [0.0, 1.0, 2.0], "y": [0, 0, 1]})
dataset = mlflow.data.from_pandas(frame, name="tiny", targets="y")
with mlflow.start_run() as run:
    mlflow.log_input(dataset, context="training")
    model = LogisticRegression().fit(frame[["x"]], frame["y"])
    info = mlflow.sklearn.log_model(model, name="model", input_example=frame[["x"]],
                                    registered_model_name="churn")
    mlflow.log_metric("auc", 0.9, model_id=info.model_id, dataset=dataset)
again = mlflow.register_model(f"runs:/{run.info.run_id}/model", "churn", tags={"a": "b"})
client.set_registered_model_alias("churn", "best", "1")
expected = model.predict(frame[["x"]]).tolist()
uris = [info.model_uri, f"runs:/{run.info.run_id}/model", "models:/churn/1", "models:/churn@best",
        "models:/churn/latest", run.info.artifact_uri.replace(run.info.run_id, "models/" + info.model_id)]
loaded = mlflow.get_logged_model(info.model_id)
result = {
    "same": [mlflow.pyfunc.load_model(uri).predict(frame[["x"]]).tolist() == expected for uri in uris],
    "input": [i.dataset.name for i in client.get_run(run.info.run_id).inputs.dataset_inputs],
    "outputs": [o.model_id == info.model_id for o in client.get_run(run.info.run_id).outputs.model_outputs],
    "metric": [(m.key, m.value, m.dataset_name) for m in loaded.metrics],
    "status": str(loaded.status), "version": again.version,
    "found": [m.name for m in mlflow.search_logged_models([experiment.experiment_id],
              filter_string="metrics.auc > 0.5", output_format="list")],
    "models": [m.name for m in client.search_registered_models("name LIKE 'chu%'")],
    "versions": sorted(v.version for v in client.search_model_versions("name = 'churn'")),
}
""")
    assert found == {
        "same": [True] * 6,
        "input": ["tiny"],
        "outputs": [True],
        "metric": [["auc", 0.9, "tiny"]],
        "status": "READY",
        "version": "2",
        "found": ["model"],
        "models": ["churn"],
        "versions": ["1", "2"],
    }


def test_a_registry_with_stages_and_aliases(client):
    found = client("""
client.create_registered_model("staged", tags={"a": "b"}, description="first")
with mlflow.start_run() as run:
    mlflow.log_text("flavors: {}", "model/MLmodel")
source = run.info.artifact_uri + "/model"
for _ in range(3):
    client.create_model_version("staged", source, run.info.run_id)
stage = lambda version: client.get_model_version("staged", version).current_stage
client.transition_model_version_stage("staged", "1", "staging")
client.transition_model_version_stage("staged", "1", "Production")
client.transition_model_version_stage("staged", "2", "Production", archive_existing_versions=True)
stages = [stage(v) for v in "123"]
champion = client.get_model_version_by_alias("staged", "champion").version
client.set_registered_model_alias("staged", "champion", "1")
back = [stage(v) for v in "123"]
client.set_registered_model_alias("staged", "best", "3")
client.set_model_version_tag("staged", "3", "k", "v")
client.update_model_version("staged", "3", "third")
third = client.get_model_version("staged", "3")
client.delete_model_version("staged", "3")
latest = {v.current_stage: v.version for v in client.get_latest_versions("staged")}
client.rename_registered_model("staged", "staged-2")
named = client.get_registered_model("staged-2")
result = {
    "stages": stages, "champion": champion, "back": back,
    "third": [third.tags, third.description, list(third.aliases)],
    "gone": refusal(client.get_model_version, "staged", "3"),
    "alias": refusal(client.get_model_version_by_alias, "staged-2", "best"),
    "latest": latest, "named": [named.name, named.description, named.tags],
    "none": refusal(client.transition_model_version_stage, "staged-2", "1", "None"),
    "unknown": refusal(client.transition_model_version_stage, "staged-2", "1", "Nowhere"),
    "exists": refusal(client.create_registered_model, "staged-2"),
    "source": refusal(client.create_model_version, "staged-2", "/etc/passwd"),
}
next_version = client.create_model_version("staged-2", source, run.info.run_id).version
client.delete_registered_model("staged-2")
result["next"] = next_version
result["deleted"] = refusal(client.get_registered_model, "staged-2")
""")
    assert found == {
        "stages": ["Archived", "Production", "None"],
        "champion": "2",
        "back": ["Production", "Archived", "None"],
        "third": [{"k": "v"}, "third", ["best"]],
        "gone": "RESOURCE_DOES_NOT_EXIST",
        "alias": "INVALID_PARAMETER_VALUE",
        "latest": {"Production": "1", "Archived": "2"},
        "named": ["staged-2", "first", {"a": "b"}],
        "none": "RESOURCE_CONFLICT",
        "unknown": "INVALID_PARAMETER_VALUE",
        "exists": "RESOURCE_ALREADY_EXISTS",
        "source": "INVALID_PARAMETER_VALUE",
        "next": "4",
        "deleted": "RESOURCE_DOES_NOT_EXIST",
    }


def test_autologging_of_a_search_and_of_boosters(client):
    found = client("""
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
experiment = mlflow.set_experiment("autolog")
generator = np.random.default_rng(0)
X = generator.normal(size=(60, 3)); y = (X[:, 0] > 0).astype(int)
mlflow.sklearn.autolog(max_tuning_runs=4)
with mlflow.start_run(run_name="grid") as grid:
    GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0, 10.0]}, cv=2).fit(X, y)
mlflow.sklearn.autolog(disable=True)
children = client.search_runs([experiment.experiment_id],
                              f"tags.mlflow.parentRunId = '{grid.info.run_id}'")
files = [f.path for f in client.list_artifacts(grid.info.run_id)]
import xgboost
mlflow.xgboost.autolog()
with mlflow.start_run() as boosted:
    data = xgboost.DMatrix(X, y)
    xgboost.train({"objective": "binary:logistic"}, data, 5, evals=[(data, "train")])
mlflow.xgboost.autolog(disable=True)
import lightgbm
mlflow.lightgbm.autolog()
with mlflow.start_run() as light:
    data = lightgbm.Dataset(X, y)
    lightgbm.train({"objective": "binary", "verbose": -1}, data, 5, valid_sets=[data])
mlflow.lightgbm.autolog(disable=True)
history = lambda run, key: [p.step for p in client.get_metric_history(run.info.run_id, key)]
metrics = lambda run: client.get_run(run.info.run_id).data.metrics
[model] = mlflow.search_logged_models([experiment.experiment_id],
    filter_string=f"source_run_id = '{boosted.info.run_id}'", output_format="list")
result = {
    "children": len(children), "cv": "cv_results.csv" in files,
    "best": "best_cv_score" in metrics(grid),
    "xgboost": history(boosted, "train-logloss"),
    "on_model": sorted({m.key for m in model.metrics}),
    "lightgbm": [len(history(light, key)) for key in metrics(light)],
    "inputs": len(client.get_run(boosted.info.run_id).inputs.dataset_inputs),
    "loaded": mlflow.xgboost.load_model(f"models:/{model.model_id}").num_boosted_rounds(),
}
""")
    assert found == {
        "children": 3,
        "cv": True,
        "best": True,
        "xgboost": [0, 1, 2, 3, 4],
        "on_model": ["train-logloss"],
        "lightgbm": [5],
        "inputs": 2,  # the training rows, and the rows evaluated on
        "loaded": 5,
    }


def test_eight_threads_write_one_run(client):
    found = client("""
from concurrent.futures import ThreadPoolExecutor
with mlflow.start_run() as run:
    run_id = run.info.run_id
def write(thread):
    for step in range(40):
        client.log_metric(run_id, f"own-{thread}", step, step=step, timestamp=1000 + step)
        client.log_metric(run_id, "common", thread * 100 + step, step=thread * 100 + step)
        client.set_tag(run_id, f"tag-{thread}", step)
    client.log_param(run_id, f"param-{thread}", thread)
with ThreadPoolExecutor(8) as threads:
    list(threads.map(write, range(8)))
data = client.get_run(run_id).data
result = {
    "own": {k: v for k, v in data.metrics.items() if k.startswith("own")},
    "lengths": [len(client.get_metric_history(run_id, f"own-{t}")) for t in range(8)],
    "common": len(client.get_metric_history(run_id, "common")), "last": data.metrics["common"],
    "params": len(data.params), "tags": {v for k, v in data.tags.items() if k.startswith("tag-")} == {"39"},
}
""")
    assert found == {
        "own": {f"own-{thread}": 39.0 for thread in range(8)},
        "lengths": [40] * 8,
        "common": 320,
        "last": 739.0,
        "params": 8,
        "tags": True,
    }


def test_nothing_is_lost_when_the_server_is_killed_under_load(new_client, own_server):
    client = new_client(own_server.url)
    run_id = client("""
with mlflow.start_run() as run:
    result = run.info.run_id
""")
    client.begin(
        """
acknowledged = []
for step in range(400):
    for _ in range(3):  # the client itself gives up where a server dies within an answer
        try:
            client.log_metric(run_id, "loss", step / 7, step=step, timestamp=step)
            break
        except mlflow.MlflowException as error:
            last = error
    else:
        raise last
    acknowledged.append(step)
result = acknowledged
""",
        run_id=run_id,
    )
    reader = httpx.Client(base_url=own_server.url, timeout=20)
    for reached in (60, 180):
        _wait_for_step(reader, run_id, reached)
        own_server.kill()
        time.sleep(0.3)
        own_server.start()
    assert client.end() == list(range(400))
    found = client(
        """
points = client.get_metric_history(run_id, "loss")
result = [(p.step, p.value) for p in points]
""",
        run_id=run_id,
    )
    assert found == [[step, step / 7] for step in range(400)]


def _wait_for_step(reader: httpx.Client, run_id: str, step: int) -> None:
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        run = reader.get("/api/2.0/mlflow/runs/get", params={"run_id": run_id}).json()["run"]
        if any(metric["step"] >= step for metric in run["data"].get("metrics", [])):
            return
        time.sleep(0.02)
    pytest.fail(f"step {step} was never reached")
