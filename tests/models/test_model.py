"""Model: predictions as plain values, whatever frame the estimator takes; safe loading."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from penstock.core import (
    DataError,
    ModelVersionRecord,
    SerializationError,
    ServingError,
    Stage,
    StoreError,
)
from penstock.models import Answer, Model, Signature, infer_signature
from penstock.stores import open_store

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
    answers = model.predict(X)
    assert answers == model.estimator.predict(X).tolist()
    assert {type(answer) for answer in answers} == {str}


def test_scores_are_probabilities_of_the_positive_class(model):
    expected = model.estimator.predict_proba(X)[:, 1]
    assert model.predict_scores(X) == expected.tolist()
    turned = Model(model.estimator, replace(model.signature, positive="no"))
    np.testing.assert_allclose(turned.predict_scores(X), 1 - expected)


def test_scores_of_many_classes_are_of_the_likeliest():
    numbers, labels = X.select("age"), ["a", "b", "c", "b"] * 5
    estimator = GaussianNB().fit(numbers, labels)
    many = Model(estimator, infer_signature(estimator, numbers, labels))
    assert many.predict_scores(numbers) == estimator.predict_proba(numbers).max(axis=1).tolist()
    assert many.predict_proba(numbers).shape == (20, 3)


def test_a_regression_has_no_scores():
    numbers = X.select("age")
    estimator = LinearRegression().fit(numbers, range(20))
    regression = Model(estimator, infer_signature(estimator, numbers))
    assert regression.predict_scores(numbers) is None
    assert regression.predict_proba(numbers) is None
    answer = regression.predict_rows([{"age": 20}])[0]
    assert type(answer.prediction) is float
    assert answer.score is None


def test_rows_are_answered_with_score_and_warnings(model):
    rows = [{"age": 20, "city": "a"}, {"age": 99, "city": "c"}]
    answers = model.predict_rows(rows)
    frame = pl.DataFrame(rows).with_columns(pl.col("age").cast(pl.Float64))
    assert [answer.prediction for answer in answers] == model.predict(frame)
    assert [answer.score for answer in answers] == model.predict_scores(frame)
    assert [answer.warnings for answer in answers] == [
        (),
        ("age: 99 is outside the training range 20 to 50.",),
    ]


def test_columns_are_taken_by_name_in_any_order(model):
    assert model.predict(X.select("city", pl.lit(1).alias("more"), "age")) == model.predict(X)


def test_a_missing_column_is_named(model):
    with pytest.raises(DataError, match=r"Column 'age' is missing.*Did you mean 'ages'"):
        model.predict(X.rename({"age": "ages"}))
    with pytest.raises(DataError, match="Column 'age' is missing, and 1 more"):
        model.predict(X.select(pl.lit(1)))


class Answering:
    def __init__(self, answers):
        self.answers = answers

    def predict(self, frame):
        return self.answers


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ([1.0, float("nan")], "answered row 1 with nan"),
        ([float("inf"), 1.0], "answered row 0 with inf"),
        ([None, 1.0], "answered row 0 with None"),
        ([1.0], "gave 1 answers to 2 rows"),
    ],
)
def test_an_answer_that_is_none_is_refused(answers, words):
    broken = Model(Answering(answers), Signature(()))
    with pytest.raises(ServingError, match=words):
        broken.predict(pl.DataFrame({"a": [1, 2]}))


@pytest.mark.parametrize(
    "answers", [pl.Series([1, 2]), np.array([[1], [2]]), [np.int64(1), np.int64(2)], (1, 2)]
)
def test_answers_of_any_kind_become_plain(answers):
    assert Model(Answering(answers), Signature(())).predict(pl.DataFrame({"a": [1, 2]})) == [1, 2]


def test_pandas_and_numpy_frames_are_given_as_recorded(model):
    for kind, expected in (("pandas", "DataFrame"), ("numpy", "ndarray"), ("polars", "DataFrame")):
        seen = []

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
    assert loaded.predict_scores(X) == model.predict_scores(X)
    assert loaded.predict_rows([{"age": 20, "city": "a"}]) == [
        Answer(model.predict(X)[0], model.predict_scores(X)[0], ())
    ]


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
    assert loaded.predict(numbers) == estimator.predict(numbers.to_numpy()).tolist()
    assert signature.accepts_missing is True
