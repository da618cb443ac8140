"""CatBoost's models: the same bytes for the same fit, labels, names and levels kept."""

import subprocess
import sys
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from penstock.core import SerializationError
from penstock.models import Model, infer_signature, require_safe
from penstock.stores import StoredModel, open_store
from penstock.stores.artifacts.models._catboost import CatBoostFormat

catboost = pytest.importorskip("catboost", reason='pip install "penstock[catboost]"')

RNG = np.random.default_rng(0)
X = pl.DataFrame(
    {
        "a": [None if n % 9 == 0 else float(v) for n, v in enumerate(RNG.normal(size=80))],
        "city": np.where(RNG.random(80) > 0.5, "x", "y"),
    }
)
NUMBERS = X["a"].fill_null(0).to_numpy()
LABELS = np.where(NUMBERS > 0, "yes", "no")
OPTIONS = {"iterations": 4, "thread_count": 1, "verbose": 0, "allow_writing_files": False}


def fitted():
    model = catboost.CatBoostClassifier(cat_features=["city"], **OPTIONS)
    return model.fit(X.to_pandas(), LABELS)


@pytest.fixture
def store(tmp_path):
    return open_store(f"sqlite:///{tmp_path}/penstock.db")


def test_two_fits_have_the_same_bytes_and_the_model_read_has_the_same_digest(store):
    model = fitted()
    first, second = store.put(model), store.put(fitted())
    assert (first.format, first.unsafe) == ("catboost", False)
    assert require_safe(first) is first
    assert (first.digest, first.content_digest) == (second.digest, second.content_digest)
    read = store.load(first)
    assert store.put(read).digest == first.digest
    assert np.array_equal(read.predict_proba(X.to_pandas()), model.predict_proba(X.to_pandas()))
    assert read.classes_.tolist() == ["no", "yes"]
    assert read.feature_names_ == ["a", "city"]
    assert read.get_cat_feature_indices() == [1]


def in_pipeline(kind="CatBoostClassifier"):
    target = LABELS if kind == "CatBoostClassifier" else NUMBERS
    model = make_pipeline(StandardScaler(), getattr(catboost, kind)(**OPTIONS))
    return model.fit(NUMBERS.reshape(-1, 1), target)


@pytest.mark.parametrize("kind", ["CatBoostClassifier", "CatBoostRegressor"])
def test_inside_of_a_pipeline_the_bytes_are_those_of_every_fit(store, kind):
    model = in_pipeline(kind)
    first, second = store.put(model), store.put(in_pipeline(kind))
    assert (first.format, first.unsafe) == ("skops", False)
    assert require_safe(first) is first
    assert (first.digest, first.content_digest) == (second.digest, second.content_digest)
    read = store.load(first)
    assert store.put(read).digest == first.digest
    rows = NUMBERS.reshape(-1, 1)
    assert np.array_equal(read.predict(rows), model.predict(rows))
    assert read[-1].get_params()["iterations"] == OPTIONS["iterations"]


def test_the_bytes_are_the_same_in_another_process(store):
    program = (
        "from tests.stores.test_catboost import fitted, CatBoostFormat\n"
        "import hashlib; print(hashlib.sha256(CatBoostFormat().write(fitted(), '').data).hexdigest())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert store.put(fitted()).digest == f"sha256:{done.stdout.strip()}"


def test_another_fit_has_another_digest(store):
    regressor = catboost.CatBoostRegressor(**OPTIONS).fit(NUMBERS[:, None], NUMBERS)
    other = catboost.CatBoost(OPTIONS).fit(NUMBERS[:, None], NUMBERS * 2)
    digests = {store.put(each).content_digest for each in (regressor, other, fitted())}
    assert len(digests) == 3
    assert type(store.load(store.put(other))).__name__ == "CatBoost"


def test_rows_with_text_and_missing_numbers_are_answered_with_labels(store):
    model = fitted()
    signature = infer_signature(model, X, LABELS)
    assert (signature.classes, signature.task) == (("no", "yes"), "binary")
    loaded = Model(store.load(store.put(model)), signature)
    rows: list[dict[str, Any]] = [{"a": 1.5, "city": "x"}, {"a": None, "city": "new"}]
    found = loaded.predict_rows(rows)
    assert found.values == model.predict(pl.DataFrame(rows).to_pandas()).tolist()


def test_what_is_not_fitted_or_names_another_class_is_refused(store):
    assert store.put(catboost.CatBoostClassifier()).unsafe
    blob = CatBoostFormat().write(fitted(), "").data
    with pytest.raises(SerializationError, match="the CatBoost class 'Pool', which is not known"):
        CatBoostFormat().read(StoredModel(blob, {"class": "Pool"}))


@pytest.mark.parametrize("damage", [b"", b"CBM1", b"not a model" * 9])
def test_bytes_that_are_no_model_are_an_error(damage):
    with pytest.raises(Exception, match=r".+"):
        CatBoostFormat().read(StoredModel(damage, {"class": "CatBoost"}))
