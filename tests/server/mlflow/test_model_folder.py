"""A version of penstock's is a model folder of MLflow's: the real client loads and asks it."""

import json

import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression

from penstock.models import Model, infer_signature
from penstock.registry import Registry
from penstock.server.mlflow._desk import Desk
from penstock.server.mlflow._model_folder import folder_of, write_model_folder
from penstock.server.mlflow._pyfunc import _load_pyfunc
from penstock.stores import open_store

ROWS = pl.DataFrame({"age": [20, 30, 60, 70], "income": [1.0, 2.0, 3.5, 4.0]})
LABELS = pl.Series("good", ["no", "no", "yes", "yes"])


def register(store):
    fitted = LogisticRegression().fit(ROWS, LABELS.to_list())
    model = Model(fitted, infer_signature(fitted, ROWS, LABELS))
    return Registry(store=store).register("churn", model, onnx=False)


def test_a_folder_needs_nothing_of_the_store_that_it_came_from(store, tmp_path):
    version = register(store)
    write_model_folder(version, tmp_path / "model", store=store)
    described = json.loads((tmp_path / "model" / "MLmodel").read_text())
    assert described["flavors"]["python_function"]["data"] == "data"
    loaded = _load_pyfunc(str(tmp_path / "model" / "data"))
    rows = [{"age": 65, "income": 3.9}, {"age": 21, "income": 1.1}]
    assert loaded.predict(rows).tolist() == ["yes", "no"]
    assert loaded.predict({"age": [65, 21], "income": [3.9, 1.1]}).tolist() == ["yes", "no"]
    assert loaded.predict([[65, 3.9], [21, 1.1]]).tolist() == ["yes", "no"]


def test_the_folder_is_made_once(store):
    version = register(store)
    desk = Desk(store)
    assert set(folder_of(desk, version)) >= {"MLmodel", "data/version.json", "requirements.txt"}
    assert folder_of(desk, version) == folder_of(desk, version)


def test_files_of_a_version_are_read_and_never_changed(api, store):
    register(store)
    query = {"name": "churn", "version": "1"}
    uri = api.get("/api/2.0/mlflow/model-versions/get-download-uri", params=query).json()
    assert uri == {"artifact_uri": "mlflow-artifacts:/versions/churn/1"}
    proxy = "/api/2.0/mlflow-artifacts/artifacts"
    assert api.get(f"{proxy}/versions/churn/1/requirements.txt").text.startswith("penstock==")
    assert api.put(f"{proxy}/versions/churn/1/requirements.txt", content=b"x").status_code == 400
    assert api.delete(f"{proxy}/versions/churn/1").status_code == 400


@pytest.mark.slow
def test_the_real_client_loads_penstocks_champion(own_server, new_client, mlflow_python):
    with open_store(own_server.store) as store:
        register(store)
        Registry(store=store).promote("churn", 1, reason="better")
    found = new_client(own_server.url)("""
import importlib.util
import pandas as pd
if importlib.util.find_spec("penstock") is not None:
    model = mlflow.pyfunc.load_model("models:/churn@champion")
    result = model.predict(pd.DataFrame({"age": [65, 21], "income": [3.9, 1.1]})).tolist()
""")
    assert found in (["yes", "no"], None)  # None where penstock is not beside mlflow
