"""LightGBM's boosters: a model read predicts with the number of trees that training found best."""

import numpy as np
import pytest

from penstock.stores import open_store

lightgbm = pytest.importorskip("lightgbm", reason='pip install "penstock[boosters]"')

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 3))
Y = (X[:, 0] + RNG.normal(size=200) > 0).astype(int)


def test_a_booster_that_stopped_early_and_keeps_all_trees_predicts_as_before(tmp_path):
    booster = lightgbm.train(
        {"objective": "binary", "verbose": -1, "num_threads": 1},
        lightgbm.Dataset(X[:100], Y[:100]),
        60,
        valid_sets=[lightgbm.Dataset(X[100:], Y[100:])],
        callbacks=[lightgbm.early_stopping(5, verbose=False)],
        keep_training_booster=True,
    )
    assert 0 < booster.best_iteration < booster.current_iteration()
    store = open_store(f"sqlite:///{tmp_path}/penstock.db")
    record = store.put(booster)
    read = store.load(record)
    assert read.best_iteration == booster.best_iteration
    assert np.array_equal(read.predict(X), booster.predict(X))
    assert store.put(read).content_digest == record.content_digest
    all_trees = lightgbm.Booster(model_str=booster.model_to_string(num_iteration=-1))
    assert not np.array_equal(all_trees.predict(X), booster.predict(X))
    assert store.put(all_trees).content_digest != record.content_digest
