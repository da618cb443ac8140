"""Formulas: columns that together make up the target are found, and nothing else is accused."""

import numpy as np
import polars as pl
import pytest

from penstock.scaffolding._formulas import find_formula

NUMBERS = np.random.default_rng(3)
ROWS = 500


def _table(**more) -> pl.DataFrame:
    columns = {name: NUMBERS.gamma(2.0, 10.0, ROWS) for name in "abcdef"}
    return pl.DataFrame(columns).with_columns(**more)


def _find(target: pl.Expr):
    table = _table(y=target)
    return find_formula(table, "y", list("abcdef"))


def test_parts_of_a_sum_are_found_and_nothing_else():
    formula = _find(pl.col("b") + pl.col("e"))
    assert set(formula.columns) == {"b", "e"}
    assert formula.text in {"y = b + e", "y = e + b"}


def test_a_difference_keeps_its_sign():
    formula = _find(pl.col("a") * 1 - pl.col("b"))
    assert formula.text in {"y = a - b", "y = - b + a"}


def test_a_weighted_sum_is_told_as_one():
    formula = _find(pl.col("a") * 0.3 + pl.col("b") * 0.7)
    assert set(formula.columns) == {"a", "b"}
    assert formula.text.endswith("by a weighted sum")


def test_a_copy_is_found():
    assert _find(pl.col("c")).text == "y = c"


def test_price_times_quantity_is_found():
    formula = _find(pl.col("a") * pl.col("d"))
    assert set(formula.columns) == {"a", "d"}
    assert formula.text.endswith("by factors")


def test_a_correlated_column_beside_the_parts_is_not_accused():
    table = _table(y=pl.col("a") + pl.col("b")).with_columns(g=pl.col("a") * 2 + pl.col("c"))
    assert set(find_formula(table, "y", list("abcdefg")).columns) == {"a", "b"}


def test_noise_makes_it_no_formula():
    table = _table(y=pl.col("a") + pl.col("b"))
    noisy = table.with_columns(y=pl.col("y") + pl.Series(NUMBERS.normal(0, 1, ROWS)))
    assert find_formula(noisy, "y", list("abcdef")) is None


def test_missing_values_do_not_hide_it():
    table = _table(y=pl.col("a") + pl.col("b")).with_columns(
        y=pl.when(pl.int_range(pl.len()) % 7 == 0).then(None).otherwise(pl.col("y"))
    )
    assert set(find_formula(table, "y", list("abcdef")).columns) == {"a", "b"}


@pytest.mark.parametrize("rows", [0, 3])
def test_too_few_rows_say_nothing(rows):
    assert find_formula(_table(y=pl.col("a")).head(rows), "y", ["a"]) is None


def test_a_target_that_never_varies_says_nothing():
    assert find_formula(_table(y=pl.lit(1.0)), "y", ["a"]) is None


def test_no_columns_say_nothing():
    assert find_formula(_table(y=pl.col("a")), "y", []) is None
