"""Fitted estimators: the same bytes for the same fit, the same digest fresh and reloaded, no code."""

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 - IterativeImputer needs it
from sklearn.impute import IterativeImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import StratifiedKFold, TunedThresholdClassifierCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder

from penstock.core import SerializationError
from penstock.stores import content_digest
from penstock.stores.artifacts.models._object_digest import digest_object
from penstock.stores.artifacts.models._skops import _is_allowed, read_estimator, write_estimator


def store(model):
    return write_estimator(model, digest_object(model))


def numbers(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    rows = random.normal(size=(120, 3))
    return rows, np.digitize(rows[:, 0], [-0.5, 0.5])


def table() -> tuple[pl.DataFrame, list[str]]:
    rows, classes = numbers()
    frame = pl.DataFrame(rows, schema=["a", "b", "c"]).with_columns(
        a=pl.when(pl.int_range(pl.len()) % 9 == 0).then(None).otherwise(pl.col("a")),
        k=pl.Series([["x", "y", None][i % 3] for i in range(120)]),
        m=pl.Series([str(i % 30) for i in range(120)]),
    )
    return frame, ["yes" if value else "no" for value in classes > 0]


def whole_pipeline() -> Pipeline:
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), ["a", "b", "c"]),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["k"]),
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["k"]),
        (TargetEncoder(cv=folds), ["m"]),
    )
    return make_pipeline(columns, HistGradientBoostingClassifier(max_iter=4, random_state=0))


def fitted() -> dict[str, object]:
    rows, classes = numbers()
    frame, answers = table()
    forest = RandomForestClassifier(4, random_state=np.random.RandomState(1))
    calibrated = CalibratedClassifierCV(LogisticRegression(), cv=3)
    return {
        "logistic": LogisticRegression().fit(rows, classes),
        "text classes": LogisticRegression().fit(rows, np.array(["n", "y"], object)[classes % 2]),
        "histogram classes": HistGradientBoostingClassifier(max_iter=4, random_state=0).fit(
            rows, classes
        ),
        "histogram numbers": HistGradientBoostingRegressor(max_iter=4, random_state=0).fit(
            rows, rows[:, 1]
        ),
        "forest": forest.fit(rows, classes),
        "boosting": GradientBoostingClassifier(n_estimators=3, random_state=0).fit(rows, classes),
        "ridge": Ridge().fit(rows, rows[:, 1]),
        "neighbours": KNeighborsClassifier().fit(rows, classes),
        "calibrated": calibrated.fit(rows, classes),
        "threshold": TunedThresholdClassifierCV(LogisticRegression(), cv=2).fit(rows, classes > 0),
        "iterative": make_pipeline(IterativeImputer(random_state=0), Ridge()).fit(
            np.where(rows > 1, np.nan, rows), rows[:, 1]
        ),
        "pipeline": whole_pipeline().fit(frame, answers),
        "unfitted": whole_pipeline(),
    }


NAMES = list(fitted())


@pytest.fixture(scope="module")
def models() -> dict[str, object]:
    return fitted()


@pytest.mark.parametrize("name", NAMES)
def test_a_reloaded_model_answers_the_same_and_has_the_same_digest(models, name):
    model = models[name]
    written = store(model)
    back = read_estimator(written.data)
    assert content_digest(back) == written.content_digest == content_digest(model)
    assert store(back).data == written.data
    if name != "unfitted":
        rows = table()[0] if name == "pipeline" else numbers()[0]
        assert np.array_equal(back.predict(rows), model.predict(rows))


def test_using_a_model_does_not_change_its_digest():
    rows, classes = numbers()
    for model in (KNeighborsClassifier(algorithm="kd_tree"), RandomForestClassifier(3)):
        before = content_digest(model.fit(rows, classes))
        model.predict_proba(rows)
        assert content_digest(model) == before


def test_another_fit_has_another_digest(models):
    digests = {content_digest(model) for model in models.values()}
    assert len(digests) == len(models)
    rows, classes = numbers(seed=1)
    assert content_digest(LogisticRegression().fit(rows, classes)) not in digests
    rows, classes = numbers()
    changed = LogisticRegression(C=1.0 + 1e-12).fit(rows, classes)
    assert content_digest(changed) != content_digest(models["logistic"])


def test_the_same_fit_in_another_process_has_the_same_digest_and_bytes():
    code = (
        "import importlib.util, json, sys;"
        "spec = importlib.util.spec_from_file_location('case', sys.argv[1]);"
        "case = importlib.util.module_from_spec(spec); spec.loader.exec_module(case);"
        "done = {n: case.store(m) for n, m in case.fitted().items()};"
        "from penstock.core import digest_bytes;"
        "print(json.dumps({n: [w.content_digest, digest_bytes(w.data)] for n, w in done.items()}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, __file__],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "77"},
    )
    from penstock.core import digest_bytes

    here = {name: store(model) for name, model in fitted().items()}
    expected = {name: [w.content_digest, digest_bytes(w.data)] for name, w in here.items()}
    assert json.loads(done.stdout) == expected


def test_a_class_that_no_file_defines_by_name_is_refused_by_name():
    class OwnScaler(TransformerMixin, BaseEstimator):
        def fit(self, rows, target=None):
            return self

        def transform(self, rows):
            return rows

    model = make_pipeline(OwnScaler(), LogisticRegression()).fit(*numbers())
    with pytest.raises(SerializationError, match="OwnScaler") as caught:
        store(model)
    assert "recorded source" in str(caught.value)


def hostile(module: str, name: str, loader: str) -> bytes:
    """An archive of ours in which one part was replaced by another type."""
    source = io.BytesIO(store(LogisticRegression()).data)
    with zipfile.ZipFile(source) as archive:
        schema = json.loads(archive.read("schema.json"))
    arguments = {"__class__": "tuple", "__module__": "builtins", "__loader__": "TupleNode"}
    text = {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "is_json": True}
    arguments["content"] = [{**text, "content": '"touch /tmp/penstock-was-here"', "__id__": 9001}]  # type: ignore[assignment]
    schema["content"]["content"]["C"] = {
        "__class__": name,
        "__module__": module,
        "__loader__": loader,
        "__id__": 9000,
        "content": {**arguments, "__id__": 9002},
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("schema.json", json.dumps(schema))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("module", "name", "loader"),
    [
        ("os", "system", "FunctionNode"),
        ("posix", "system", "FunctionNode"),
        ("builtins", "eval", "TypeNode"),
        ("subprocess", "Popen", "ConstructorFromReduceNode"),
        ("pathlib", "Path", "ObjectNode"),
        ("penstock.features", "open_store", "ObjectNode"),
        ("sklearn.externals._packaging.version", "Version", "ConstructorFromReduceNode"),
    ],
)
def test_an_archive_that_names_a_foreign_type_is_refused(module, name, loader):
    with pytest.raises(SerializationError, match="not allowed"):
        read_estimator(hostile(module, name, loader))
    assert not Path("/tmp/penstock-was-here").exists()


@pytest.mark.parametrize("data", [b"", b"not a zip", b"\x80\x04\x95garbage"])
def test_bytes_that_are_no_archive_are_refused(data):
    with pytest.raises(SerializationError, match="no skops archive"):
        read_estimator(data)


def test_sets_have_one_order_in_the_archive():
    # A set's order depends on how it was filled; this one's order differs between the two.
    first, second = {8 * i for i in range(20)}, {8 * i for i in reversed(range(20))}
    models = [make_pipeline(StandardScaler()).set_params(memory=None) for _ in range(2)]
    models[0].marks, models[1].marks = first, second
    written = [store(model) for model in models]
    assert list(first) != list(second)
    assert written[0].data == written[1].data
    assert read_estimator(written[0].data).marks == first


def test_boosters_inside_a_pipeline_come_back_the_same():
    lightgbm, xgboost = pytest.importorskip("lightgbm"), pytest.importorskip("xgboost")
    rows, classes = numbers()
    for last in (
        lightgbm.LGBMClassifier(n_estimators=3, verbose=-1),
        xgboost.XGBClassifier(n_estimators=3),
    ):
        model = Pipeline([("scale", StandardScaler()), ("model", last)]).fit(rows, classes)
        written = store(model)
        back = read_estimator(written.data)
        assert content_digest(back) == written.content_digest
        assert np.array_equal(back.predict_proba(rows), model.predict_proba(rows))


def test_storing_a_model_loads_no_library_of_tensors(tmp_path):
    (tmp_path / "cupy.py").write_text("raise SystemExit('CuPy was imported')")
    program = """
from sklearn.linear_model import Ridge
from penstock.stores.artifacts.models._skops import read_estimator, write_estimator
print(read_estimator(write_estimator(Ridge().fit([[0], [1]], [0, 1]), "").data).coef_)
"""
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, check=False, capture_output=True
    )
    assert done.stdout == b"[0.33333333]\n", done.stderr


@pytest.mark.parametrize(
    "name",
    [
        "sklearn.impute._iterative.IterativeImputer",
        "sklearn.model_selection._search_successive_halving.HalvingGridSearchCV",
        "sklearn.model_selection._search_successive_halving.HalvingRandomSearchCV",
    ],
)
def test_experimental_estimators_are_known_whenever_they_were_enabled(name):
    """skops lists public estimators once, when it is loaded; a training step enables them later."""
    assert _is_allowed(name)
