"""Explanations: contributions that add up to the model's own answer, on its inputs."""

import sys

import numpy as np
import polars as pl
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from penstock.core import DataError, MissingPackageError
from penstock.data import split_table
from penstock.features import table_transformer
from penstock.models import Model, infer_signature

pytest.importorskip("shap", reason='pip install "penstock[explain]"')

DRAW = np.random.default_rng(0)
ROWS = 300
TABLE = pl.DataFrame(
    {
        "age": DRAW.normal(size=ROWS),
        "unused": DRAW.normal(size=ROWS),
        "city": DRAW.choice(["Bonn", "Ulm"], ROWS),
    }
)
SIGNAL = TABLE["age"].to_numpy() + 2 * (TABLE["city"] == "Ulm").to_numpy()
SPLIT = split_table(
    TABLE.with_columns(pl.Series("y", np.where(SIGNAL > 1, "yes", "no"))), target="y"
)
X = SPLIT.test.X


def model_of(estimator, positive=None):
    fitted = make_pipeline(table_transformer(SPLIT.schema), estimator).fit(
        SPLIT.train.X, SPLIT.train.y
    )
    return Model(fitted, infer_signature(fitted, SPLIT.train.X, SPLIT.train.y, positive=positive))


@pytest.mark.parametrize("positive", ["yes", "no"])
@pytest.mark.parametrize(
    "estimator",
    [
        HistGradientBoostingClassifier(max_iter=10),
        RandomForestClassifier(n_estimators=5, random_state=0),
    ],
    ids=["boosting", "forest"],
)
def test_trees_behind_a_pipeline_are_explained_by_its_inputs(estimator, positive):
    model = model_of(estimator, positive)
    found = model.explain(X)
    shares = model.predict(X).scores
    sums = found.base + found.contributions.sum(axis=1)
    if found.explains[0].startswith("log odds"):
        sums = 1 / (1 + np.exp(-sums))
    assert found.inputs == ("age", "unused", "city")
    assert found.method == "exact for trees"
    assert found.explains[0].endswith(f"of {positive!r}")
    assert sums == pytest.approx(shares, abs=1e-6)
    assert np.abs(found.contributions).mean(axis=0).argmin() == 1


def test_boosters_are_explained_exactly():
    numbers, labels = TABLE.select("age", "unused").to_numpy(), (SIGNAL > 1).astype(int)
    for package, kind in (("xgboost", "XGBClassifier"), ("lightgbm", "LGBMClassifier")):
        library = pytest.importorskip(package, reason='pip install "penstock[boosters]"')
        options = {"verbose": -1} if package == "lightgbm" else {}
        estimator = getattr(library, kind)(n_estimators=5, **options).fit(numbers, labels)
        frame = TABLE.select("age", "unused")
        found = Model.of(estimator, frame).explain(frame.head(30))
        assert found.method == "exact for trees"
        assert found.explains[0] == "log odds of 1"


def test_a_linear_model_has_the_contributions_of_its_coefficients():
    numbers = TABLE.select("age", "unused")
    estimator = make_pipeline(StandardScaler(), LinearRegression()).fit(
        numbers.to_numpy(), SIGNAL + 1
    )
    found = Model.of(estimator, numbers).explain(numbers.head(5), background=numbers.head(100))
    slopes = estimator[-1].coef_ / estimator[0].scale_
    expected = slopes * (numbers.head(5).to_numpy() - numbers.head(100).to_numpy().mean(axis=0))
    assert found.contributions == pytest.approx(expected, abs=1e-6)
    assert found.explains[0] == "prediction"


def test_texts_and_missing_values_are_permuted_as_they_are():
    model = model_of(LogisticRegression())
    holed = X.head(3).with_columns(pl.when(pl.int_range(pl.len()) > 0).then("city").alias("city"))
    found = model.explain(holed, background=X)
    assert found.explains == ("probability of 'yes'",) * 3
    assert found.output == pytest.approx(model.predict(holed).scores)
    assert found.row(0)["contributions"][0]["input"] in {"age", "city"}
    assert {each["input"]: each["value"] for each in found.row(0)["contributions"]}["city"] is None


def test_too_few_background_rows_are_refused_with_the_remedy():
    with pytest.raises(DataError, match=r"3 background rows are too few.*split\.train\.X"):
        model_of(LogisticRegression()).explain(X.head(3))


def test_without_shap_the_command_that_installs_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "shap", None)
    with pytest.raises(MissingPackageError, match=r"penstock\[explain\]"):
        model_of(LogisticRegression()).explain(X)
