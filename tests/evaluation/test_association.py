"""Columns that tell the same, by the strength that scipy computes."""

import numpy as np
import polars as pl
import pytest
from scipy.stats import spearmanr
from scipy.stats.contingency import association

from penstock.evaluation._association import (
    _correlation_ratio,
    _cramers_v,
    _numbers,
    find_groups,
)

DRAW = np.random.default_rng(0)
X = DRAW.normal(size=300)
CITY = DRAW.choice(["a", "b", "c"], 300)


def test_ranks_are_spearmans():
    table = pl.DataFrame({"x": X, "y": X + DRAW.normal(size=300)})
    ranks = _numbers(table)
    other = spearmanr(table["x"], table["y"]).statistic
    assert float(ranks["x"] @ ranks["y"]) == pytest.approx(other)


def test_cramers_v_is_scipys_up_to_the_correction_of_the_bias():
    codes = DRAW.integers(0, 3, 300)
    other = np.where(DRAW.random(300) < 0.8, codes, DRAW.integers(0, 3, 300))
    table = np.zeros((3, 3), dtype=int)
    np.add.at(table, (codes, other), 1)
    assert _cramers_v(codes, other) == pytest.approx(association(table), abs=0.01)
    assert _cramers_v(codes, DRAW.integers(0, 3, 300)) < 0.1


def test_a_category_that_decides_a_number_has_ratio_one():
    codes = DRAW.integers(0, 3, 300)
    ranks = _numbers(pl.DataFrame({"x": codes}))["x"]
    assert _correlation_ratio(codes, ranks) == pytest.approx(1.0)


def test_groups_join_numbers_and_categories_and_leave_the_rest():
    table = pl.DataFrame(
        {
            "x": X,
            "minus": -X,
            "city": CITY,
            "code": [{"a": "1", "b": "2", "c": "3"}[each] for each in CITY],
            "level": [{"a": 1, "b": 5, "c": 9}[each] for each in CITY],
            "noise": DRAW.normal(size=300),
            "constant": [1] * 300,
        }
    )
    assert find_groups(table) == [("x", "minus"), ("city", "code", "level")]
    assert find_groups(table.head(20)) == []
