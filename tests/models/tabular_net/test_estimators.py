import warnings
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from penstock.core import DataError, ParameterError
from penstock.data import infer_schema
from penstock.features import table_transformer
from penstock.models import TabularNetClassifier, TabularNetRegressor
from penstock.stores import open_store

pytest.importorskip("torch", reason="it is installed with: pip install 'penstock[torch]'")

RANDOM = np.random.default_rng(5)
N = 600
SHOPS = np.array([f"s{v}" for v in RANDOM.integers(0, 30, N)])
GOOD = {f"s{v}" for v in range(0, 30, 2)}
AGE = RANDOM.normal(40, 9, N)
X = pl.DataFrame(
    {
        "age": [None if at % 11 == 0 else age for at, age in enumerate(AGE)],
        "shop": [None if at % 13 == 0 else shop for at, shop in enumerate(SHOPS)],
        "member": RANDOM.random(N) > 0.5,
    }
)
Y = np.where(
    [(shop in GOOD) != (age > 45) for shop, age in zip(SHOPS, AGE, strict=True)], "in", "out"
)
QUICK: dict[str, Any] = {"hidden": (32,), "max_epochs": 40, "learning_rate": 0.01}


@pytest.fixture(scope="module")
def net():
    return TabularNetClassifier(**QUICK).fit(X, Y)


def test_levels_and_numbers_are_learned_together(net):
    odd = X.filter(pl.col("shop").is_not_null() & pl.col("age").is_not_null())
    expected = [(s in GOOD) != (a > 45) for s, a in odd.select("shop", "age").iter_rows()]
    # Neither column alone tells anything: the answer is an exclusive or of both.
    assert roc_auc_score(expected, net.predict_proba(odd)[:, 0]) > 0.9
    assert net.classes_.tolist() == ["in", "out"]


def test_a_row_has_the_same_bits_alone_and_among_others(net):
    whole = net.predict_proba(X)
    assert np.array_equal(whole.sum(axis=1).round(12), np.ones(N))
    for row in range(0, N, 41):
        assert np.array_equal(net.predict_proba(X[row : row + 1])[0], whole[row])
        assert np.array_equal(net.predict_proba(X[row : row + 7])[0], whole[row])


def test_the_same_rows_give_the_same_weights_whatever_ran_before(net):
    import torch

    torch.manual_seed(99)
    torch.set_num_threads(2)
    before = torch.random.get_rng_state()
    again = clone(net).fit(X, Y)
    assert all(np.array_equal(again.weights_[name], net.weights_[name]) for name in net.weights_)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.get_num_threads() == 2
    other = clone(net).set_params(random_state=1).fit(X, Y)
    assert not np.array_equal(other.weights_["layer_0.bias"], net.weights_["layer_0.bias"])


def test_new_and_missing_values_are_no_error(net):
    odd = pl.DataFrame(
        {"age": [None, 1e300], "shop": ["never seen", None], "member": [None, True]},
        schema=X.schema,
    )
    assert np.isfinite(net.predict_proba(odd)).all()


def test_a_store_keeps_it_without_a_pickle_alone_and_in_a_pipeline(net, tmp_path):
    columns = table_transformer(infer_schema(X), scale=True, high_cardinality="keep")
    pipe = make_pipeline(columns, TabularNetClassifier(**QUICK)).fit(X, Y)
    with open_store(f"sqlite:///{tmp_path / 'p.db'}") as store:
        for fitted in (net, pipe):
            record = store.put(fitted)
            assert (record.format, record.unsafe) == ("skops", False)
            back = store.get(record.digest)
            assert store.digest(back) == store.digest(fitted)
            assert np.array_equal(back.predict_proba(X), fitted.predict_proba(X))


def test_weights_of_rows_count():
    odd = pl.DataFrame({"x": [0.0, 0.0, 1.0, 1.0] * 40})
    y = np.array([0, 1, 0, 1] * 40)
    weight = np.array([9.0, 1.0, 1.0, 9.0] * 40)
    shares = TabularNetClassifier(**QUICK).fit(odd, y, sample_weight=weight).predict_proba(odd)
    assert shares[0, 1] == pytest.approx(0.1, abs=0.08)
    assert shares[2, 1] == pytest.approx(0.9, abs=0.08)


def test_numbers_are_learned_on_their_own_scale():
    y = 1e6 + 1e4 * (AGE + 20 * np.array([shop in GOOD for shop in SHOPS]))
    whole = X.with_columns(age=AGE, shop=pl.Series(SHOPS))
    net = TabularNetRegressor(**QUICK).fit(whole, y)
    assert net.score(whole, y) > 0.9
    inside = TransformedTargetRegressor(net, func=np.log, inverse_func=np.exp).fit(whole, y)
    assert inside.score(whole, y) > 0.9


def test_wrong_options_and_columns_are_refused():
    with pytest.raises(ParameterError, match="dropout of TabularNetClassifier is 1"):
        TabularNetClassifier(dropout=1).fit(X, Y)
    with pytest.raises(DataError, match=r"'day' is Date.*table_transformer"):
        TabularNetClassifier().fit(X.with_columns(day=pl.date(2024, 1, 1)), Y)
    with pytest.raises(ValueError, match="one class"):
        TabularNetClassifier().fit(X, ["in"] * N)


DEVIATIONS = {
    "check_sample_weight_equivalence_on_dense_data": "rows in batches and a held-out tenth: two equal"
    " rows are not one row of weight two, as in SGDClassifier",
}


@pytest.mark.parametrize("maker", [TabularNetClassifier, TabularNetRegressor])
def test_the_networks_pass_scikit_learns_checks(maker):
    quick = maker(hidden=(8,), max_epochs=12, learning_rate=0.05, dropout=0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = check_estimator(
            quick, expected_failed_checks=DEVIATIONS, on_fail=None, on_skip=None
        )
    assert len(found) > 50
    assert [each["check_name"] for each in found if each["status"] == "failed"] == []
