"""Boosters that were trained on pandas categories: requests and files have texts and numbers."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from penstock.models import LabelEncodingClassifier, Model, infer_signature
from penstock.stores import open_store

lightgbm = pytest.importorskip("lightgbm", reason='pip install "penstock[boosters]"')
xgboost = pytest.importorskip("xgboost", reason='pip install "penstock[boosters]"')

RNG = np.random.default_rng(0)
MANY = 240
ROWS = pl.DataFrame(
    {
        "size": RNG.normal(size=MANY),
        "city": np.array(["Oslo", "Rome", "Bonn"])[RNG.integers(0, 3, MANY)],
        "zone": RNG.integers(3, 7, MANY),
    }
)
# Not in alphabetical order, and a level that no row has.
CITIES, ZONES = ["Rome", "Bonn", "Nice", "Oslo"], [6, 3, 5, 4]
Y = ((ROWS["city"] == "Rome") ^ (ROWS["zone"] > 4)).to_numpy().astype(int) + ROWS["size"].to_numpy()
YES = np.where(Y > 0.5, "yes", "no")
FEW = {"n_estimators": 8, "n_jobs": 1}


def typed(rows):
    return rows.to_pandas().assign(
        city=lambda table: pd.Categorical(table["city"], categories=CITIES),
        zone=lambda table: pd.Categorical(table["zone"], categories=ZONES),
    )


def native_lightgbm():
    data = lightgbm.Dataset(typed(ROWS), Y)
    options = {"verbose": -1, "num_threads": 1, "min_data_per_group": 1, "cat_smooth": 0}
    return lightgbm.train(options, data, 8)


def native_xgboost():
    return xgboost.train(
        {"nthread": 1}, xgboost.DMatrix(typed(ROWS), Y, enable_categorical=True), 8
    )


KINDS = {
    "LGBMRegressor": lambda: lightgbm.LGBMRegressor(
        verbose=-1, min_data_per_group=1, cat_smooth=0, **FEW
    ).fit(typed(ROWS), Y),
    "LGBMClassifier": lambda: lightgbm.LGBMClassifier(verbose=-1, **FEW).fit(typed(ROWS), YES),
    "lightgbm.train": native_lightgbm,
    "XGBRegressor": lambda: xgboost.XGBRegressor(enable_categorical=True, **FEW).fit(
        typed(ROWS), Y
    ),
    "XGBClassifier": lambda: LabelEncodingClassifier(
        xgboost.XGBClassifier(enable_categorical=True, **FEW)
    ).fit(typed(ROWS), YES),
    "xgboost.train": native_xgboost,
}


def expected(fitted, rows):
    """Predict as the library does for a frame with the categories of the training."""
    table = typed(rows)
    if type(fitted) is xgboost.Booster:
        table = xgboost.DMatrix(table, enable_categorical=True)
    return np.asarray(fitted.predict(table)).tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_texts_and_numbers_mean_the_categories_of_the_training(kind, tmp_path):
    fitted = KINDS[kind]()
    truth = YES if "Classifier" in kind else Y
    signature = infer_signature(fitted, ROWS, truth)
    store = open_store(f"sqlite:///{tmp_path}/penstock.db")
    loaded = Model(store.load(store.put(fitted)), signature)
    found = loaded.predict(ROWS)
    assert list(found.values) == expected(fitted, ROWS)
    alone = [next(iter(loaded.predict_rows([row]).values)) for row in ROWS.head(6).to_dicts()]
    assert alone == expected(fitted, ROWS.head(6))


@pytest.mark.parametrize("kind", ["LGBMRegressor", "XGBRegressor"])
def test_a_category_that_the_training_had_not_is_missing(kind):
    fitted = KINDS[kind]()
    model = Model(fitted, infer_signature(fitted, ROWS, Y))
    odd = ROWS.head(1).with_columns(city=pl.lit("Paris"), zone=pl.lit(99))
    found = model.predict_as_is(odd)
    none = odd.with_columns(city=pl.lit(None, pl.String), zone=pl.lit(None, pl.Int64))
    assert list(found.values) == expected(fitted, none)


@pytest.mark.parametrize("kind", ["LGBMClassifier", "XGBRegressor"])
def test_contributions_are_those_of_the_categories(kind):
    pytest.importorskip("shap", reason='pip install "penstock[explain]"')
    fitted = KINDS[kind]()
    model = Model(fitted, infer_signature(fitted, ROWS, YES if "Classifier" in kind else Y))
    assert model.explain(ROWS.head(8)).method == "exact for trees"
