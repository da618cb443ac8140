"""Few rows are answered on one thread."""

import pytest
from sklearn.ensemble import HistGradientBoostingRegressor  # loads scikit-learn's OpenMP
from threadpoolctl import threadpool_info

from penstock.models._threads import threads_for


def openmp():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "openmp"]


@pytest.mark.parametrize(("rows", "limited"), [(1, True), (1000, True), (1001, False)])
def test_threads_are_limited_for_few_rows_only_and_given_back(rows, limited):
    assert HistGradientBoostingRegressor
    before = openmp()
    with threads_for(rows):
        inside = openmp()
    assert inside == ([1] * len(before) if limited else before)
    assert openmp() == before
