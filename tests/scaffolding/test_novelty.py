"""Novelty: what the test shows for the first time is no feature of a split by time."""

from datetime import date, timedelta

import polars as pl

from penstock.data import split_table
from penstock.scaffolding._novelty import note_new_in_test


def _split(days: int, *, by_time: str | None = "day"):
    start = date(2021, 1, 1)
    table = pl.DataFrame(
        {
            "day": [start + timedelta(days=n) for n in range(days)],
            "month": [(start + timedelta(days=n)).month for n in range(days)],
            "counter": [float(n) for n in range(days)],
            "weekday": [n % 7 for n in range(days)],
            "size": [n * 37 % 101 / 3 for n in range(days)],
            "y": [n * 17 % 29 / 3 for n in range(days)],
        }
    )
    return split_table(table, target="y", by_time=by_time)


def test_months_and_counters_that_only_the_test_has_are_named():
    assert [note.column for note in note_new_in_test(_split(365))] == ["day", "month", "counter"]


def test_months_that_come_round_again_are_fine():
    assert [note.column for note in note_new_in_test(_split(3 * 365))] == ["counter"]


def test_a_random_split_has_nothing_new():
    assert note_new_in_test(_split(365, by_time=None)) == []
