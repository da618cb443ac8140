"""Files of a model folder of MLflow's become a model: same predictions, kept with its files."""

import json
import re
from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from penstock.core import DataError, ModelVersionRecord, SerializationError, Stage, now
from penstock.models import Model, store_mlflow_folder
from penstock.models import _mlflow_model as module
from penstock.stores import collect_garbage, copy_store, open_store

RNG = np.random.default_rng(8)
X = pl.DataFrame({"age": RNG.normal(50, 9, 200), "income": RNG.normal(3, 1, 200)})
Y = (X["age"] + 9 * X["income"] > 77).to_numpy().astype(int)
COLUMNS = [{"type": "double", "name": name, "required": name == "age"} for name in X.columns]
ROW = {"age": 61.5, "income": 4.25}


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as opened:
        yield opened


def skops_file(estimator):
    return pytest.importorskip("skops.io").dumps(estimator)


def keep(store, folder, flavor, files, *, columns=COLUMNS, **described):
    """Store the files of a folder as MLflow's client writes them."""
    inputs = {} if columns is None else {"signature": {"inputs": json.dumps(columns)}}
    mlmodel = json.dumps({"flavors": flavor, **inputs, **described})
    folder.mkdir(exist_ok=True)
    for name, content in {"MLmodel": mlmodel.encode(), **files}.items():
        (folder / name).write_bytes(content)
    paths = sorted(folder.iterdir())
    records = store.pack_files(paths)
    store.metadata.artifacts.add(list(records))
    found = {path.name: record for path, record in zip(paths, records, strict=True)}
    return store_mlflow_folder(found, {"registration": "1"}, store=store)


def register(store, stored):
    version = ModelVersionRecord(
        model="churn",
        version=0,
        stage=Stage.NONE,
        run_id=None,
        trained_by="ada",
        artifact=stored.record.digest,
        content_digest=stored.record.content_digest,
        created_at=now(),
        signature=dict(stored.signature),
    )
    return store.metadata.models.create_version(version, actor="ada")


SKLEARN = {"sklearn": {"pickled_model": "model.skops", "serialization_format": "skops"}}


def test_an_archive_of_skops_predicts_checks_and_stays_with_its_files(store, tmp_path):
    fitted = LogisticRegression().fit(X.to_pandas(), Y)
    stored = keep(store, tmp_path / "m", SKLEARN, {"model.skops": skops_file(fitted)})
    assert stored.reason == ""
    version = register(store, stored)
    model = Model.load(version, store=store)
    assert model.signature.classes == (0, 1)
    expected = fitted.predict_proba(X.head(9).to_pandas())
    assert np.array_equal(model.predict(X.head(9)).probabilities, expected)
    # Types and required columns are the signature's, which knows no range: nothing is warned about.
    assert model.predict_rows([{**ROW, "age": 1e9}]).warnings == [()]
    with pytest.raises(DataError, match="age"):
        model.predict_rows([{"age": "old", "income": 1.0}])
    with pytest.raises(DataError, match="'age' is missing"):
        model.predict_rows([{"income": 1.0}])
    # The files stay as long as the version does, also in a copy.
    collect_garbage(delete=True, older_than=timedelta(0), grace=timedelta(0), store=store)
    with open_store(f"sqlite:///{tmp_path}/copy.db") as copy:
        copy_store(store, copy)
        again = Model.load(copy.metadata.models.get_version("churn", 1), store=copy)
        assert again.predict_rows([ROW]).values == model.predict_rows([ROW]).values


@pytest.mark.parametrize("form", ["ubj", "json"])
def test_an_estimator_of_xgboost_predicts_up_to_its_best_tree(store, tmp_path, form):
    xgboost = pytest.importorskip("xgboost")
    fitted = xgboost.XGBClassifier(n_estimators=60, early_stopping_rounds=2, learning_rate=1.0)
    fitted.fit(X[:150].to_pandas(), Y[:150], eval_set=[(X[150:].to_pandas(), Y[150:])], verbose=0)
    assert fitted.best_iteration < fitted.get_booster().num_boosted_rounds() - 1
    flavor = {"xgboost": {"data": "m", "model_class": "xgboost.sklearn.XGBClassifier"}}
    files = {"m": bytes(fitted.get_booster().save_raw(form))}
    model = Model.load(register(store, keep(store, tmp_path / "m", flavor, files)), store=store)
    expected = fitted.predict_proba(X.to_pandas())
    assert np.array_equal(model.predict(X).probabilities, expected)


def test_a_booster_of_lightgbm_predicts_as_it_did(store, tmp_path):
    lightgbm = pytest.importorskip("lightgbm")
    fitted = lightgbm.LGBMClassifier(n_estimators=9, verbose=-1).fit(X.to_pandas(), Y)
    files = {"model.lgb": fitted.booster_.model_to_string().encode()}
    stored = keep(store, tmp_path / "m", {"lightgbm": {"data": "model.lgb"}}, files)
    model = Model.load(register(store, stored), store=store)
    assert np.allclose(model.predict(X).probabilities, fitted.predict_proba(X.to_pandas()))


def test_an_estimator_of_catboost_predicts_as_it_did(store, tmp_path):
    catboost = pytest.importorskip("catboost")
    labels = np.where(Y == 1, "yes", "no")
    fitted = catboost.CatBoostClassifier(iterations=5, verbose=0, allow_writing_files=False)
    fitted.fit(X.to_pandas(), labels)
    fitted.save_model(str(tmp_path / "model.cb"))
    flavor = {"catboost": {"data": "model.cb", "model_type": "CatBoostClassifier"}}
    files = {"model.cb": (tmp_path / "model.cb").read_bytes()}
    model = Model.load(register(store, keep(store, tmp_path / "m", flavor, files)), store=store)
    assert model.signature.classes == ("no", "yes")
    assert model.predict(X.head(20)).values == fitted.predict(X.head(20).to_pandas()).tolist()


@pytest.mark.parametrize("columns", [None, COLUMNS])
def test_a_graph_of_onnx_predicts_as_it_did(store, tmp_path, columns):
    skl2onnx = pytest.importorskip("skl2onnx")
    pytest.importorskip("onnxruntime")
    fitted = LogisticRegression().fit(X.to_numpy(), Y)
    graph = skl2onnx.to_onnx(fitted, X.to_numpy().astype("float32"), options={"zipmap": False})
    files = {"model.onnx": graph.SerializeToString()}
    stored = keep(store, tmp_path / "m", {"onnx": {"data": "model.onnx"}}, files, columns=columns)
    assert stored.reason == ""
    model = Model.load(register(store, stored), store=store)
    names = X.columns if columns else ["x0", "x1"]
    assert model.signature.names == names
    values = model.predict_rows([dict(zip(names, ROW.values(), strict=True))]).values
    assert values == fitted.predict([[*ROW.values()]]).tolist()


def test_an_example_says_which_texts_a_column_may_have(store, tmp_path):
    pandas = pytest.importorskip("pandas")
    rows = pandas.DataFrame({"plan": ["gold", "basic"] * 20})
    fitted = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(rows, [1, 0] * 20)
    columns = [{"type": "string", "name": "plan", "required": True}]
    files = {"model.skops": skops_file(fitted)}
    without = keep(store, tmp_path / "a", SKLEARN, files, columns=columns)
    assert without.reason.startswith("The model cannot predict a made-up row of its signature.")
    files["input_example.json"] = json.dumps({"columns": ["plan"], "data": [["gold"]]}).encode()
    info = {"artifact_path": "input_example.json"}
    stored = keep(
        store, tmp_path / "b", SKLEARN, files, columns=columns, saved_input_example_info=info
    )
    model = Model.load(register(store, stored), store=store)
    assert model.predict_rows([{"plan": "basic"}]).values == [0]


PICKLE = {"sklearn": {"pickled_model": "model.pkl", "serialization_format": "cloudpickle"}}


@pytest.mark.parametrize(
    ("flavor", "files", "columns", "told"),
    [
        (PICKLE, {"model.pkl": b"\x80\x04."}, COLUMNS, "holds its model as cloudpickle"),
        (SKLEARN, {"model.skops": b"\x80\x04."}, COLUMNS, "skops"),
        (SKLEARN, {}, COLUMNS, "has no file 'model.skops'"),
        ({"onnx": {"data": "../MLmodel"}}, {}, COLUMNS, r"has no file '\.\./MLmodel'"),
    ],
)
def test_what_cannot_be_loaded_stays_as_files_and_says_why(
    store, tmp_path, flavor, files, columns, told
):
    stored = keep(store, tmp_path / "m", flavor, files, columns=columns)
    assert stored.signature == {}
    version = register(store, stored)
    with pytest.raises(SerializationError, match=told) as refused:
        Model.load(version, store=store)
    assert refused.value.what == stored.reason


def test_a_folder_without_a_signature_is_not_guessed(store, tmp_path):
    fitted = LogisticRegression().fit(X.to_numpy(), Y)
    files = {"model.skops": skops_file(fitted)}
    stored = keep(store, tmp_path / "m", SKLEARN, files, columns=None)
    assert stored.reason == "The model folder of MLflow has no signature."


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ([{"type": "object", "name": "a"}], "has the type 'object'"),
        ([{"type": "double", "name": "a"}] * 2, "two columns of one name"),
        ([{"type": "double", "name": "age"}], r"2 (features|columns)|features"),
        ([{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}}], "an array"),
        (
            [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 1 << 40]}}],
            "an array",
        ),
    ],
)
def test_a_signature_that_is_not_the_models_is_refused(store, tmp_path, columns, told):
    fitted = LogisticRegression().fit(X.to_numpy(), Y)
    files = {"model.skops": skops_file(fitted)}
    stored = keep(store, tmp_path / "m", SKLEARN, files, columns=columns)
    assert stored.signature == {}
    document = store.load(stored.record)["mlflow"]["refused"]
    assert re.search(told, " ".join(document.values()))


def test_an_array_of_columns_gets_names(store, tmp_path):
    fitted = LogisticRegression().fit(X.to_numpy(), Y)
    columns = [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2]}}]
    files = {"model.skops": skops_file(fitted)}
    stored = keep(store, tmp_path / "m", SKLEARN, files, columns=columns)
    model = Model.load(register(store, stored), store=store)
    assert model.predict_rows([{"x0": 61.5, "x1": 4.25}]).values == [1]


def test_a_file_too_large_for_the_memory_is_not_read(store, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_MOST_BYTES", 10)
    stored = keep(store, tmp_path / "m", SKLEARN, {"model.skops": b"x" * 11})
    assert stored.reason == "The file 'model.skops' of the model folder has 11 bytes."


def test_a_file_that_was_changed_in_the_store_is_refused(store, tmp_path):
    fitted = LogisticRegression().fit(X.to_pandas(), Y)
    stored = keep(store, tmp_path / "m", SKLEARN, {"model.skops": skops_file(fitted)})
    other = store.put(b"something else")
    parts = {**stored.record.metadata["parts"], "model.skops": other.digest}
    with pytest.raises(SerializationError):
        store.load(replace(stored.record, metadata={"parts": parts}))
