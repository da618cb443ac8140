"""The order of rows: a maximum, so that neither order nor repetition nor batches count."""

from datetime import timedelta
from itertools import permutations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.features.feature_rows import NOON, SPEND, labels

from penstock.features.views import fold, is_missing, leading

ROWS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 3)), max_size=12)


def frame(rows):
    """Rows of (key, event, delay), numbered in this order."""
    table = pl.DataFrame(
        rows, schema={"key": pl.Int64, "event_time": pl.Int64, "delay": pl.Int64}, orient="row"
    )
    return table.with_columns(
        available_at=pl.col("event_time") + pl.col("delay"), seq=pl.int_range(pl.len())
    ).drop("delay")


def order(row):
    return row["event_time"], row["available_at"], row["seq"]


@given(ROWS)
def test_the_fold_is_the_largest_row_of_each_key(rows):
    table = frame(rows)
    found = {row["key"]: row for row in fold(table, ["key"]).to_dicts()}
    for key in {row[0] for row in rows}:
        assert found.pop(key) == max(table.filter(key=key).to_dicts(), key=order)
    assert found == {}


@given(ROWS, st.integers(1, 4), st.randoms(use_true_random=False))
def test_batches_in_any_order_with_repetitions_fold_to_the_same(rows, batches, random):
    table = frame(rows)
    parts = [table.filter(pl.col("seq") % batches == i) for i in range(batches)] * 2
    random.shuffle(parts)
    folded = parts[0].clear()
    for each in parts:
        folded = fold(pl.concat([folded, each]), ["key"])
    assert folded.sort("key").equals(fold(table, ["key"]).sort("key"))


@given(ROWS)
def test_after_each_leading_row_the_fold_is_that_row(rows):
    table = frame(rows)
    steps = leading(table, ["key"])
    for moment in range(8):
        known = table.filter(pl.col("available_at") <= moment)
        last = steps.filter(pl.col("available_at") <= moment).unique(
            "key", keep="last", maintain_order=True
        )
        assert last.sort("key").equals(fold(known, ["key"]).sort("key"))


@given(ROWS)
def test_each_order_of_the_same_rows_gives_the_same_steps(rows):
    table = frame(rows)
    shuffled = table[np.random.default_rng(7).permutation(table.height)]
    assert leading(shuffled, ["key"]).equals(leading(table, ["key"]))


def test_equal_times_are_decided_by_seq():
    table = frame([(0, 1, 1), (0, 1, 1), (0, 1, 1)])
    for places in permutations(range(3)):
        assert fold(table[list(places)], ["key"])["seq"].item() == 2


def test_keys_of_several_columns_are_kept_apart():
    table = frame([(0, 1, 0), (0, 2, 0), (1, 1, 0)]).with_columns(shop=pl.Series(["a", "b", "a"]))
    assert fold(table, ["key", "shop"]).height == 3
    assert fold(table, ["shop"]).height == 2


@pytest.mark.parametrize(("age", "expected"), [(0, False), (1, False), (2, True)])
def test_the_edge_of_the_ttl_counts(age, expected):
    view = SPEND.__class__("v", SPEND.entity, {"amount": pl.Float64}, ttl=timedelta(microseconds=1))
    winner = labels((1, 0)).select(
        event_time="time", is_deleted=False, at=pl.col("time") + timedelta(microseconds=age)
    )
    assert winner.select(is_missing(view, pl.col("at"))).item() is expected
    assert winner["event_time"].item() == NOON
