"""The ONNX form: it answers only where it was shown to answer alike, beside thresholds too."""

import copy
import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    BaggingClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from penstock.core import DataError, SerializationError
from penstock.models import (
    LabelEncodingClassifier,
    Model,
    OnnxForm,
    infer_signature,
    make_onnx_form,
)
from penstock.models._onnx_check import _beside_thresholds, _difference, _Native, _require_labels
from penstock.models._onnx_convert import Converted, NotConverted
from penstock.models._onnx_estimator import OnnxEstimator
from penstock.models._onnx_form import FormAnswers
from penstock.models._rows import RowChecker
from penstock.stores import open_store

for package in ("onnxruntime", "skl2onnx", "onnxmltools"):
    pytest.importorskip(package, reason='pip install "penstock[onnx]"')

RNG = np.random.default_rng(11)
X = pl.DataFrame(RNG.normal(size=(300, 4)), schema=["a", "b", "c", "d"])
NUMBER = (X["a"] * 3 + X["b"] ** 2).to_numpy()
LABEL = np.where(X["a"] + X["b"] > 0, "yes", "no")
SIZE = np.digitize(NUMBER, [-2.0, 2.0])


def both(estimator: Any, y: Any, rows: pl.DataFrame = X) -> tuple[OnnxForm, Model, Model]:
    """Return the form, and the model in its native form and with the form."""
    fitted = estimator.fit(rows.to_pandas() if "Cat" in str(type(estimator)) else rows, y)
    signature = infer_signature(fitted, rows, list(y))
    form = make_onnx_form(fitted, signature, rows)
    return form, Model(fitted, signature), Model(fitted, signature, form)


def check_alike(form: OnnxForm, native: Model, model: Model, rows: pl.DataFrame) -> None:
    first, second = native.predict(rows), model.predict(rows)
    if native.signature.classes:
        assert first.values == second.values
        assert np.abs(first.probabilities - second.probabilities).max() <= form.tolerance
    else:
        expected = np.array(first.values)
        worst = np.abs(expected - second.values) / np.maximum(np.abs(expected), 1)
        assert worst.max() <= form.tolerance


@pytest.mark.parametrize(
    ("estimator", "y"),
    [
        (LogisticRegression(), LABEL),
        (LogisticRegression(), SIZE),
        (LinearRegression(), NUMBER),
        (DecisionTreeClassifier(random_state=0), SIZE),
        (RandomForestClassifier(20, random_state=0), LABEL),
        (RandomForestRegressor(10, random_state=0), NUMBER),
        (GradientBoostingRegressor(n_estimators=10), NUMBER),
    ],
)
def test_forms_of_scikit_learn_answer_as_the_models_do(estimator, y):
    form, native, model = both(estimator, y)
    assert (form.form, form.agrees, form.converter[:8]) == ("onnx", True, "skl2onnx"), form.reason
    assert form.largest_difference <= form.tolerance
    assert (model.answered_by, native.answered_by) == ("onnx", "native")
    fresh = pl.DataFrame(RNG.normal(size=(2000, 4)), schema=X.columns)
    check_alike(form, native, model, fresh)
    # Together as each alone, to the last bit: server and batch answer alike.
    together = model.predict(fresh[:64])
    for place in range(0, 64, 7):
        alone = model.predict(fresh[place])
        assert alone.values[0] == together.values[place]
        if together.probabilities is not None:
            assert (alone.probabilities[0] == together.probabilities[place]).all()
    assert model.is_row_wise


MIXED = X.with_columns(c=(X["c"] * 100).cast(pl.Int64), d=(X["d"] * 9).cast(pl.Int16))


@pytest.mark.parametrize(
    ("estimator", "y"),
    [
        (LogisticRegression(), LABEL),
        (LinearRegression(), NUMBER),
        (HistGradientBoostingClassifier(max_iter=5), SIZE),
        (HistGradientBoostingRegressor(max_iter=5), NUMBER),
    ],
)
def test_few_rows_without_a_frame_have_the_bits_of_a_frame(estimator, y, monkeypatch):
    rows = MIXED.with_columns(a=pl.when(pl.int_range(pl.len()) % 9 > 0).then("a"))
    rows = rows if "Hist" in type(estimator).__name__ else MIXED
    _, _, model = both(estimator, y, rows)
    assert model.answered_by == "onnx"
    strange = {"a": 1e9, "b": -0.0, "c": 3.0, "d": 7}  # answered by the native estimator
    asked = [*rows.head(20).to_dicts(), strange, {**strange, "b": 5}]
    alone = [model.predict_rows([row]).values[0] for row in asked]
    few = model.predict_rows(asked)
    assert few.values == alone
    frames = []
    build = RowChecker._build
    monkeypatch.setattr(
        RowChecker, "_build", lambda self, *given: frames.append(1) or build(self, *given)
    )
    model.predict_rows(rows.head(2).to_dicts())
    assert frames == []
    whole, warnings = model.signature.check_rows(asked)
    expected = model._predict(whole, warnings)
    assert few.values == expected.values
    assert few.warnings == expected.warnings
    if expected.probabilities is not None:
        assert few.probabilities.tobytes() == expected.probabilities.tobytes()
    with pytest.raises(DataError, match="'b' is 'x', not a number"):
        model.predict_rows([{**strange, "b": "x"}])
    mistakes: list[Any] = [5, [], None]
    for wrong in mistakes:
        with pytest.raises(DataError):
            model.predict_rows(wrong)


@pytest.mark.parametrize(
    ("estimator", "y"),
    [
        (LogisticRegression(max_iter=5000), LABEL),
        (LogisticRegression(max_iter=5000), SIZE),
        (RandomForestClassifier(20, random_state=0), LABEL),
        (RandomForestClassifier(20, random_state=0), SIZE),
        (LinearRegression(), NUMBER),
        (RandomForestRegressor(20, random_state=0), NUMBER),
    ],
)
def test_a_row_on_the_short_way_has_the_bits_of_a_table(estimator, y, monkeypatch):
    _, _, model = both(estimator, y, MIXED)
    answers = model._call.last
    rows = MIXED.to_dicts()
    rows += [{**rows[0], "a": 3}, {**rows[0], "a": -0.0, "c": 0}]
    rows += [{**rows[0], "a": sign * 2.0**power} for power in (30, 60) for sign in (1, -1)]
    short = 0
    for row in rows:
        plain = tuple(row[name] for name in model.signature.names)
        found = answers.answer_row(plain)
        table = pl.DataFrame([row], schema=MIXED.schema)
        if model.signature.classes:
            labels, shares = answers.predict_both(table)
        else:
            labels, shares = answers.predict(table), None
        if found is None:
            continue
        short += 1
        assert found[0] == labels.tolist()[0]
        assert type(found[0]) is type(labels.tolist()[0])
        if shares is not None:
            assert (found[1].dtype, found[1].shape) == (np.float64, shares.shape)
            assert found[1].tobytes() == shares.tobytes()
        alone = model.predict_rows([row])
        monkeypatch.setattr(Model, "_predict_row", lambda *_: None)
        table_way = model.predict_rows([row])
        monkeypatch.undo()
        assert repr((alone.values, alone.scores, alone.warnings)) == repr(
            (table_way.values, table_way.scores, table_way.warnings)
        )
    # Beside a change of the label, and far from what was compared, the native form answers.
    assert len(rows) * 0.8 < short
    assert answers.answer_row((math.nan, 0.0, 0, 0)) is None
    assert answers.answer_row((1e300, 0.0, 0, 0)) is None or not answers.is_single


def test_columns_that_are_no_doubles_are_predicted_from_a_frame():
    rows = X.with_columns(pl.col("a").cast(pl.Float32))
    _, _, model = both(LogisticRegression(), LABEL, rows)
    assert not model._takes_numbers
    assert not Model(model.estimator, model.signature)._takes_numbers


def test_forms_of_boosters_answer_as_the_models_do():
    xgboost, catboost = pytest.importorskip("xgboost"), pytest.importorskip("catboost")
    quiet = {"iterations": 5, "verbose": 0, "allow_writing_files": False}
    for estimator, y in [
        (LabelEncodingClassifier(xgboost.XGBClassifier(n_estimators=5)), LABEL),
        (xgboost.XGBClassifier(n_estimators=5), SIZE),
        (xgboost.XGBRegressor(n_estimators=5), NUMBER),
        (catboost.CatBoostClassifier(**quiet), LABEL),
        (catboost.CatBoostRegressor(**quiet), NUMBER),
    ]:
        form, native, model = both(estimator, y)
        assert form.form == "onnx", form.reason
        assert form.missing
        holes = X.with_columns(pl.when(pl.col("b") > 0).then("b").alias("b"))
        check_alike(form, native, model, holes)


def test_a_threshold_that_a_graph_rounds_is_found():
    """onnxmltools writes LightGBM's doubles as float32: right on every row of data, and wrong."""
    lightgbm = pytest.importorskip("lightgbm")
    from onnxmltools import convert_lightgbm
    from onnxmltools.convert.common.data_types import FloatTensorType

    fitted = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1).fit(X.to_numpy(), LABEL)
    graph = convert_lightgbm(
        fitted,
        initial_types=[("X", FloatTensorType([None, 4]))],
        target_opset=15,
        zipmap=False,
    )
    native, rows = _Native(fitted, is_classifier=True), X.to_numpy()
    beside = _beside_thresholds(native, rows)
    draft = OnnxForm("onnx", "", tolerance=1e-5, agrees=True, parts={"graph": graph})
    asked = FormAnswers(fitted, draft)
    made = Converted(graph, "onnxmltools", 1e-5, has_thresholds=True)
    assert _difference(asked, made, rows, native(rows), len(rows)) < 1e-6
    every = np.concatenate([rows, beside])
    with pytest.raises(NotConverted, match=r"rows beside thresholds the graph of onnxmltools"):
        _difference(asked, made, every, native(every), len(rows))


@pytest.mark.parametrize("holes", [False, True])
def test_trees_that_compare_doubles_are_graphs_of_doubles(holes):
    lightgbm = pytest.importorskip("lightgbm")
    rows = X.with_columns(pl.when(pl.col("a") < 1).then("a").alias("a")) if holes else X
    quiet = {"n_estimators": 5, "verbose": -1, "n_jobs": 1}
    for estimator, y in [
        (HistGradientBoostingClassifier(max_iter=5), LABEL),
        (HistGradientBoostingClassifier(max_iter=5), SIZE),
        (HistGradientBoostingRegressor(max_iter=5), NUMBER),
        (lightgbm.LGBMClassifier(**quiet), LABEL),
        (lightgbm.LGBMClassifier(**quiet), SIZE),
        (lightgbm.LGBMRegressor(**quiet), NUMBER),
    ]:
        form, native, model = both(estimator, y, rows)
        assert (form.form, form.missing) == ("onnx", True), form.reason
        assert form.beside_thresholds > 40
        assert form.largest_difference < 1e-7
        fresh = pl.DataFrame(RNG.normal(size=(500, 4)), schema=X.columns)
        check_alike(form, native, model, fresh)
        check_alike(form, native, model, rows[:100])


def test_trees_whose_answer_is_no_plain_sum_stay_native():
    lightgbm = pytest.importorskip("lightgbm")
    zeros = {"n_estimators": 3, "verbose": -1, "zero_as_missing": True}
    table = X.with_columns(pl.col("a").round(0).cast(pl.Int64))
    for estimator, y, rows, reason in [
        (HistGradientBoostingRegressor(loss="poisson"), np.abs(NUMBER), X, "loss poisson"),
        (HistGradientBoostingRegressor(categorical_features=[0]), NUMBER,
         table.with_columns(pl.col("a").abs()), "by categories"),
        (lightgbm.LGBMRegressor(objective="poisson", n_estimators=3, verbose=-1), np.abs(NUMBER),
         X, "objective poisson"),
        (lightgbm.LGBMRegressor(**zeros), NUMBER, table, "zeros for missing"),
        (lightgbm.LGBMRegressor(linear_tree=True, n_estimators=3, verbose=-1), NUMBER, X, "linear"),
    ]:  # fmt: skip
        form, *_ = both(estimator, y, rows)
        assert form.form == "native"
        assert reason in form.reason


def test_a_forest_that_takes_doubles_would_fail_and_is_given_float32():
    """skl2onnx's graph of doubles takes other branches beside thresholds, ours does not."""
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import DoubleTensorType

    fitted = RandomForestClassifier(20, random_state=0).fit(X.to_numpy(), LABEL)
    doubles = to_onnx(
        fitted,
        initial_types=[("X", DoubleTensorType([None, 4]))],
        options={id(fitted): {"zipmap": False}},
        target_opset={"": 18, "ai.onnx.ml": 3},
    )
    native = _Native(fitted, is_classifier=True)
    rows = _beside_thresholds(native, X.to_numpy())
    assert len(rows) >= 100
    pairs = np.sort(np.stack(np.split(rows, 2)), axis=0)
    apart = (pairs[0] != pairs[1]).sum(axis=1)
    assert (apart == 1).all()  # a pair differs in one value, by one step of a double
    assert (np.nextafter(pairs[0], np.inf) == pairs[1])[pairs[0] != pairs[1]].mean() > 0.95
    difference = np.abs(OnnxEstimator(doubles).predict_scores(rows) - native(rows)).max(axis=1)
    assert (difference > 0.01).sum() > 10


def test_transformers_before_the_estimator_stay_native():
    table = X.with_columns(city=pl.Series(RNG.choice(["Oslo", "Rome"], 300)))
    table = table.with_columns(pl.when(pl.col("a") < 1).then("a").alias("a"))
    before = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["a", "b", "c", "d"]),
        (OneHotEncoder(handle_unknown="ignore"), ["city"]),
    )
    form, native, model = both(make_pipeline(before, RandomForestClassifier(9)), LABEL, table)
    assert (form.form, form.covers) == ("onnx", "RandomForestClassifier")
    assert form.parts["inputs"].width == 6
    rows = table.with_columns(city=pl.lit("Paris"), a=pl.lit(None, pl.Float64))
    check_alike(form, native, model, rows)


def test_a_label_is_never_decided_by_rounding():
    """Two leaves of exactly one half: the graph's float32 sums could give either label."""
    rows = np.repeat(np.arange(4.0), 10)[:, None]
    y = np.where(np.arange(40) % 2 == 0, "no", "yes")
    frame = pl.DataFrame(rows, schema=["a"])
    form, native, model = both(RandomForestClassifier(7, max_depth=1, random_state=0), y, frame)
    assert form.form == "onnx", form.reason
    loose = replace(form, tolerance=0.4)  # everything is closer than this: all rows are native
    for asked in (model, Model(model.estimator, model.signature, loose)):
        assert asked.predict(frame).values == native.predict(frame).values
    shares = Model(model.estimator, model.signature, loose).predict(frame).probabilities
    assert (shares == native.predict(frame).probabilities).all()


def test_values_that_were_not_compared_are_answered_natively():
    form, native, model = both(LogisticRegression(), LABEL)
    assert form.bounded
    far = pl.DataFrame({"a": [1e15], "b": [-1e15], "c": [3.0], "d": [0.0]})
    assert (model.predict(far).probabilities == native.predict(far).probabilities).all()
    form, native, model = both(RandomForestClassifier(5, random_state=0), LABEL)
    beyond = pl.DataFrame({"a": [1e39], "b": [0.0], "c": [0.0], "d": [0.0]})
    for asked in (native, model):  # refused by the forest itself, in both forms
        with pytest.raises((ValueError, RuntimeWarning), match=r"too large|overflow"):
            asked.predict(beyond)


@pytest.mark.parametrize(
    ("estimator", "y", "reason"),
    [
        (BaggingClassifier(n_estimators=2), LABEL, "none of the kinds"),
        (RidgeClassifier(), LABEL, "no probabilities"),
    ],
)
def test_what_has_no_form_says_why(estimator, y, reason):
    form, *_ = both(estimator, y)
    assert (form.form, form.agrees) == ("native", False)
    assert form.reason.startswith(f"{type(estimator).__name__} stays in its native form")
    assert re.search(reason, form.reason), form.reason


def test_no_rows_and_other_tasks_stay_native():
    fitted = IsolationForest(n_estimators=3).fit(X)
    form = make_onnx_form(fitted, infer_signature(fitted, X), X)
    assert "outliers has no ONNX form" in form.reason
    linear = LinearRegression().fit(X, NUMBER)
    form = make_onnx_form(linear, infer_signature(linear, X, NUMBER), None)
    assert "no rows to compare" in form.reason


def test_a_network_is_compared_and_answers_only_where_it_is_asked_for():
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript", reason='pip install "penstock[onnx]"')
    from penstock.models import TorchEstimator

    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Tanh(), torch.nn.Linear(6, 2))
    network = TorchEstimator(net, classes=["no", "yes"])
    signature = infer_signature(network, X)
    form = make_onnx_form(network, signature, X)
    assert (form.form, form.agrees) == ("native", True), form.reason
    assert "--form onnx" in form.reason
    check_alike(form, Model(network, signature), Model(network, signature, form), X)


def test_a_stored_form_is_the_same_and_is_compared_again_when_it_is_loaded(tmp_path):
    form, native, model = both(RandomForestClassifier(5, random_state=0), LABEL)
    store = open_store(f"sqlite:///{tmp_path}/penstock.db")
    record = store.put(form)
    assert (record.unsafe, record.type_name) == (False, "penstock.OnnxForm")
    again = make_onnx_form(native.estimator, native.signature, X)
    assert store.put(again).digest == record.digest
    read = store.load(record)
    assert read == form
    loaded = Model(native.estimator, native.signature, read)
    assert (loaded.predict(X).probabilities == model.predict(X).probabilities).all()
    other = copy.copy(form.parts["answers"]).with_columns(pl.col("y0") + 2e-5)
    changed = replace(form, parts={**form.parts, "answers": other})
    with pytest.raises(SerializationError, match="differs by 2e-05"):
        Model(native.estimator, native.signature, changed).predict(X)


def test_sparse_rows_of_a_library_that_takes_zeros_as_missing_stay_native():
    from xgboost import XGBClassifier

    rows = pl.DataFrame({"kind": RNG.choice(["a", "b", "c", "d"], 300), "a": X["a"]})
    y = ((rows["kind"] == "a") ^ (rows["a"] > 0)).to_numpy().astype(int)
    columns = make_column_transformer(
        (OneHotEncoder(), ["kind"]), ("passthrough", ["a"]), sparse_threshold=1.0
    )
    pipeline = make_pipeline(columns, XGBClassifier(n_estimators=20, n_jobs=1))
    fitted = pipeline.fit(rows, y)
    form = make_onnx_form(fitted, infer_signature(fitted, rows, list(y)), rows)
    assert form.form == "native"
    assert "sparse" in form.reason
    linear = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(rows.select("kind"), y)
    signature = infer_signature(linear, rows.select("kind"), list(y))
    assert make_onnx_form(linear, signature, rows.select("kind")).form == "onnx"


def test_a_label_that_is_not_the_likeliest_stays_native():
    catboost = pytest.importorskip("catboost", reason='pip install "penstock[catboost]"')
    made = catboost.CatBoostClassifier(
        iterations=20, verbose=0, allow_writing_files=False, thread_count=1
    ).fit(X.to_pandas(), LABEL)
    signature = infer_signature(made, X, list(LABEL))
    assert make_onnx_form(made, signature, X).form == "onnx"
    made.set_probability_threshold(0.2)
    form = make_onnx_form(made, signature, X)
    assert (form.form, "threshold of 0.2" in form.reason) == ("native", True)


def test_labels_are_compared_as_the_model_gives_them():
    class Turned(RandomForestClassifier):
        def predict(self, X):  # noqa: N803 - scikit-learn's name
            return super().predict(X)[::-1].copy()

    honest = RandomForestClassifier(5, random_state=0).fit(X.to_numpy(), LABEL)
    turned = Turned(5, random_state=0).fit(X.to_numpy(), LABEL)
    form = both(RandomForestClassifier(5, random_state=0), LABEL)[0]
    rows = X.to_numpy().astype(np.float32).astype(float)
    _require_labels(FormAnswers(honest, form), honest, rows)
    with pytest.raises(NotConverted, match="its label is another"):
        _require_labels(FormAnswers(honest, form), turned, rows)


def test_sums_in_32_bits_that_are_too_large_for_the_tolerance_stay_native():
    from xgboost import XGBRegressor

    assert both(XGBRegressor(n_estimators=20, n_jobs=1), NUMBER)[0].form == "onnx"
    form = both(XGBRegressor(n_estimators=20, n_jobs=1), NUMBER * 1e6)[0]
    assert (form.form, "cancel out" in form.reason) == ("native", True)


def test_a_graph_that_is_refused_leaves_the_native_form():
    form = both(GradientBoostingClassifier(n_estimators=5, init="zero"), SIZE)[0]
    assert form.form == "native"
