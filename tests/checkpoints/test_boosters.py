"""Boosters that were killed between two chunks end with the trees of those that were not."""

import numpy as np
import pytest

from penstock.checkpoints import _boosters, train_lightgbm, train_xgboost
from penstock.core import ParameterError
from penstock.tracking import start_run


class KilledError(Exception):
    """Stands for the end of the process."""


def rows():
    draw = np.random.default_rng(0)
    x = draw.normal(size=(200, 4))
    return x, x[:, 0] - x[:, 1] + draw.normal(size=200)


def xgboost_text(every=5):
    xgboost = pytest.importorskip("xgboost", reason='pip install "penstock[boosters]"')
    x, y = rows()
    params = {"max_depth": 3, "subsample": 0.7, "nthread": 1}
    booster = train_xgboost(params, xgboost.DMatrix(x, y), rounds=20, every=every)
    assert booster.num_boosted_rounds() == 20
    return booster.get_dump(with_stats=True)


def lightgbm_text(every=5):
    lightgbm = pytest.importorskip("lightgbm", reason='pip install "penstock[boosters]"')
    x, y = rows()
    params = {
        "bagging_fraction": 0.7, "bagging_freq": 1, "num_threads": 1, "verbose": -1, "num_leaves": 7,
    }  # fmt: skip
    data = lightgbm.Dataset(x, y, free_raw_data=False)
    booster = train_lightgbm(params, data, rounds=20, every=every)
    assert booster.num_trees() == 20
    return booster.model_to_string().partition("parameters")[0]


@pytest.mark.parametrize("train", [xgboost_text, lightgbm_text])
def test_a_killed_training_ends_with_the_same_trees(train, tmp_path, monkeypatch):
    expected = train()
    with start_run(store=f"sqlite:///{tmp_path}/store.db"):
        whole, seeds = _boosters._chunk_seed, []

        def dying(seed, first):
            seeds.append(first)
            if first == 10 and seeds.count(10) == 1:
                raise KilledError
            return whole(seed, first)

        monkeypatch.setattr(_boosters, "_chunk_seed", dying)
        with pytest.raises(KilledError):
            train()
        assert train() == expected
    assert seeds == [0, 5, 10, 10, 15]


def test_without_sampling_chunks_give_the_trees_of_xgboost_itself():
    xgboost = pytest.importorskip("xgboost", reason='pip install "penstock[boosters]"')
    x, y = rows()
    params, data = {"max_depth": 3, "nthread": 1, "seed": 0}, xgboost.DMatrix(x, y)
    plain = xgboost.train(params, data, 20)
    assert train_xgboost(params, data, rounds=20, every=5).get_dump() == plain.get_dump()


@pytest.mark.parametrize(
    ("params", "options", "words"),
    [
        ({"booster": "dart"}, {}, "dart"),
        ({}, {"early_stopping_rounds": 3}, "early_stopping_rounds"),
        ({}, {"xgb_model": "m.json"}, "xgb_model"),
    ],
)
def test_what_cannot_be_resumed_exactly_is_refused(params, options, words):
    pytest.importorskip("xgboost", reason='pip install "penstock[boosters]"')
    with pytest.raises(ParameterError, match=words):
        train_xgboost(params, None, rounds=2, **options)
