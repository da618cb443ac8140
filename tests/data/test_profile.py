import json
from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.data import TableProfile, count_bins, infer_schema, profile_table
from penstock.data._profiling import profile_column, quantiles_of

FINITE = st.floats(-1e12, 1e12)


@given(values=st.lists(FINITE, min_size=1, max_size=200))
def test_statistics_are_numpys(values):
    profile = profile_column(pl.Series("x", values))
    assert profile.mean == pytest.approx(np.mean(values), rel=1e-9, abs=1e-9)
    assert profile.std == pytest.approx(np.std(values), rel=1e-6, abs=1e-3)
    assert (profile.min, profile.max) == (min(values), max(values))
    assert profile.quantiles == pytest.approx(np.quantile(values, np.linspace(0, 1, 21)))
    assert profile.unique == len(set(values))


@given(
    values=st.lists(st.none() | FINITE | st.sampled_from([0.0, 1.0, float("inf"), float("nan")]))
)
def test_every_value_falls_into_one_bin(values):
    profile = profile_column(pl.Series("x", values, dtype=pl.Float64))
    present = [v for v in values if v is not None and not np.isnan(v)]
    assert profile.missing == len(values) - len(present)
    assert profile.infinite == sum(np.isinf(present))
    if any(np.isfinite(present)):
        assert sum(profile.counts) == len(present)
        assert list(profile.edges[:-1]) == sorted(profile.edges[:-1])
        assert len(profile.counts) == len(profile.edges) - 1


@given(values=st.lists(st.integers(-50, 50) | st.none(), min_size=1), data=st.data())
def test_the_order_of_rows_does_not_count(values, data):
    other = data.draw(st.permutations(values))
    columns = {"i": pl.Int64, "s": pl.String}
    first, second = (
        profile_table(pl.DataFrame({"i": v, "s": [str(x) for x in v]}, schema=columns))
        for v in (values, other)
    )
    # Only how the rows follow one another depends on their order.
    one, two = (
        {name: replace(column, dependence=None) for name, column in found.columns.items()}
        for found in (first, second)
    )
    assert one == two


def test_bins_are_deciles_where_values_differ():
    profile = profile_column(pl.Series("x", np.arange(1_000.0)))
    assert profile.counts == (100,) * 10
    assert len(profile.quantiles) == 21


def test_a_heavy_value_has_a_bin_of_its_own():
    profile = profile_column(pl.Series("gain", [0.0] * 900 + [float(n) for n in range(1, 101)]))
    assert profile.counts[0] == 900
    middle = profile_column(
        pl.Series("x", [float(n) for n in range(100)] + [200.0] * 800 + [300.0] * 100)
    )
    at = middle.edges.index(200.0)
    assert middle.counts[at - 1] == 800


def test_two_values_have_two_bins():
    profile = profile_column(pl.Series("flag", [0] * 97 + [1] * 3))
    assert profile.counts == (97, 3)
    assert profile.top == (("0", 97), ("1", 3))


def test_later_values_are_counted_in_the_same_bins():
    edges = profile_column(pl.Series("x", np.arange(100.0))).edges
    assert sum(count_bins(edges, np.array([-1e9, 1e9, np.inf, -np.inf, 50.0]))) == 5
    assert count_bins(edges, np.array([-1e9]))[0] == 1
    assert count_bins(edges, np.array([1e9]))[-1] == 1


def test_one_value_has_one_bin():
    profile = profile_column(pl.Series("x", [5, 5]))
    assert (profile.kind, profile.edges, profile.counts) == ("constant", (5.0, 5.0), (2,))


def test_frequent_texts_come_first_and_equal_ones_by_name():
    profile = profile_column(pl.Series("c", ["b", "a", "c", "c", None]))
    assert profile.top == (("c", 2), ("a", 1), ("b", 1))
    assert (profile.missing, profile.unique, profile.other) == (1, 3, 0)


def test_only_fifty_texts_are_kept_and_the_rest_counted():
    profile = profile_column(pl.Series("c", [f"v{n:03}" for n in range(60)] * 2 + ["v007"]))
    assert len(profile.top) == 50
    assert profile.top[0] == ("v007", 3)
    assert profile.other == 20


def test_booleans_have_a_share_and_counts():
    profile = profile_column(pl.Series("b", [True, True, False, None]))
    assert profile.mean == pytest.approx(2 / 3)
    assert profile.top == (("true", 2), ("false", 1))


def test_times_are_numbers_of_seconds():
    days = profile_column(pl.Series("d", [date(1970, 1, 2), date(1970, 1, 3), None]))
    assert (days.kind, days.min, days.max, days.missing) == ("date", 86_400.0, 172_800.0, 1)
    moments = profile_column(pl.Series("t", [datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)] * 2))
    assert moments.mean == 1.0


def test_columns_that_cannot_be_profiled_still_count():
    table = pl.DataFrame({"l": [[1], None], "n": [None, None]})
    profile = profile_table(table)
    assert [(c.rows, c.missing) for c in profile.columns.values()] == [(2, 1), (2, 2)]
    assert profile_column(pl.Series("x", [float("inf")] * 2)).infinite == 2


def test_a_profile_survives_json_text():
    table = pl.DataFrame(
        {"a": [1.5, None, 3.0], "b": ["x", "y", "x"], "c": [True, False, None], "d": [1, 1, 2]}
    )
    profile = profile_table(table)
    text = json.dumps(profile.to_json(), allow_nan=False)
    assert TableProfile.from_json(json.loads(text)) == profile


def test_a_profile_completes_the_columns_of_a_schema():
    table = pl.DataFrame({"age": [20, 30, None], "city": ["b", "a", "b"], "more": [1, 2, 3]})
    profile = profile_table(table.drop("more"))
    age, city = profile.describe(infer_schema(table))
    assert (age.minimum, age.maximum, age.nullable, age.distinct) == (20.0, 30.0, True, 2)
    assert (city.levels, city.kind) == (("a", "b"), "category")


def test_a_shortened_list_of_categories_is_not_used():
    table = pl.DataFrame({"city": [f"c{n}" for n in range(60)] * 3})
    [city] = profile_table(table).describe(infer_schema(table))
    assert (city.kind, city.levels) == ("category", None)


def test_quantiles_of_ordered_numbers_are_those_of_numpy_bit_for_bit():
    random = np.random.default_rng(7)
    for rows in (1, 2, 3, 20, 21, 22, 999, 10_000):
        for numbers in (random.normal(size=rows), random.integers(-3, 3, rows) * 1e300):
            ordered = np.sort(numbers)
            wanted = np.quantile(ordered, np.linspace(0.0, 1.0, 21))
            assert np.array(quantiles_of(ordered)).tobytes() == wanted.tobytes()


def test_zeros_of_both_signs_are_one_value_whatever_their_order():
    profiles = [
        profile_column(pl.Series(values))
        for values in ([0.0, -0.0, -1.0, 0.0], [-0.0, 0.0, -1.0, -0.0], [-1.0, 0.0, 0.0, 0.0])
    ]
    assert repr(profiles[0].quantiles) == repr(profiles[1].quantiles) == repr(profiles[2].quantiles)
    assert [profile.unique for profile in profiles] == [2, 2, 2]
    assert str(profile_column(pl.Series([-0.0, 1.0])).min) == "-0.0"


def test_the_most_frequent_of_many_texts_are_found_with_ties_by_name():
    texts = pl.Series("text", [f"t{n % 400:03}" for n in range(1_000)])
    top = profile_column(texts.shuffle(3)).top
    assert top[0] == ("t000", 3)
    assert top == tuple((f"t{n:03}", 3) for n in range(50))


def test_infinite_values_count_in_the_outer_bins():
    numbers = pl.Series([float("inf")] * 2 + [float("-inf")] + [float(n) for n in range(100)])
    profile = profile_column(numbers)
    assert (profile.infinite, sum(profile.counts), profile.rows) == (3, 103, 103)
    plain = profile_column(numbers[3:])
    assert (profile.counts[0], profile.counts[-1]) == (plain.counts[0] + 1, plain.counts[-1] + 2)
