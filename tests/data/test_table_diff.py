"""The difference of two tables: laws, and what is shown."""

import math
from collections import Counter

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core import NotFoundError, ParameterError
from penstock.data import Snapshot, diff_tables

rows = st.lists(
    st.tuples(
        st.integers(0, 3), st.sampled_from([None, "a", "b"]), st.sampled_from([0.0, 1.5, math.nan])
    ),
    max_size=12,
)


def frame(values):
    return pl.DataFrame(
        values, schema={"k": pl.Int64, "s": pl.String, "x": pl.Float64}, orient="row"
    )


def counted(values):
    return Counter((k, s, "nan" if math.isnan(x) else x) for k, s, x in values)


@given(rows, rows)
def test_rows_are_matched_one_by_one_with_their_number(before, after):
    found = diff_tables(frame(before), frame(after))
    assert found.added == (counted(after) - counted(before)).total()
    assert found.deleted == (counted(before) - counted(after)).total()
    assert found.before + found.added - found.deleted == found.after


@given(rows, rows)
def test_a_key_tells_changed_rows(before, after):
    old, new = ({k: (k, s, x) for k, s, x in values} for values in (before, after))
    found = diff_tables(frame(list(old.values())), frame(list(new.values())), key="k")
    changed = [k for k in old.keys() & new.keys() if counted([old[k]]) != counted([new[k]])]
    assert found.added == len(new.keys() - old.keys())
    assert found.deleted == len(old.keys() - new.keys())
    assert found.changed == len(changed)
    assert sum(found.columns_changed.values()) >= found.changed
    assert found.to_json()["changed"] == found.changed


@given(rows, st.randoms())
def test_order_does_not_count(values, random):
    other = list(values)
    random.shuffle(other)
    assert diff_tables(frame(values), frame(other)).is_equal


def test_columns_that_came_went_and_changed_are_told():
    before = pl.DataFrame({"k": [1, 2], "gone": [1, 2], "kind": [1, 2]})
    after = pl.DataFrame({"k": [1, 2], "kind": ["1", "2"], "came": [1, 2]})
    found = diff_tables(before, after, "k")
    assert not found.is_equal
    assert (found.added, found.deleted, found.changed) == (0, 0, 0)
    assert [(finding.rule, finding.column) for finding in found.findings] == [
        ("missing", "gone"),
        ("retyped", "kind"),
        ("added", "came"),
    ]


def test_changed_values_are_shown_before_and_after():
    before = pl.DataFrame({"k": [1, 2], "s": ["a", None], "x": [math.nan, 1.0]})
    after = pl.DataFrame({"k": [2, 1], "s": ["b", "a"], "x": [1.0, math.nan]})
    found = diff_tables(before, after, ["k"])
    assert found.examples["changed"].rows() == [(2, "s", None, "b")]


def test_lists_structs_and_categories_are_compared():
    table = pl.DataFrame(
        {"l": [[1], [2, 3]], "s": [{"a": 1}, {"a": 2}], "c": ["x", "y"]}
    ).with_columns(pl.col("c").cast(pl.Categorical))
    assert diff_tables(table, table.reverse()).is_equal
    assert diff_tables(table, table.head(1)).deleted == 1


@pytest.mark.parametrize(
    ("key", "error", "words"),
    [
        ("kk", NotFoundError, "no column 'kk' in the earlier rows"),
        ("s", ParameterError, "s is equal in several of the earlier rows"),
    ],
)
def test_a_key_that_is_none_is_refused(key, error, words):
    table = frame([(1, "a", 0.0), (2, "a", 0.0)])
    with pytest.raises(error, match=words):
        diff_tables(table, table, key)


def test_values_of_types_that_replace_each_other_are_compared_too():
    old = pl.DataFrame({"k": [1, 2], "x": pl.Series([5, 6], dtype=pl.Int32)})
    new = old.with_columns(x=pl.Series([5, 7], dtype=pl.Int64))
    assert not diff_tables(old, new).is_equal
    assert diff_tables(old, new, "k").columns_changed == {"x": 1}
    assert diff_tables(old, old.with_columns(pl.col("x").cast(pl.Int64))).is_equal


def test_what_has_no_common_type_is_never_equal():
    old = pl.DataFrame({"x": [[1]]})
    new = pl.DataFrame({"x": [{"a": 1}]})
    assert not diff_tables(old, new).is_equal


def test_snapshots_and_other_frames_are_compared_too():
    pandas = pytest.importorskip("pandas", reason="needs pandas")
    table = pl.DataFrame({"id": [1, 2]})
    assert diff_tables(Snapshot.of(table), table[:1], key="id").deleted == 1
    assert diff_tables(pandas.DataFrame({"id": [1, 2]}), table).is_equal
    with pytest.raises(ParameterError, match="before is an int, which is no table"):
        diff_tables(3, table)  # type: ignore[arg-type] # what beginners write
    with pytest.raises(ParameterError, match="key is 3"):
        diff_tables(table, table, key=3)  # type: ignore[arg-type] # the same
