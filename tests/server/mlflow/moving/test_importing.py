"""An import from MLflow: what the real client wrote is here, field by field, and once."""

import math
import shutil
import sqlite3
from pathlib import Path

import pytest

from penstock.core import ParameterError, RunState, Stage
from penstock.server.mlflow._desk import Desk
from penstock.server.mlflow._shelf import Shelf
from penstock.server.mlflow.moving import import_mlflow
from penstock.stores import open_store

_WRITE = """
import pandas as pd
from sklearn.linear_model import LogisticRegression
mlflow.create_experiment("churn", artifact_location=folder, tags={"team": "risk"})
mlflow.set_experiment("churn")
model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
written = []
for place in range(4):
    with mlflow.start_run(run_name=f"r{place}", description="a *note*", tags={"k": "v"}) as run:
        mlflow.log_params({"lr": 0.1 * place, "place": place})
        for step in range(10):
            mlflow.log_metric("loss", float("nan") if step == 3 else 1 / (step + 1), step=step)
        mlflow.log_text(f"hello {place}", "notes/a.txt")
        if place == 0:
            dataset = mlflow.data.from_pandas(pd.DataFrame({"x": [1]}), name="tiny")
            mlflow.log_input(dataset, context="train")
        if place < 3:
            info = mlflow.sklearn.log_model(model, name="model", registered_model_name="cm",
                                            params={"C": 1})
            mlflow.log_metric("auc", 0.9, model_id=info.model_id)
    whole = client.get_run(run.info.run_id)
    written.append({
        "run_id": whole.info.run_id, "start": whole.info.start_time, "end": whole.info.end_time,
        "params": whole.data.params, "tags": whole.data.tags,
        "loss": [(p.timestamp, p.step, str(p.value))
                 for p in client.get_metric_history(run.info.run_id, "loss")],
    })
client.delete_model_version("cm", "2")
client.transition_model_version_stage("cm", "3", "Production")
client.set_registered_model_alias("cm", "best", "1")
client.set_model_version_tag("cm", "1", "a", "b")
client.delete_run(written[3]["run_id"])
result = written
"""


@pytest.fixture(scope="module")
def written(start_client, tmp_path_factory):
    """Write a database with the real client, once; return its file and what it says of its runs."""
    folder = tmp_path_factory.mktemp("source")
    client = start_client(f"sqlite:///{folder}/mlflow.db")
    found = client(_WRITE, folder=str(folder / "artifacts"))
    client.stop()
    return folder / "mlflow.db", found


@pytest.fixture
def source(written, tmp_path):
    """Return a copy of the database, whose artifacts stay where they are."""
    return Path(shutil.copy(written[0], tmp_path / "mlflow.db")), written[1]


@pytest.mark.slow
def test_a_database_is_imported_field_by_field_and_once(source, store):
    file, written = source
    done = import_mlflow(str(file), store=store)
    assert (done.runs, done.unchanged, done.logged_models, done.versions) == (4, 0, 3, 2)
    assert done.lost == []
    for place, expected in enumerate(written):
        run = store.metadata.runs.get(expected["run_id"])
        assert (run.name, run.experiment, run.state) == (f"r{place}", "churn", RunState.FINISHED)
        assert (run.started_at.timestamp() * 1000, run.ended_at.timestamp() * 1000) == (
            pytest.approx(expected["start"]), pytest.approx(expected["end"]))  # fmt: skip
        assert (run.params, run.tags, run.note) == (
            expected["params"],
            expected["tags"],
            "a *note*",
        )
        points = store.metadata.metrics.history(run.run_id, "loss")
        times = (points.times // 1000).tolist()
        values = list(map(str, points.values.tolist()))
        assert sorted(zip(times, map(int, points.steps.tolist()), values, strict=True)) == sorted(
            map(tuple, expected["loss"]))  # fmt: skip
        file_record = store.metadata.artifacts.list(run.run_id)["notes/a.txt"]
        assert store.read_bytes(file_record) == f"hello {place}".encode()
        assert (run.deleted_at is not None) == (place == 3)
    desk = Desk(store)
    assert desk.find_experiment("churn").tags == {"team": "risk"}
    model = Shelf(desk).get("cm")
    assert [(v.record.version, v.record.stage) for v in model.versions] == [
        (1, Stage.NONE), (3, Stage.PRODUCTION)]  # fmt: skip
    assert model.aliases == {"best": 1, "champion": 3}
    assert model.versions[0].record.tags == {"a": "b"}
    again = import_mlflow(f"sqlite:///{file}", store=store)
    assert (again.runs, again.unchanged, again.points, again.files, again.versions) == (
        0,
        4,
        0,
        0,
        0,
    )
    assert math.isnan(store.metadata.metrics.history(written[0]["run_id"], "loss").values[3])


@pytest.mark.slow
def test_an_import_goes_on_where_it_was_killed(source, store, monkeypatch):
    file, written = source
    seen = []

    def stop(summary):
        seen.append(summary.runs)
        if summary.runs == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_mlflow(str(file), store=store, progress=stop)
    done = import_mlflow(str(file), store=store)
    assert (seen, done.runs, done.unchanged) == ([1, 2], 2, 2)
    with sqlite3.connect(file) as raw:
        raw.execute("INSERT INTO tags (key, value, run_uuid) VALUES ('new', '1', ?)",
                    (written[1]["run_id"],))  # fmt: skip
    raw.close()
    changed = import_mlflow(str(file), store=store)
    assert (changed.runs, changed.unchanged) == (1, 3)
    assert store.metadata.runs.get(written[1]["run_id"]).tags["new"] == "1"
    assert store.metadata.runs.get(written[1]["run_id"]).metrics["loss"].count == 10


@pytest.mark.slow
def test_a_server_is_imported_and_its_models_load_from_here(
    client, server, new_client, own_server, tmp_path
):
    run_id = client("""
from sklearn.linear_model import LogisticRegression
mlflow.set_experiment("to move")
with mlflow.start_run(run_name="moving") as run:
    mlflow.log_metric("auc", 0.9)
    mlflow.sklearn.log_model(LogisticRegression().fit([[0.0], [1.0]], [0, 1]), name="model",
                             registered_model_name="moved")
result = run.info.run_id
""")
    with open_store(own_server.store) as target:
        done = import_mlflow(server.url, store=target)
        assert done.versions >= 1
        assert [line for line in done.lost if run_id in line] == []
    found = new_client(own_server.url)(
        """
loaded = mlflow.pyfunc.load_model("models:/moved/1")
import numpy as np
run = client.get_run(run_id)
result = [loaded.predict(np.array([[0.0], [1.0]])).tolist(), run.data.metrics, run.info.run_name]
""",
        run_id=run_id,
    )
    assert found == [[0, 1], {"auc": 0.9}, "moving"]


@pytest.mark.parametrize("text", ["nowhere.db", "sqlite:///nowhere.db"])
def test_what_is_no_source_is_refused(store, text):
    with pytest.raises(ParameterError, match="no store of MLflow"):
        import_mlflow(text, store=store)


def test_a_database_of_another_program_is_refused(store, tmp_path):
    with sqlite3.connect(tmp_path / "other.db") as raw:
        raw.execute("CREATE TABLE a (b)")
    raw.close()
    (tmp_path / "text.db").write_text("no database at all, but long enough to be one" * 50)
    for name in ("other.db", "text.db"):
        with pytest.raises(ParameterError, match="no store of MLflow"):
            import_mlflow(str(tmp_path / name), store=store)


def test_a_folder_of_files_is_imported_once(store, tmp_path):
    """The files as MLflow 3.17 writes them; names may have slashes, deleted experiments a folder."""
    run = "fd00f917340b4e6699cb14797973c304"
    place = tmp_path / "mlruns" / "7"
    files = {
        "meta.yaml": "artifact_location: ''\nexperiment_id: '7'\nlifecycle_stage: active\nname: filed\n",
        "tags/team": "risk",
        f"{run}/meta.yaml": f"artifact_uri: file://{place}/{run}/artifacts\nend_time: 1796072617633\n"
        f"experiment_id: '7'\nlifecycle_stage: active\nrun_id: {run}\nrun_name: r\nstatus: 4\n"
        "start_time: 1796072617542\nuser_id: ada\n",
        f"{run}/params/lr": "0.1",
        f"{run}/tags/a/b": "c",
        f"{run}/metrics/x/loss": "1796072617593 0.5 1\n1796072617594 nan 2\n",
        f"{run}/artifacts/n/a.txt": "hi",
    }
    for name, text in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    done = import_mlflow(str(tmp_path / "mlruns"), store=store)
    assert (done.runs, done.points, done.files, done.lost) == (1, 2, 1, [])
    record = store.metadata.runs.get(run)
    assert (record.name, record.user, record.state) == ("r", "ada", RunState.FAILED)
    assert (record.params, record.tags) == ({"lr": "0.1"}, {"a/b": "c"})
    assert store.metadata.metrics.history(run, "x/loss").steps.tolist() == [1, 2]
    assert store.read_bytes(store.metadata.artifacts.list(run)["n/a.txt"]) == b"hi"
    again = import_mlflow(str(tmp_path / "mlruns"), store=store)
    assert (again.runs, again.unchanged) == (0, 1)
    with pytest.raises(ParameterError, match="no store of MLflow"):
        import_mlflow(str(tmp_path), store=store)
