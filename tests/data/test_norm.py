"""What the share of missing values may be is told from how versions differ, and by chance alone."""

import numpy as np
import pytest

from penstock.data._norm import _check_missing
from penstock.data._profile import ColumnProfile


def column(missing, rows=400):
    return ColumnProfile("category", rows, missing)


def levels(before, missing, rows=400):
    return [level for level, *_ in _check_missing("company", column(missing, rows), before)]


@pytest.fixture
def usual():
    """Twenty versions, a third of whose values is missing, by chance (seed 5)."""
    rng = np.random.default_rng(5)
    return [column(int(missing)) for missing in rng.binomial(400, 0.34, 20)]


def test_one_small_version_excuses_no_lost_values_among_many_missing_ones(usual):
    # 30 % of the values that were there are lost: 54 % of the rows, 6 errors of 3.3 % away.
    assert levels([*usual, column(20, rows=60)], 216) == ["warn"]
    assert levels(usual, 300) == ["fail"]


def test_shares_that_chance_gives_are_not_told(usual):
    rng = np.random.default_rng(6)
    assert not [n for n in rng.binomial(400, 0.34, 2_000) if levels(usual, int(n))]


def test_few_versions_and_few_rows_tell_less(usual):
    assert levels(usual[:3], 180) == []
    assert levels(usual, 15, rows=30) == []
