"""Target: the task is guessed and said, and hopeless targets are refused with a sentence."""

import polars as pl
import pytest

from penstock.core import DataError
from penstock.scaffolding._target import (
    choose_positive,
    count_classes,
    describe_target,
    find_rare,
    require_target,
)


def _say(values, missing=0):
    series = pl.Series("y", values)
    task = require_target(series)
    classes = count_classes(series) if task != "regression" else ()
    return describe_target(series, task, classes, missing)


def test_two_texts_are_a_binary_target():
    assert _say(["no"] * 3 + ["yes"]) == (
        "y has two values: no (75 %) and yes (25 %): binary classification."
    )


def test_few_codes_are_classes():
    assert _say([1, 2, 3] * 20).endswith("multi-class classification.")


def test_many_numbers_are_a_regression():
    assert _say([n * 0.5 for n in range(40)]) == "y has 40 different numbers: regression."


def test_missing_targets_are_counted():
    assert _say(["a", "b"] * 5, missing=3).endswith("Rows without it (3) are excluded.")


def test_a_tiny_share_is_not_called_zero():
    assert "under 1 %" in _say(["a"] * 500 + ["b"])


def test_classes_are_counted_in_a_fixed_order():
    assert count_classes(pl.Series("y", ["b", "a", "c", "c"])) == (("c", 2), ("a", 1), ("b", 1))


def test_categories_count_as_texts():
    series = pl.Series("y", ["b", "a", "b"]).cast(pl.Categorical)
    assert count_classes(series) == (("b", 2), ("a", 1))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["x"] * 30, "one value, 'x', in 30 rows"),
        ([None] * 30, "no values"),
        ([f"name {n // 2}" for n in range(400)], "200 different texts in 400 rows"),
    ],
)
def test_a_hopeless_target_is_refused(values, message):
    with pytest.raises(DataError, match=message):
        require_target(pl.Series("y", values, dtype=pl.String))


def test_rare_classes_are_named():
    assert find_rare([("a", 50), ("b", 10), ("c", 9), ("d", 1)]) == ("c", "d")


def test_no_class_is_rare_where_hardly_one_would_be_left():
    assert find_rare([("a", 50), ("b", 9)]) == ()


@pytest.mark.parametrize(
    ("classes", "positive"),
    [
        ([("no", 9), ("yes", 1)], "yes"),
        ([("yes", 9), ("no", 1)], "yes"),
        ([("stays", 9), ("leaves", 1)], "leaves"),
        ([(0, 9), (1, 1)], None),
        ([(1, 9), (2, 1)], 2),
        ([("fraud", 9), ("legit", 1)], "fraud"),
        ([(False, 9), (True, 1)], None),
    ],
)
def test_the_class_that_counts_as_yes_is_chosen(classes, positive):
    assert choose_positive(classes) == positive
