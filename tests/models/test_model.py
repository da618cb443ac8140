"""Model: predictions, probabilities and warnings together, whatever frame the estimator takes; safe loading."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import LinearSVC

from penstock.core import (
    DataError,
    ModelVersionRecord,
    ParameterError,
    SerializationError,
    ServingError,
    Stage,
    StoreError,
)
from penstock.models import Model, Signature, infer_signature
from penstock.stores import open_store
from penstock.tables import Column

X = pl.DataFrame({"age": [20.0, 30.0, 40.0, 50.0] * 5, "city": ["a", "b", "a", "c"] * 5})
LABELS = ["no", "no", "yes", "yes"] * 5


def fitted(y=LABELS):
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["city"]),
        remainder="passthrough",
    )
    return make_pipeline(columns, LogisticRegression()).fit(X, y)


@pytest.fixture(scope="module")
def model():
    estimator = fitted()
    return Model(estimator, infer_signature(estimator, X, LABELS))


def test_predictions_are_the_estimators_as_plain_values(model):
    values = model.predict(X).values
    assert values == model.estimator.predict(X).tolist()
    assert {type(value) for value in values} == {str}


def test_scores_are_probabilities_of_the_positive_class(model):
    expected = model.estimator.predict_proba(X)[:, 1]
    # Not bit for bit: the processor decides how scikit-learn's product of many rows is rounded.
    np.testing.assert_allclose(model.predict(X).scores, expected, rtol=1e-12)
    turned = Model(model.estimator, replace(model.signature, positive="no"))
    np.testing.assert_allclose(turned.predict(X).scores, 1 - expected)


def test_scores_of_many_classes_are_of_the_likeliest():
    numbers, labels = X.select("age"), ["a", "b", "c", "b"] * 5
    estimator = GaussianNB().fit(numbers, labels)
    many = Model(estimator, infer_signature(estimator, numbers, labels))
    found = many.predict(numbers)
    assert found.scores == estimator.predict_proba(numbers).max(axis=1).tolist()
    assert found.probabilities.shape == (20, 3)


def test_scores_of_two_classes_without_a_positive_one_are_of_the_likelier():
    numbers = X.select("age") if "age" in X.columns else X.select(X.columns[:1])
    labels = ["cat" if label == LABELS[0] else "dog" for label in LABELS]
    estimator = LogisticRegression().fit(numbers, labels)
    found = Model(estimator, infer_signature(estimator, numbers, labels)).predict(numbers)
    assert found.scores == found.probabilities.max(axis=1).tolist()


def test_a_regression_has_no_scores():
    numbers = X.select("age")
    estimator = LinearRegression().fit(numbers, range(20))
    regression = Model(estimator, infer_signature(estimator, numbers))
    assert not regression.has_probabilities
    assert regression.predict(numbers).probabilities is None
    found = regression.predict_rows([{"age": 20}])
    assert type(found.values[0]) is float
    assert found.scores == [None]


def test_rows_are_answered_with_score_and_warnings(model):
    rows = [{"age": 20, "city": "a"}, {"age": 99, "city": "c"}]
    found = model.predict_rows(rows)
    frame = pl.DataFrame(rows).with_columns(pl.col("age").cast(pl.Float64))
    assert found.values == model.predict(frame).values
    assert found.scores == model.predict(frame).scores
    assert found.warnings == [
        (),
        ("age: 99 is outside the training range 20 to 50.",),
    ]


def test_columns_are_taken_by_name_in_any_order(model):
    turned = X.select("city", pl.lit(1).alias("more"), "age")
    assert model.predict(turned).values == model.predict(X).values


def test_a_missing_column_is_named(model):
    with pytest.raises(DataError, match=r"Column 'age' is missing.*Did you mean 'ages'"):
        model.predict(X.rename({"age": "ages"}))
    with pytest.raises(DataError, match="Column 'age' is missing, and 1 more"):
        model.predict(X.select(pl.lit(1)))


ONE = Signature((Column("a", "integer", "Int64"),))


class Answering:
    def __init__(self, answers):
        self.answers = answers

    def predict(self, frame):
        return self.answers


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ([1.0, float("nan")], "predicted nan for row 1"),
        ([float("inf"), 1.0], "predicted inf for row 0"),
        ([None, 1.0], "predicted None for row 0"),
        ([1.0], "returned 1 predictions for 2 rows"),
    ],
)
def test_an_answer_that_is_none_is_refused(answers, words):
    broken = Model(Answering(answers), ONE)
    with pytest.raises(ServingError, match=words):
        broken.predict(pl.DataFrame({"a": [1, 2]}))


@pytest.mark.parametrize(
    "answers", [pl.Series([1, 2]), np.array([[1], [2]]), [np.int64(1), np.int64(2)], (1, 2)]
)
def test_answers_of_any_kind_become_plain(answers):
    found = Model(Answering(answers), ONE).predict(pl.DataFrame({"a": [1, 2]}))
    assert (found.values, len(found)) == ([1, 2], 2)


def test_pandas_and_numpy_frames_are_given_as_recorded(model):
    for kind, expected in (("pandas", "DataFrame"), ("numpy", "ndarray"), ("polars", "DataFrame")):
        seen: list[Any] = []

        class Looking:
            def predict(self, frame, seen=seen):
                seen.append(type(frame))
                return [1] * len(frame)

        Model(Looking(), replace(model.signature, frame=kind, classes=())).predict(X)
        assert seen[0].__name__ == expected
        assert seen[0].__module__.split(".")[0] == kind


def version(record, signature):
    return ModelVersionRecord(
        "m", 1, Stage.NONE, None, "", record.digest, record.content_digest, datetime.now(UTC),
        signature=signature.to_json(),
    )  # fmt: skip


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as opened:
        yield opened


def test_a_stored_model_answers_as_before(store, model):
    loaded = Model.load(version(store.put(model.estimator), model.signature), store=store)
    assert loaded.signature == model.signature
    assert loaded.predict(X).scores == model.predict(X).scores
    found = loaded.predict_rows([{"age": 20, "city": "a"}])
    assert (found.values, found.warnings) == (model.predict(X).values[:1], [()])


def test_a_pickled_model_is_not_loaded(store, model):
    pickled = store.put(Answering([1]))
    assert pickled.unsafe
    with pytest.raises(SerializationError, match="can only be stored as a pickle"):
        Model.load(version(pickled, model.signature), store=store)


def test_a_damaged_model_is_not_loaded(store, model):
    record = store.put(model.estimator)
    path = Path(store.artifacts.path(record.digest))
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(StoreError):
        Model.load(version(record, model.signature), store=store)


@pytest.mark.parametrize("package", ["xgboost", "lightgbm"])
def test_boosters_are_loaded_and_answer_as_before(store, package):
    module = pytest.importorskip(package)
    name = {"xgboost": "XGBClassifier", "lightgbm": "LGBMClassifier"}[package]
    numbers, labels = X.select("age"), [0, 0, 1, 1] * 5
    options = {"verbose": -1} if package == "lightgbm" else {}
    estimator = getattr(module, name)(n_estimators=3, **options).fit(numbers.to_numpy(), labels)
    signature = infer_signature(estimator, numbers, labels)
    record = store.put(estimator)
    assert not record.unsafe
    loaded = Model.load(version(record, signature), store=store)
    assert loaded.predict(numbers).values == estimator.predict(numbers.to_numpy()).tolist()
    assert signature.accepts_missing is True


def test_a_model_of_an_estimator_has_its_features_classes_and_frame_type():
    numbers = X.select("age")
    named = Model.of(LogisticRegression().fit(numbers, LABELS), X)
    assert (named.signature.names, named.signature.classes) == (["age"], ("no", "yes"))
    assert (named.signature.frame, named.signature.positive) == ("polars", "yes")
    bare = Model.of(LogisticRegression().fit(numbers.to_numpy(), LABELS), numbers)
    assert bare.signature.frame == "numpy"
    assert bare.predict(numbers).values == named.predict(X).values


def test_a_model_that_takes_pandas_only_is_asked_with_pandas():
    class OnlyPandas:
        def predict(self, frame):
            return frame.assign(b=frame["age"] * 2)["b"].to_numpy()

    assert Model.of(OnlyPandas(), X).signature.frame == "pandas"


def test_a_missing_feature_is_named_with_the_close_one():
    estimator = LogisticRegression().fit(X.select("age"), LABELS)
    with pytest.raises(DataError, match=r"1 column\(s\).*'age'.*Did you mean 'ages'"):
        Model.of(estimator, X.rename({"age": "ages"}))


def test_what_cannot_predict_is_no_model():
    with pytest.raises(DataError, match=r"An int has no predict\(\)"):
        Model.of(1, X)


def test_predictions_as_they_are_hold_what_is_not_usable():
    found = Model(Answering([float("nan"), 1.0]), ONE).predict_as_is(pl.DataFrame({"a": [1, 2]}))
    assert np.isnan(found.values[0])
    assert found.scores == [None, None]


def test_decision_values_stand_in_for_probabilities():
    numbers = X.select("age")
    estimator = LinearSVC().fit(numbers, LABELS)
    model = Model.of(estimator, numbers)
    assert model.predict(numbers).probabilities is None
    expected = estimator.decision_function(numbers)
    assert np.array_equal(model.decision_values(numbers), expected)
    regression = Model.of(LinearRegression().fit(numbers, range(20)), numbers)
    assert regression.decision_values(numbers) is None


@pytest.mark.parametrize("reference", ["churn@1", 3, None])
def test_a_name_in_the_place_of_a_version_is_told(reference):
    with pytest.raises(ParameterError, match=r"version of Model.load is") as raised:
        Model.load(reference)
    assert 'Registry().get("churn", 1)' in raised.value.fix
