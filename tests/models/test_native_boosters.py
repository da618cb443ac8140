"""Boosters of xgboost.train and lightgbm.train: registered as they are, answered as estimators."""

import numpy as np
import polars as pl
import pytest

from penstock.models import Model, infer_signature
from penstock.models._native_boosters import as_estimator
from penstock.stores import open_store

RNG = np.random.default_rng(0)
FRAME = pl.DataFrame(
    {
        "a": [None if n % 9 == 0 else float(v) for n, v in enumerate(RNG.normal(size=120))],
        "city": np.where(RNG.random(120) > 0.5, "x", "y"),
    },
    schema_overrides={"city": pl.Enum(["x", "y"])},
)
PLAIN = FRAME.select("a", b=pl.col("city").to_physical())
BINARY = (RNG.random(120) > 0.5).astype(int)
THREE = np.arange(120) % 3


def trained(package, objective, y, frame, **options):
    module = pytest.importorskip(package, reason='pip install "penstock[boosters]"')
    table = frame.to_pandas()
    if package == "xgboost":
        data = module.DMatrix(table, y, enable_categorical=True)
        return module.train({"objective": objective, "nthread": 1, **options}, data, 3)
    parameters = {"objective": objective, "verbose": -1, "num_threads": 1, **options}
    return module.train(parameters, module.Dataset(table, y), 3)


def native(package, booster, frame):
    table = frame.to_pandas()
    if package == "lightgbm":
        return booster.predict(table)
    import xgboost

    return booster.predict(xgboost.DMatrix(table, enable_categorical=True))


@pytest.mark.parametrize("frame", [FRAME, PLAIN], ids=["levels", "numbers"])
@pytest.mark.parametrize(
    ("package", "objective", "y", "options", "classes"),
    [
        ("xgboost", "binary:logistic", BINARY, {}, (0, 1)),
        ("xgboost", "multi:softprob", THREE, {"num_class": 3}, (0, 1, 2)),
        ("xgboost", "reg:squarederror", BINARY * 1.5, {}, ()),
        ("lightgbm", "binary", BINARY, {}, (0, 1)),
        ("lightgbm", "multiclass", THREE, {"num_class": 3}, (0, 1, 2)),
        ("lightgbm", "regression", BINARY * 1.5, {}, ()),
    ],
)
def test_a_booster_is_stored_natively_and_answers_what_the_library_does(
    package, objective, y, options, classes, frame, tmp_path
):
    booster = trained(package, objective, y, frame, **options)
    store = open_store(f"sqlite:///{tmp_path}/penstock.db")
    record = store.put(booster)
    assert (record.format, record.unsafe) == (package, False)
    signature = infer_signature(booster, frame, y)
    assert (signature.classes, signature.names) == (classes, frame.columns)
    found = Model(store.load(record), signature).predict(frame)
    expected = native(package, booster, frame)
    if not classes:
        assert found.values == expected.tolist()
        return
    shares = np.stack([1 - expected, expected], axis=1) if expected.ndim == 1 else expected
    assert np.array_equal(found.probabilities, shares)
    assert found.values == shares.argmax(axis=1).tolist()


@pytest.mark.parametrize("package", ["xgboost", "lightgbm"])
def test_a_row_is_answered_as_its_row_in_the_table_with_missing_values_and_levels(package):
    objective = {"xgboost": "binary:logistic", "lightgbm": "binary"}[package]
    booster = trained(package, objective, BINARY, FRAME)
    model = Model(booster, infer_signature(booster, FRAME, BINARY))
    whole = native(package, booster, FRAME)
    for place in (0, 1, 2, 9, 50):  # 0 and 9 have no value of a
        found = model.predict_rows([FRAME.row(place, named=True)])
        assert found.scores == [whole[place]]


def test_labels_of_softmax_have_probabilities_too():
    booster = trained("xgboost", "multi:softmax", THREE, PLAIN, num_class=3)
    model = Model(booster, infer_signature(booster, PLAIN, THREE))
    found = model.predict(PLAIN)
    assert found.values == native("xgboost", booster, PLAIN).astype(int).tolist()
    assert np.allclose(found.probabilities.sum(axis=1), 1)


def test_the_booster_inside_an_estimator_and_other_values_stay_as_they_are():
    class Booster:
        """Not of a library of boosters."""

    value = Booster()
    assert as_estimator(value) is value
