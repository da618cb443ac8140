"""Splits: what was asked is tried first, and what cannot work is replaced and said."""

import polars as pl
import pytest

from penstock.core import DataError
from penstock.scaffolding._splits import SplitChoice, choose_split, drop_copies


def _table(rows=200, **more):
    columns = {
        "day": [f"2021-{1 + n // 28 % 12:02d}-{1 + n % 28:02d}" for n in range(rows)],
        "shop": [f"s{n % 7}" for n in range(rows)],
        "size": [n * 7 % 23 / 7 for n in range(rows)],
        "y": ["a" if n % 3 else "b" for n in range(rows)],
    }
    table = pl.DataFrame({**columns, **more})
    return table.with_columns(pl.col("day").str.to_date())


def test_what_was_asked_is_done_when_it_works():
    chosen = choose_split(_table(), SplitChoice("y", "day", "shop"))
    assert (chosen.choice.by_time, chosen.choice.by_group, chosen.warnings) == ("day", "shop", ())


def test_one_time_for_all_rows_falls_back_to_chance_and_says_so():
    table = _table().with_columns(day=pl.date(2021, 1, 1))
    chosen = choose_split(table, SplitChoice("y", "day"))
    assert chosen.choice.by_time is None
    assert "split at random, neither by time nor by group" in chosen.warnings[0]


def test_one_group_keeps_the_order_of_time():
    table = _table().with_columns(shop=pl.lit("s"))
    chosen = choose_split(table, SplitChoice("y", "day", "shop"))
    assert (chosen.choice.by_time, chosen.choice.by_group) == ("day", None)
    assert chosen.warnings[0].endswith("So rows are split by time only.")


def test_three_rows_find_a_seed_that_leaves_two_classes_to_learn():
    for order in (["a", "b", "b"], ["b", "a", "b"], ["b", "b", "a"]):
        table = _table(3).with_columns(y=pl.Series(order))
        split = choose_split(table, SplitChoice("y")).split
        assert split.train.y.n_unique() == 2


def test_two_rows_are_too_few():
    with pytest.raises(DataError, match="2 of 2 rows"):
        choose_split(_table(2).with_columns(y=pl.Series(["a", "b"])), SplitChoice("y"))


def test_a_column_that_gives_the_target_away_is_left_out():
    table = _table(400, proxy=[float(n % 3 > 0) for n in range(400)])
    chosen = choose_split(table, SplitChoice("y"))
    assert chosen.choice.drop == ("proxy",)
    assert [leak.column for leak in chosen.leaks] == ["proxy"]
    assert not [leak for leak in chosen.split.leakage if leak.level == "fail"]


def test_the_last_column_stays_even_if_it_gives_the_target_away():
    table = _table(400, proxy=[float(n % 3 > 0) for n in range(400)]).select("proxy", "y")
    chosen = choose_split(table, SplitChoice("y"))
    assert chosen.split.schema.names == ["proxy"]


def test_rows_that_differ_in_an_identifier_all_stay():
    table = pl.DataFrame({"id": range(300), "x": [n // 3 / 7 for n in range(300)]})
    table = table.with_columns(y=pl.col("x") % 2 > 1)
    chosen = choose_split(table, SplitChoice("y", drop=("id",)))
    assert not chosen.choice.distinct
    assert len(chosen.split.train) + len(chosen.split.test) == 300


def test_copies_of_rows_are_dropped():
    table = pl.DataFrame({
        "id": [n // 3 for n in range(900)],
        **{name: [(n // 3 * step) % 9973 / 7 for n in range(900)] for name, step in
           (("u", 7919), ("v", 6007), ("w", 4001))},
        "y": [n // 3 * 31 % 7 > 2 for n in range(900)],
    })  # fmt: skip
    chosen = choose_split(table, SplitChoice("y", drop=("id",)))
    assert chosen.choice.distinct
    assert len(chosen.split.train) + len(chosen.split.test) == 300


def test_the_first_copy_is_the_one_kept():
    table = pl.DataFrame({"id": [3, 1, 3, 3], "x": [5, 6, 5, 6]})
    assert drop_copies(table).rows() == [(3, 5), (1, 6), (3, 6)]
