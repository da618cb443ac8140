import warnings

import numpy as np
import pytest
from sklearn.utils.estimator_checks import check_estimator

from penstock.features import (
    ClockParts,
    DateParts,
    HashedLevels,
    LevelMeans,
    ToNumber,
    ToSeconds,
    ToText,
    WordWeights,
)

# The checks give random numbers, and these transformers take texts, times or levels.
NO_NUMBERS = "the results are texts, which the check subtracts"
CROSS_FITTED = "fit_transform is cross-fitted, as TargetEncoder's: it differs from transform"
DEVIATIONS = {
    ToText: {
        "check_pipeline_consistency": NO_NUMBERS,
        "check_estimators_pickle": NO_NUMBERS,
        "check_transformer_data_not_an_array": NO_NUMBERS,
        "check_transformer_general": NO_NUMBERS,
        "check_transformer_preserve_dtypes": NO_NUMBERS,
        "check_methods_sample_order_invariance": NO_NUMBERS,
        "check_methods_subset_invariance": NO_NUMBERS,
        "check_fit_idempotent": NO_NUMBERS,
    },
    LevelMeans: {
        "check_transformer_general": CROSS_FITTED,
        "check_transformer_data_not_an_array": "levels are read by NumPy",
        "check_complex_data": "a complex target is refused by the words of splits",
        "check_dtype_object": "an unknown target is refused by the words of splits",
        "check_requires_y_none": "a missing target is refused by our own words",
        "check_fit2d_1sample": "a target with one value is refused by the words of splits",
    },
}


@pytest.mark.parametrize(
    "maker", [ToNumber, ToText, ToSeconds, HashedLevels, WordWeights, LevelMeans]
)
def test_transformers_pass_scikit_learns_checks(maker):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = check_estimator(
            maker(), expected_failed_checks=DEVIATIONS.get(maker), on_fail=None, on_skip=None
        )
    assert len(found) > 40
    assert [each["check_name"] for each in found if each["status"] == "failed"] == []


@pytest.mark.parametrize("maker", [DateParts, ClockParts])
def test_transformers_of_times_refuse_the_numbers_of_the_checks_and_pass_the_rest(maker):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = check_estimator(maker(), on_fail=None, on_skip=None)
    failed = [each for each in found if each["status"] == "failed"]
    assert len(failed) < len(found) / 2
    for each in failed:
        assert "numbers like" in str(each["exception"]) or "no time of day" in str(
            each["exception"]
        )


def test_a_cell_that_is_no_value_is_refused():
    with pytest.raises(TypeError, match="a cell holds a dict"):
        ToNumber().fit(np.array([[{"a": 1}], [2.0]], dtype=object))
