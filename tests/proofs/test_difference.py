"""A difference is told by place, size and whether it is tolerated."""

import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression

from penstock.proofs import find_differences
from penstock.proofs._closeness import Closeness


def only(recorded, found, closeness=None):
    [difference] = find_differences(recorded, found, closeness, path="value")
    return difference


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    )
)
def test_a_value_does_not_differ_from_itself(value):
    assert list(find_differences(value, value)) == []


def test_a_table_is_told_by_column_row_and_largest_gap():
    one = pl.DataFrame({"a": [1.0, 2.0, 3.0], "b": ["x", "y", "z"]})
    two = pl.DataFrame({"a": [1.0, 2.5, 3.25], "b": ["x", "y", "z"]})
    difference = only(one, two)
    assert difference.path == "value, column 'a', row 1 (2 of 3 rows differ)"
    assert (difference.recorded, difference.found, difference.largest) == ("2.0", "2.5", 0.5)
    assert not difference.tolerated


@pytest.mark.parametrize(
    ("two", "word"),
    [
        (pl.DataFrame({"a": [1]}), "rows"),
        (pl.DataFrame({"b": [1, 2]}), "columns"),
        (pl.DataFrame({"a": [1.0, 2.0]}), "column 'a'"),
        (pl.DataFrame({"a": [1, None]}), "row 1"),
    ],
)
def test_tables_of_another_shape_are_told(two, word):
    assert word in only(pl.DataFrame({"a": [1, 2]}), two).path


def test_pandas_frames_are_compared_like_tables():
    difference = only(pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"a": [1, 3]}))
    assert "column 'a', row 1" in difference.path


def test_arrays_are_told_by_index():
    difference = only(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, 2.0], [3.0, 4.5]]))
    assert difference.path == "value[1, 1] (1 of 4)"
    assert difference.largest == 0.5
    assert "array float64[2]" in only(np.zeros(2), np.zeros(3)).recorded


def test_structured_and_object_arrays_are_walked():
    kind = np.dtype([("a", float), ("b", int)])
    one, two = np.zeros(2, kind), np.zeros(2, kind)
    two["b"][1] = 5
    assert only(one, two).path == "value['b'][1] (1 of 2)"
    assert only(np.array(["a", "b"], object), np.array(["a", "c"], object)).path == "value[1]"


def test_nan_equals_nan_and_integers_are_not_floats():
    assert list(find_differences(math.nan, math.nan)) == []
    assert only(1, 1.0).largest == 0.0


def test_a_declared_tolerance_covers_small_gaps_only():
    close = Closeness(rtol=0.1)
    assert only(10.0, 10.5, close).tolerated
    assert not only(10.0, 12.0, close).tolerated
    assert only(np.array([10.0]), np.array([10.5]), close).tolerated
    assert only(pl.DataFrame({"a": [10.0]}), pl.DataFrame({"a": [10.5]}), close).tolerated


def test_estimators_are_walked_by_fitted_attribute():
    x = np.array([[1.0], [2.0], [3.0]])
    one = LinearRegression().fit(x, [1.0, 2.0, 3.0])
    two = LinearRegression().fit(x, [2.0, 4.0, 6.0])
    assert "value.coef_[0] (1 of 1)" in {d.path for d in find_differences(one, two, path="value")}


def test_an_estimator_that_holds_a_class_is_told_by_what_differs():
    one, two = (CountVectorizer(vocabulary=words).fit(["a"]) for words in (["a", "b"], ["b", "a"]))
    told = [str(each) for each in find_differences(one, two)]
    assert any("vocabulary[0]: recorded 'a', now 'b'" in each for each in told)
    [told] = find_differences({"type": np.int64}, {"type": np.float64})  # type: ignore[assignment]
    assert "int64" in str(told)


def test_objects_that_equal_only_themselves_are_compared_by_their_state():
    one, two, other = (np.random.default_rng(seed) for seed in (1, 1, 2))
    assert list(find_differences([one], [two])) == []
    assert [found.path for found in find_differences([one], [other])] == ["[0]"]


def test_added_and_missing_keys_and_lengths_are_told():
    paths = {str(d) for d in find_differences({"a": 1}, {"b": 1})}
    assert paths == {"['a']: recorded 1, now nothing", "['b']: recorded nothing, now 1"}
    assert only([1], [1, 2]).found == "2 items"
    assert only("a", 1).recorded == "a str"


def test_long_values_are_shortened():
    assert len(only("x" * 500, "y").recorded) <= 120
