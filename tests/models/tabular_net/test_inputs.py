import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.core import DataError
from penstock.models.tabular_net._inputs import (
    MISSING,
    UNKNOWN,
    count_levels,
    encode_columns,
    learn_columns,
)


def test_rare_new_and_missing_levels_have_codes_of_their_own():
    shops = pl.Series("shop", ["a"] * 3 + ["b"] * 2 + [None])
    learned = learn_columns([shops])
    assert count_levels(learned) == [3]
    asked = pl.Series("shop", ["a", "b", "new", None])
    codes = encode_columns([asked], learned).codes[:, 0].tolist()
    assert codes == [2, UNKNOWN, UNKNOWN, MISSING]


def test_a_missing_number_is_the_median_with_an_indicator():
    numbers = pl.Series("n", [1.0, 2.0, 9.0, None, float("inf")])
    learned = learn_columns([numbers])
    found = encode_columns([numbers], learned).numbers
    assert found[:, 2].tolist() == [0, 0, 0, 1, 1]
    assert found[3].tolist()[:2] == found[1].tolist()[:2]


def test_a_text_among_numbers_is_named():
    learned = learn_columns([pl.Series("n", [1, 2])])
    with pytest.raises(DataError, match="'n' holds 'two', which is no number"):
        encode_columns([pl.Series("n", ["two"])], learned)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.none() | st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=40),
    st.lists(st.none() | st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=40),
)
def test_every_number_is_finite_and_a_row_is_the_same_alone(seen, asked):
    learned = learn_columns([pl.Series("n", seen, dtype=pl.Float64)])
    column = pl.Series("n", asked, dtype=pl.Float64)
    whole = encode_columns([column], learned).numbers
    assert np.isfinite(whole).all()
    alone = [encode_columns([column[at : at + 1]], learned).numbers[0] for at in range(len(asked))]
    assert np.array_equal(np.vstack(alone), whole)
