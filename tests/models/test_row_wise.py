"""Linear models predict each row as a call with that row alone; unknown kinds are not vouched for."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.cluster import KMeans
from sklearn.covariance import EllipticEnvelope
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression, Ridge, RidgeClassifier
from sklearn.mixture import GaussianMixture
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR, OneClassSVM

from penstock.data import infer_schema
from penstock.features import table_transformer
from penstock.models._row_wise import is_row_wise, row_wise

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("width", [1, 7, 30])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64"])
@pytest.mark.parametrize(
    "model", [LogisticRegression(), RidgeClassifier(), LinearRegression(), Ridge(), Lasso(0.01)]
)
def test_linear_models_ignore_the_other_rows(
    model: Any, width: int, order: Any, dtype: Any
) -> None:
    rows = np.asarray(RANDOM.normal(0, 9, size=(120, width)), order=order, dtype=dtype)
    known = (rows @ RANDOM.normal(size=width)).round(1)
    model.fit(rows, known > 0 if hasattr(model, "decision_function") else known)
    method = "predict_proba" if hasattr(model, "predict_proba") else "predict"
    together = getattr(row_wise(model), method)(rows)
    alone = [getattr(model, method)(rows[i : i + 1].copy()) for i in range(120)]
    assert (together == np.concatenate(alone)).all()


def test_a_copy_is_changed_and_not_the_model() -> None:
    rows = RANDOM.normal(size=(50, 3))
    model = LogisticRegression().fit(rows, rows[:, 0] > 0)
    assert row_wise(model) is not model
    assert "decision_function" not in vars(model)
    forest = RandomForestClassifier(3).fit(rows, rows[:, 0] > 0)
    assert row_wise(forest) is forest


CATBOOST = {"iterations": 30, "verbose": 0, "allow_writing_files": False}


def trees(name: str, rows: Any, label: Any, number: Any) -> tuple[Any, Any]:
    """Return a fitted model, and the function that predicts with it."""
    package = name.partition(" ")[0]
    library = pytest.importorskip(package, reason='pip install "penstock[boosters,catboost]"')
    if name == "catboost numbers":
        model = library.CatBoostRegressor(**CATBOOST).fit(rows, number)
        return model, model.predict
    if package == "catboost":
        model = library.CatBoostClassifier(**CATBOOST).fit(rows, label)
        return model, model.predict_proba
    parameters = {"num_class": 3, "verbose": -1, "verbosity": 0, "nthread": 2}
    if package == "xgboost":
        data = library.DMatrix(rows, label)
        model = library.train({"objective": "multi:softprob", **parameters}, data, 20)
        return model, lambda part: model.predict(library.DMatrix(part))
    data = library.Dataset(rows, label)
    model = library.train({"objective": "multiclass", **parameters}, data, 20)
    return model, model.predict


def assert_ignores_the_other_rows(model: Any, predict: Any, rows: Any) -> None:
    assert is_row_wise(model)
    for count in (2, 3, 5, 8, 13, 31, 64, len(rows)):
        for order in ("C", "F"):
            part = np.asarray(rows[:count], order=order)
            alone = [predict(part[i : i + 1].copy()) for i in range(min(count, 70))]
            assert (predict(part)[:70] == np.concatenate(alone)).all(), count


@pytest.mark.parametrize("width", [3, 30])
@pytest.mark.parametrize(
    "name", ["catboost labels", "catboost numbers", "xgboost native", "lightgbm native"]
)
def test_boosters_of_their_own_interfaces_ignore_the_other_rows(name: str, width: int) -> None:
    rows = RANDOM.normal(size=(3000, width))  # enough for several blocks and threads
    label = (rows[:, 0] > 0).astype(int) + (rows[:, 1] > 0)
    number = rows[:, 0] * 3 + RANDOM.normal(size=len(rows))
    model, predict = trees(name, rows, label, number)
    assert_ignores_the_other_rows(model, predict, rows)


@pytest.mark.parametrize("kernel", ["linear", "poly", "rbf", "sigmoid"])
def test_support_vectors_ignore_the_other_rows(kernel: Any) -> None:
    rows = RANDOM.normal(size=(150, 17))
    label, number = (rows[:, 0] > 0).astype(int) + (rows[:, 1] > 0), rows[:, 0] * 3
    for model in (OneClassSVM(kernel=kernel), SVC(kernel=kernel), SVR(kernel=kernel)):
        model.fit(rows, number if isinstance(model, SVR) else label)
        predict = getattr(model, "decision_function", model.predict)
        assert_ignores_the_other_rows(model, predict, rows)


def test_a_forest_of_isolation_ignores_the_other_rows() -> None:
    rows = RANDOM.normal(size=(300, 5))
    model = IsolationForest(n_estimators=20, random_state=0).fit(rows)
    assert_ignores_the_other_rows(model, model.decision_function, rows)
    assert not is_row_wise(IsolationForest(n_jobs=2))


@pytest.mark.parametrize("model", [KMeans(3, n_init=1), GaussianMixture(2), EllipticEnvelope()])
def test_products_of_whole_matrices_are_not_vouched_for(model: Any) -> None:
    assert not is_row_wise(model.fit(RANDOM.normal(size=(90, 4))))
    assert not is_row_wise(SVC(kernel=lambda a, b: a @ b.T))


def test_only_known_kinds_are_vouched_for() -> None:
    assert is_row_wise(make_pipeline(StandardScaler(), LogisticRegression()))
    assert is_row_wise(make_pipeline(StandardScaler(), HistGradientBoostingClassifier()))
    assert is_row_wise(RandomForestClassifier(n_jobs=1))
    assert not is_row_wise(RandomForestClassifier(n_jobs=2))  # threads add up in any order
    assert not is_row_wise(make_pipeline(PCA(2), LogisticRegression()))
    assert not is_row_wise(MLPClassifier())


def test_our_transformer_is_vouched_for() -> None:
    frame = pl.DataFrame({"a": [1.0, 2.0, 3.0] * 10, "b": ["x", "y", "z"] * 10})
    pipeline = make_pipeline(table_transformer(infer_schema(frame)), LogisticRegression())
    pipeline.fit(frame, [0, 1, 1] * 10)
    assert is_row_wise(pipeline)
