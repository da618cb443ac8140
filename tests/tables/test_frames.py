"""Frames are offered in one order, and a type taken without a warning is preferred."""

import warnings

import polars as pl
import pytest

from penstock.core import DataError
from penstock.tables import columns_of, offer_frames


def test_the_first_type_that_is_taken_is_kept():
    assert offer_frames(lambda frame_type: frame_type, owner="The model") == ("polars", "polars")


def test_a_type_taken_without_a_warning_is_preferred():
    def ask(frame_type):
        if frame_type != "numpy":
            warnings.warn("X has feature names", UserWarning, stacklevel=1)
        return 1

    assert offer_frames(ask, owner="The model") == ("numpy", 1)


def test_where_every_type_is_refused_each_reason_is_told():
    def ask(frame_type):
        raise KeyError(frame_type)

    with pytest.raises(DataError, match=r"The model cannot predict.*polars: Key.*pandas.*numpy"):
        offer_frames(ask, owner="The model")


def test_an_error_with_a_remedy_passes_through():
    def ask(frame_type):
        raise DataError(what=f"{frame_type}: column 'x' is missing.")

    with pytest.raises(DataError, match=r"^polars: column 'x'"):
        offer_frames(ask, owner="The model")


def test_a_value_without_columns_is_refused():
    assert [column.name for column in columns_of(pl.DataFrame({"a": [1]}))] == ["a"]
    with pytest.raises(DataError, match="A list has no column names"):
        columns_of([1])
