"""Slices: at most three columns, those about people first."""

import polars as pl

from penstock.data import split_table
from penstock.scaffolding._slices import choose_slices

ROWS = 1_000


def _choose(group: str | None = None, **columns):
    table = pl.DataFrame({**columns, "y": [n * 17 % 29 / 3 for n in range(ROWS)]})
    split = split_table(table, target="y")
    return choose_slices(split, tuple(split.schema), group)


def test_people_come_first_and_sex_before_age():
    chosen = _choose(
        city=["Ulm", "Bonn"] * (ROWS // 2),
        age=[n * 7 % 60 + 18 for n in range(ROWS)],
        marital_status=["s", "m"] * (ROWS // 2),
        sex=["f", "m", "f", "f", "m"] * (ROWS // 5),
    )
    assert chosen == ("sex", "age", "marital_status")


def test_the_group_comes_before_other_categories():
    chosen = _choose("shop", city=["Ulm", "Bonn"] * (ROWS // 2), shop=["a", "b"] * (ROWS // 2))
    assert chosen == ("shop", "city")


def test_codes_count_and_yes_or_no_codes_come_last():
    chosen = _choose(
        flag=[n % 2 for n in range(ROWS)],
        season=[n * 13 % 4 for n in range(ROWS)],
        hour=[n % 12 for n in range(ROWS)],
    )
    assert chosen == ("season", "flag")


def test_a_column_of_many_or_of_tiny_values_is_no_slice():
    chosen = _choose(
        zip=[f"z{n % 50}" for n in range(ROWS)],
        mostly=["x"] * (ROWS - 20) + ["y"] * 20,
    )
    assert chosen == ()
