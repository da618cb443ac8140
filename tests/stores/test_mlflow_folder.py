"""A model folder's description decides which file is the model; a hostile one decides nothing else."""

import json

import pytest

from penstock.core import SerializationError
from penstock.stores import StoredModel, find_model_format, read_mlflow_folder

SIGNATURE = json.dumps([{"type": "double", "name": "age", "required": True}])


def describe(**flavors):
    return json.dumps({"flavors": flavors, "signature": {"inputs": SIGNATURE}}).encode()


def pyfunc(name):
    return {"loader_module": f"mlflow.{name}"}


XGBOOST = {"data": "model.ubj", "model_class": "xgboost.sklearn.XGBClassifier"}


@pytest.mark.parametrize(
    ("name", "flavor", "expected"),
    [
        ("xgboost", XGBOOST, ("model.ubj", "xgboost", {"class": "XGBClassifier"})),
        ("xgboost", {"data": "model.xgb"}, ("model.xgb", "xgboost", {})),
        ("lightgbm", {"data": "model.lgb"}, ("model.lgb", "lightgbm", {})),
        (
            "lightgbm",
            {
                "data": "model.skops",
                "model_class": "lightgbm.sklearn.LGBMClassifier",
                "serialization_format": "skops",
            },
            ("model.skops", "skops", {}),
        ),
        (
            "catboost",
            {"data": "model.cb", "model_type": "CatBoostRegressor", "save_format": "cbm"},
            ("model.cb", "catboost", {"class": "CatBoostRegressor"}),
        ),
        ("onnx", {"data": "model.onnx"}, ("model.onnx", "onnx", {})),
        (
            "sklearn",
            {"pickled_model": "model.skops", "serialization_format": "skops"},
            ("model.skops", "skops", {}),
        ),
    ],
)
def test_a_flavor_without_code_names_its_file(name, flavor, expected):
    folder = read_mlflow_folder(describe(**{name: flavor, "python_function": pyfunc(name)}))
    assert (folder.file, folder.format, folder.facts) == expected
    assert folder.inputs == ({"type": "double", "name": "age", "required": True},)


@pytest.mark.parametrize(
    "flavors",
    [
        {"sklearn": {"pickled_model": "model.pkl", "serialization_format": "cloudpickle"}},
        {"sklearn": {"pickled_model": "model.pkl"}},
        {"lightgbm": {"data": "model.pkl", "model_class": "lightgbm.sklearn.LGBMRegressor"}},
        {"python_function": {"loader_module": "mlflow.pyfunc.model", "python_model": "p.pkl"}},
        {"pytorch": {"model_data": "data"}, "python_function": pyfunc("pytorch")},
    ],
)
def test_a_pickle_is_refused_with_the_reason_and_the_way_out(flavors):
    with pytest.raises(SerializationError, match=r"can run any code") as told:
        read_mlflow_folder(describe(**flavors))
    assert 'serialization_format="skops"' in told.value.fix
    assert "UnsafeModel" in told.value.fix


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"a: &x [1]\nb: *x\n", "refers to parts of itself"),
        (b"[" * 100_000, "nested too deep"),
        (b"a: 1\n" * 600_000, "bytes, and may have"),
        (b"- " * 60_000, "nested too deep"),
        (b"x: [" + b"1, " * 60_000 + b"1]", "too many parts"),
        (b"\xff\xfe\x00", "no YAML"),
        (b"a: [", "no YAML"),
        (b"", "flavors that are not loaded here: none"),
        (b"flavors: [1, 2]", "flavors that are not loaded here: none"),
        (b"flavors: !!python/object/apply:os.system ['true']", "not loaded here: none"),
        (describe(spark={"model_data": "x"}), "not loaded here: spark"),
        (describe(xgboost={"model_class": "xgboost.core.Booster"}), "names no file"),
        (describe(xgboost={"data": "m", "model_class": "os.system"}), "of the class 'os.system'"),
        (describe(xgboost={"data": "m", "model_class": "xgboost.x.Evil"}), "of the class"),
        (describe(catboost={"data": "m", "model_type": "__init__"}), "of the class"),
        (describe(catboost={"data": "m", "save_format": "python"}), "is not read here, only cbm"),
        (describe(xgboost=XGBOOST, python_function=pyfunc("sklearn")), "loads it"),
        (describe(xgboost=XGBOOST, python_function={"loader_module": "evil"}), "'evil' loads it"),
        (describe(onnx={"data": "m"}, python_function={"predict_fn": "__reduce__"}), "predicts by"),
        (b'{"flavors": {"onnx": {"data": "m"}}, "signature": {"inputs": "[["}}', "no JSON"),
        (b'{"flavors": {"onnx": {"data": "m"}}, "signature": {"inputs": "{}"}}', "no list"),
        (b'{"flavors": {"onnx": {"data": "m"}}, "signature": {"inputs": "[]"}}', "0 columns"),
    ],
    ids=range(22),
)
def test_a_hostile_description_is_refused(data, told):
    with pytest.raises(SerializationError, match=told):
        read_mlflow_folder(data)


@pytest.mark.parametrize("file", ["../../etc/passwd", "/etc/passwd", "elsewhere", "."])
def test_a_file_that_is_none_of_the_folders_is_never_opened(file):
    described = describe(onnx={"data": file})
    stored = StoredModel(b"{}", {}, {"MLmodel": described, "model.onnx": b"x"})
    with pytest.raises(SerializationError, match="The model folder has no file"):
        find_model_format("mlflow").read(stored)


@pytest.mark.parametrize(
    ("flavor", "body"),
    [
        ({"xgboost": {"data": "m"}}, b"\x80\x04K\x01."),
        ({"xgboost": {"data": "m"}}, b"tree\nversion=v4\n"),
        ({"lightgbm": {"data": "m"}}, b"\x80\x04K\x01."),
        ({"sklearn": {"pickled_model": "m", "serialization_format": "skops"}}, b"\x80\x04K\x01."),
        ({"catboost": {"data": "m"}}, b"\x80\x04K\x01."),
        ({"onnx": {"data": "m"}}, b"\x80\x04K\x01."),
    ],
)
def test_a_flavor_that_lies_about_its_file_is_refused(flavor, body):
    for package in flavor:
        pytest.importorskip(package)
    stored = StoredModel(b"{}", {}, {"MLmodel": describe(**flavor), "m": body})
    with pytest.raises(SerializationError):
        find_model_format("mlflow").read(stored)
