from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.evaluation import Estimate, SliceResult, cut_column, spread


def labels_of(series):
    cut = cut_column(series)
    return [cut.labels[code] for code in cut.codes]


def result(value, rows, recall=None):
    metrics = {} if recall is None else {"recall": Estimate(recall, recall, recall)}
    return SliceResult(value, rows, metrics)


def test_the_most_frequent_value_comes_first_and_missing_last():
    cut = cut_column(pl.Series("c", ["a", None, "b", "b", ""]))
    assert cut.labels == ("b", "(empty)", "a", "(missing)")
    assert [cut.labels[code] for code in cut.codes] == ["a", "(missing)", "b", "b", "(empty)"]


def test_few_numbers_are_values_in_their_order():
    assert cut_column(pl.Series("c", [10, 9, 10, 2])).labels == ("2", "9", "10")
    assert labels_of(pl.Series("c", [True, False, None])) == ["true", "false", "(missing)"]
    assert cut_column(pl.Series("c", [1.5, float("nan")])).labels == ("1.5", "(missing)")


def test_many_numbers_are_cut_into_bins_of_equal_counts():
    cut = cut_column(pl.Series("age", [*range(100), None]))
    assert cut.labels == (
        "[0, 19.8)",
        "[19.8, 39.6)",
        "[39.6, 59.4)",
        "[59.4, 79.2)",
        "[79.2, 99]",
        "(missing)",
    )
    assert np.bincount(cut.codes).tolist() == [20, 20, 20, 20, 20, 1]


def test_a_number_with_one_dominant_value_has_fewer_bins():
    cut = cut_column(pl.Series("c", [0.0] * 90 + [float(i) for i in range(1, 21)]))
    assert len(set(cut.labels)) == len(cut.labels)
    assert cut.codes.max() < len(cut.labels)


def test_infinite_numbers_fall_into_the_outer_bins():
    cut = cut_column(pl.Series("c", [*map(float, range(20)), float("inf"), float("-inf")]))
    assert cut.codes[-2:].tolist() == [4, 0]


def test_bins_of_nearly_equal_numbers_have_distinct_names():
    values = [1 + i * 1e-9 for i in range(50)]
    cut = cut_column(pl.Series("c", values))
    assert len(set(cut.labels)) == 5


def test_days_are_cut_into_bins_named_by_day():
    days = [date(2026, 1, 1) + timedelta(days=i) for i in range(50)]
    cut = cut_column(pl.Series("day", days))
    assert cut.labels[0] == "[2026-01-01, 2026-01-11)"
    assert len(cut.labels) == 5


def test_few_days_and_durations_are_values():
    assert cut_column(pl.Series("d", [date(2026, 1, 2), date(2026, 1, 1)])).labels == (
        "2026-01-01",
        "2026-01-02",
    )
    assert cut_column(pl.Series("d", [timedelta(1)])).labels == ("1 day, 0:00:00",)


def test_lists_are_compared_as_text():
    assert labels_of(pl.Series("c", [[1, 2], [3]])) == ["[1, 2]", "[3]"]


def test_rare_levels_beyond_fifty_are_put_together():
    values = [f"v{i:03}" for i in range(80)] + [f"v{i:03}" for i in range(10)]
    cut = cut_column(pl.Series("c", values))
    assert len(cut.labels) == 50
    assert cut.labels[-1] == "(other: 31 values)"
    assert cut.labels[0] == "v000"


def test_all_missing_is_one_group():
    assert cut_column(pl.Series("c", [None, None], dtype=pl.String)).labels == ("(missing)",)
    assert cut_column(pl.Series("c", [None], dtype=pl.Float64)).labels == ("(missing)",)


@given(st.lists(st.one_of(st.none(), st.floats(allow_nan=True)), min_size=1, max_size=60))
@settings(max_examples=60, deadline=None)
def test_every_row_of_any_numbers_falls_into_one_named_group(values):
    cut = cut_column(pl.Series("c", values, dtype=pl.Float64))
    assert len(cut.codes) == len(values)
    assert all(0 <= code < len(cut.labels) for code in cut.codes)
    assert sum(len(rows) for _, rows in cut.groups()) == len(values)


def test_gap_and_ratio_leave_small_slices_out():
    found = spread(
        "recall",
        [result("a", 30, 0.8), result("b", 40, 0.6), result("c", 29, 0.1), result("d", 99)],
    )
    assert found.gap == pytest.approx(0.2)
    assert found.ratio == pytest.approx(0.75)
    assert (found.small, found.undefined) == (1, 1)
    assert "left out: 1 with fewer than 30 rows, 1 without this metric" in str(found)


def test_fewer_than_two_comparable_values_have_no_gap():
    assert spread("recall", [result("a", 30, 0.8), result("b", 3, 0.1)]) is None
    assert spread("recall", []) is None
    assert spread("recall", [result("all", 30, 0.8)]) is None
    assert spread("recall", [result("(missing)", 30, 0.8)]) is None
    assert spread("recall", [result("a", 30, 0.8), result("(missing)", 30, 0.1)]) is None


def test_a_ratio_of_negative_figures_means_nothing():
    assert spread("recall", [result("a", 30, -0.1), result("b", 30, 0.5)]).ratio is None


@given(st.lists(st.floats(0, 1), min_size=2, max_size=8))
def test_a_gap_is_never_negative(figures):
    found = spread("recall", [result(str(at), 30, figure) for at, figure in enumerate(figures)])
    assert 0 <= found.gap <= 1
    assert found.ratio is None or 0 <= found.ratio <= 1


def test_a_slice_survives_json():
    one = result("a", 12, 0.5)
    assert SliceResult.from_json(one.to_json()) == one
    assert one.to_json()["small"] is True
