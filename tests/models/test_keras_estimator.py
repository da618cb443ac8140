"""A model of Keras as an estimator: what its last layer returns decides what a probability is."""

import numpy as np
import polars as pl
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from penstock.core import DataError
from penstock.models import KerasEstimator, Model, require_safe
from penstock.stores import open_store

torch = pytest.importorskip("torch", reason="pip install 'penstock[keras]'")
keras = pytest.importorskip("keras", reason="pip install 'penstock[keras]'")
FRAME = pl.DataFrame({"age": [20.0, 60.0, 41.0], "height": [1.8, 1.6, 1.7]})
ROWS = FRAME.to_numpy().astype("float32")


def net(units, activation=None):
    keras.utils.set_random_seed(0)
    last = keras.layers.Dense(units, activation=activation)
    dropout = keras.layers.Dropout(0.5)
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(4, "tanh"), dropout, last])


def values(model):
    return model(ROWS, training=False).detach().double()


def test_probabilities_of_the_last_layer_are_taken_as_they_are():
    model = net(3, "softmax")
    found = KerasEstimator(model, ["a", "b", "c"]).predict_proba(FRAME)
    assert found.tolist() == values(model).tolist()


def test_scores_become_probabilities():
    model = net(3)
    found = KerasEstimator(model, ["a", "b", "c"]).predict_proba(FRAME)
    assert found.tolist() == torch.softmax(values(model), dim=1).tolist()


@pytest.mark.parametrize("activation", [None, "sigmoid"])
def test_one_value_for_two_classes_is_that_of_the_second(activation):
    model = net(1, activation)
    second = values(model)[:, 0]
    if activation is None:
        second = torch.sigmoid(second)
    found = KerasEstimator(model, ["no", "yes"]).predict_proba(FRAME)
    assert found[:, 1].tolist() == second.tolist()
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_an_activation_as_a_layer_of_its_own_counts():
    inner = net(3)
    model = keras.Sequential([keras.Input((2,)), inner, keras.layers.Softmax()])
    found = KerasEstimator(model, ["a", "b", "c"]).predict_proba(FRAME)
    assert found.tolist() == values(model).tolist()


@pytest.mark.parametrize(
    ("model", "said"),
    [(net(3, "sigmoid"), "applies sigmoid to 3"), (net(2), "for 3 classes")],
)
def test_a_model_that_does_not_fit_is_told(model, said):
    with pytest.raises(DataError, match=said):
        KerasEstimator(model, ["a", "b", "c"]).predict_proba(FRAME)


def test_it_is_stored_after_its_transformers_and_answers_alike(tmp_path):
    pipeline = make_pipeline(StandardScaler().fit(FRAME), KerasEstimator(net(1)))
    expected = Model.of(pipeline, FRAME).predict(FRAME).values
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as store:
        record = require_safe(store.put(pipeline))
        back = store.get(record.digest)
        assert (record.format, store.digest(back)) == ("skops", record.content_digest)
    assert Model.of(back, FRAME).predict(FRAME).values == expected
