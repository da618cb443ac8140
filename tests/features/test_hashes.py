import numpy as np
import polars as pl
import pytest
from sklearn.feature_extraction import FeatureHasher

from penstock.core import ParameterError
from penstock.features import HashedLevels

SHOPS = pl.DataFrame({"shop": ["a", "b", None, "a"], "till": ["a", "a", "a", "x"]})


def test_hashes_are_scikit_learns():
    found = HashedLevels(buckets=16).fit_transform(SHOPS)
    hasher = FeatureHasher(16, input_type="string")
    shops = hasher.transform([["a"], ["b"], ["(missing)"], ["a"]]).toarray()
    assert np.array_equal(found[:, :16], shops)
    assert found.shape == (4, 32)


def test_a_new_level_has_a_column_like_any_other():
    fitted = HashedLevels().fit(SHOPS)
    row = fitted.transform(pl.DataFrame({"shop": ["new"], "till": [None]}))
    assert np.abs(row).sum() == 2
    assert fitted.get_feature_names_out()[64] == "till_hash_0"


def test_a_wrong_number_of_buckets_is_refused():
    with pytest.raises(ParameterError, match="buckets of HashedLevels is 0"):
        HashedLevels(0).fit_transform(SHOPS)
