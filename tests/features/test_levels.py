import numpy as np
import polars as pl
import pytest
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.preprocessing import TargetEncoder

from penstock.core import DataError
from penstock.features import LevelMeans

RANDOM = np.random.default_rng(3)
LEVELS = np.array([f"v{n}" for n in RANDOM.integers(0, 40, 500)], dtype=object).reshape(-1, 1)


@pytest.mark.parametrize(
    ("y", "kind", "maker"),
    [
        (RANDOM.normal(size=500), "continuous", KFold),
        (RANDOM.integers(0, 500, 500), "continuous", KFold),
        (RANDOM.integers(0, 2, 500), "binary", StratifiedKFold),
        (np.array(["no", "yes"])[RANDOM.integers(0, 2, 500)], "binary", StratifiedKFold),
        (np.array(list("abc"))[RANDOM.integers(0, 3, 500)], "multiclass", StratifiedKFold),
    ],
    ids=["number", "count", "two", "two texts", "three"],
)
def test_it_encodes_as_scikit_learn_does_fold_by_fold(y, kind, maker):
    found = LevelMeans().fit_transform(LEVELS, y)
    expected = np.empty_like(found)
    for train, held in maker(5, shuffle=True, random_state=0).split(LEVELS, y):
        encoder = TargetEncoder(target_type=kind).fit(LEVELS[train], y[train])
        expected[held] = encoder.transform(LEVELS[held])
    assert np.array_equal(found, expected)
    whole = TargetEncoder(target_type=kind).fit(LEVELS, y)
    assert np.array_equal(LevelMeans().fit(LEVELS, y).transform(LEVELS), whole.transform(LEVELS))


def test_noise_is_not_learnt_from_the_row_itself():
    y = RANDOM.normal(size=400)
    unique = np.array([f"u{n}" for n in range(400)], dtype=object).reshape(-1, 1)
    seen = LevelMeans().fit(unique, y).transform(unique)
    held_out = LevelMeans().fit_transform(unique, y)
    assert abs(np.corrcoef(held_out[:, 0], y)[0, 1]) < 0.2
    assert np.isfinite(seen).all()


def test_a_level_that_was_not_there_gets_the_mean():
    y = RANDOM.normal(size=500)
    fitted = LevelMeans().fit(LEVELS, y)
    assert fitted.transform(np.array([["new"]], dtype=object))[0, 0] == pytest.approx(y.mean())


@pytest.mark.parametrize("labels", [["a", "b", "b"], [1.5, 2.5, 4.0], ["a", "b", "c"]])
def test_very_few_rows_are_enough(labels):
    levels = np.array([["x"], ["y"], ["x"]], dtype=object)
    assert np.isfinite(LevelMeans().fit_transform(levels, pl.Series(labels))).all()


def test_the_task_may_be_told():
    y = RANDOM.integers(0, 3, 500)
    assert LevelMeans().fit_transform(LEVELS, y).shape == (500, 3)
    assert LevelMeans("regression").fit_transform(LEVELS, y).shape == (500, 1)


def test_a_target_is_needed():
    with pytest.raises(DataError, match="fitted without a target"):
        LevelMeans().fit(LEVELS, None)


def test_names_hold_the_class_where_there_are_many():
    y = np.array(list("abc"))[RANDOM.integers(0, 3, 500)]
    fitted = LevelMeans().fit(LEVELS, y)
    assert fitted.get_feature_names_out(["shop"]).tolist() == ["shop_a", "shop_b", "shop_c"]
