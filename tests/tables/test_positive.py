"""The positive class is what the labels mean; where they do not say it, nobody guesses."""

import numpy as np
import polars as pl
import pytest

from penstock.core import ParameterError
from penstock.data import Split, split_table
from penstock.tables import find_positive, match_class


@pytest.mark.parametrize(
    ("labels", "positive"),
    [
        (("fraud", "legit"), "fraud"),
        (("No", "Yes"), "Yes"),
        (("Churned", "Not Churned"), "Churned"),
        (("NotFraud", "Fraud"), "Fraud"),
        (("fraud", "not_fraud"), "fraud"),
        ((" <=50K", " >50K"), " >50K"),
        ((False, True), True),
        ((0, 1), 1),
        ((-1.0, 1.0), 1.0),
        (("0", "1"), "1"),
        (("benign", "malignant"), "malignant"),
    ],
)
def test_the_meaning_of_the_labels_decides_in_any_order(labels, positive):
    assert find_positive(labels) == positive
    assert find_positive(labels[::-1]) == positive


@pytest.mark.parametrize(
    "labels",
    [("cat", "dog"), (1, 2), ("good", "bad"), ("north", "south"), ("No", "Nope"), ("a",), ()],
)
def test_labels_that_do_not_say_it_are_not_guessed(labels):
    assert find_positive(labels) is None


def test_a_declared_class_is_matched_in_the_targets_type():
    assert match_class([0, 1], "1") == 1
    assert match_class([False, True], True) is True
    with pytest.raises(ParameterError, match="none of the target's classes"):
        match_class(["cat", "dog"], "bird")


def test_a_split_keeps_what_was_declared():
    kind = np.where(np.arange(40) % 3 == 0, "cat", "dog")
    table = pl.DataFrame({"size": np.arange(40.0), "kind": kind})
    split = split_table(table, target="kind", positive="cat")
    assert split.positive == "cat"
    assert Split.from_bundle(split.to_bundle()).positive == "cat"
    assert "positive" not in split_table(table, target="kind").to_bundle()["facts"]
    with pytest.raises(ParameterError, match="regression"):
        split_table(table, target="size", positive=1)
