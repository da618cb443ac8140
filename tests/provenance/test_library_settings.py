"""Settings of libraries that a notebook or script made are known, and can be made again elsewhere."""

import decimal

import numpy as np
import pandas as pd
import pytest
import sklearn

from penstock.provenance import library_settings, use_library_settings


@pytest.fixture(autouse=True)
def defaults():
    use_library_settings({})
    yield
    use_library_settings({})


def settle():
    sklearn.set_config(transform_output="pandas", assume_finite=True)
    np.seterr(divide="raise")
    pd.set_option("display.max_columns", 99)
    decimal.getcontext().prec = 9


SETTLED = {
    "decimal.prec": 9,
    "numpy.errors.divide": "raise",
    "pandas.display.max_columns": 99,
    "sklearn.assume_finite": True,
    "sklearn.transform_output": "pandas",
}


def test_a_fresh_process_has_no_settings():
    assert library_settings() == {}


def test_what_is_set_is_told_by_library_and_name():
    settle()
    assert library_settings() == SETTLED


def test_settings_can_be_made_again_and_all_others_are_the_defaults():
    np.seterr(over="raise")
    use_library_settings(SETTLED)
    assert library_settings() == SETTLED
    assert np.geterr()["over"] == "warn"
    use_library_settings({})
    assert library_settings() == {}


def test_an_object_is_told_and_never_set():
    pd.set_option("display.float_format", "{:.1f}".format)
    (text,) = library_settings().values()
    assert text.startswith("object ")
    use_library_settings({"pandas.display.float_format": text})
    assert library_settings() == {}
