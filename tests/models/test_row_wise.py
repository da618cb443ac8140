"""Linear models predict each row as a call with that row alone; unknown kinds are not vouched for."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression, Ridge, RidgeClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

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
