"""The real client on a store without a server: ``mlflow.set_tracking_uri("penstock:")``."""

import subprocess

import pytest

from penstock.stores import open_store

pytestmark = pytest.mark.slow  # the client alone takes seconds to import


def test_a_model_is_logged_registered_and_loaded_in_process(new_client, mlflow_python, tmp_path):
    here = subprocess.run(
        [mlflow_python, "-c", "import penstock"], capture_output=True, check=False
    )
    if here.returncode:
        pytest.skip("needs penstock beside mlflow: see .ci/run")
    url = f"sqlite:///{tmp_path}/penstock.db"
    found = new_client(f"penstock:{url}")("""
import pandas as pd
from sklearn.linear_model import LogisticRegression
mlflow.set_experiment("in-process")
frame = pd.DataFrame({"x": [0.0, 1.0, 2.0]})
model = LogisticRegression().fit(frame, [0, 0, 1])
with mlflow.start_run(run_name="base") as run:
    mlflow.log_metric("auc", 0.9)
    mlflow.log_dict({"a": 1}, "notes/d.json")
    info = mlflow.sklearn.log_model(model, name="model", registered_model_name="churn")
client.transition_model_version_stage("churn", "1", "Production")
loaded = mlflow.pyfunc.load_model("models:/churn/Production")
result = {
    "same": loaded.predict(frame).tolist() == model.predict(frame).tolist(),
    "dict": mlflow.artifacts.load_dict(run.info.artifact_uri + "/notes/d.json"),
    "listed": [(f.path, f.is_dir) for f in client.list_artifacts(run.info.run_id)],
    "missing": refusal(client.get_run, "0" * 32),
    "exists": refusal(client.create_experiment, "in-process"),
    "run_id": run.info.run_id,
}
""")
    run_id = found.pop("run_id")
    assert found == {
        "same": True,
        "dict": {"a": 1},
        "listed": [["notes", True]],
        "missing": "RESOURCE_DOES_NOT_EXIST",
        "exists": "RESOURCE_ALREADY_EXISTS",
    }
    with open_store(url) as store:
        run = store.metadata.runs.get(run_id)
        assert (run.name, run.experiment, run.metrics["auc"].last) == ("base", "in-process", 0.9)
