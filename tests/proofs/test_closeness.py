"""Closeness is a proof: what is not known to be equal is not within a tolerance."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.linear_model import LinearRegression

from penstock.proofs._closeness import Closeness, is_within
from penstock.stores import content_digest

CLOSE = Closeness(atol=1e-3)


def within(one, two):
    return is_within(one, two, CLOSE, content_digest)


def fitted(slope):
    return LinearRegression().fit([[1.0], [2.0]], [slope, 2 * slope])


def masked(mask):
    return np.ma.array([1.0, 2.0], mask=mask)


def frame(values, index=(0, 1), **more):
    return pd.DataFrame({"a": values, **more}, index=list(index))


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (1.0, 1.0001),
        (float("inf"), float("inf")),
        ({"a": [1.0, (2.0, "x")]}, {"a": [1.0001, (2.0001, "x")]}),
        (np.array([1.0, np.nan]), np.array([1.0001, np.nan])),
        (pl.DataFrame({"a": [1.0, None], "b": ["x", "y"]}),
         pl.DataFrame({"a": [1.0001, None], "b": ["x", "y"]})),
        (frame([1.0, 2.0], b=["x", "y"]), frame([1.0001, 2.0], b=["x", "y"])),
        (frame([1.0, 2.0])["a"], frame([1.0001, 2.0])["a"]),
        (fitted(2.0), fitted(2.0001)),
        (masked([True, False]), masked([True, False]) + 0.0001),
    ],
)  # fmt: skip
def test_numbers_that_are_close_are_within(one, two):
    assert within(one, two)
    assert within(one, one)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (1.0, 1.1),
        (1, 1.0),
        (True, False),
        ({"a": 1.0}, {"b": 1.0}),
        ([1.0, "x"], [1.0, "y"]),
        ([1.0], [1.0, 2.0]),
        ([[[[[[[[[[[[[["x"]]]]]]]]]]]]]], [[[[[[[[[[[[[["y"]]]]]]]]]]]]]]),
        (np.array([1.0]), np.array([1.0], dtype="float32")),
        (np.array(["x"]), np.array(["y"])),
        (masked([True, False]), masked([False, False])),
        (pl.DataFrame({"a": [1.0], "b": ["x"]}), pl.DataFrame({"a": [1.0], "b": ["y"]})),
        (pl.DataFrame({"a": [1.0, None]}), pl.DataFrame({"a": [None, 1.0]})),
        (pl.DataFrame({"a": [1.0], "b": [1.0]}), pl.DataFrame({"b": [1.0], "a": [1.0]})),
        (frame([1.0, 2.0]), frame([1.0, 2.0], index=(1, 0))),
        (frame([1.0, 2.0], b=["x", "y"]), frame([1.0, 2.0], b=["x", "z"])),
        (fitted(2.0), fitted(3.0)),
        (fitted(2.0), "another"),
    ],
)
def test_whatever_else_differs_is_not(one, two):
    assert not within(one, two)


def test_what_has_no_digest_is_not_within():
    def broken(value):
        raise TypeError(value)

    assert not is_within(object(), object(), CLOSE, broken)
