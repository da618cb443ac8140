"""Columns that a pipeline makes, and the inputs that they are made of."""

import polars as pl
import pytest
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from penstock.models._tree_values import find_owners

TABLE = pl.DataFrame({"a": [1.0, 2.0, 3.0], "a_b": ["x", "y", "x"], "c": ["b", "b", "d"]})


def test_a_column_belongs_to_the_input_in_its_name():
    head = make_column_transformer(
        (StandardScaler(), ["a"]), (OneHotEncoder(), ["a_b", "c"])
    ).set_output(transform="default")
    head.fit(TABLE)
    assert find_owners(make_pipeline(head), ["a", "a_b", "c"]) == [0, 1, 1, 2, 2]


@pytest.mark.parametrize("columns", [["a", "a_b"], ["a_b", "a"]])
def test_a_name_that_fits_two_inputs_tells_none(columns):
    table = pl.DataFrame({"a": ["b_x", "z"], "a_b": ["x", "y"]})
    head = make_column_transformer((OneHotEncoder(), columns)).fit(table)
    assert find_owners(head, ["a", "a_b"]) is None


def test_a_mixture_of_inputs_has_no_owner():
    numbers = pl.DataFrame({"a": [1.0, 2.0, 3.0], "b": [2.0, 1.0, 4.0]})
    assert find_owners(PCA().fit(numbers), ["a", "b"]) is None
