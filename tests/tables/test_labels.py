"""Labels are read by one rule, wherever they come from."""

import numpy as np
import pytest

from penstock.tables import plain_value, read_label


@pytest.mark.parametrize(
    ("value", "classes", "label"),
    [
        ("1", (0, 1), 1),
        (True, (0, 1), 1),
        (1.0, ("0", "1"), "1"),
        ("YES ", ("no", "yes"), "yes"),
        ("Yes", ("yes", "Yes"), "Yes"),
        (0, (False, True), False),
    ],
)
def test_a_value_means_a_class_in_the_targets_type(value, classes, label):
    found = read_label(value, classes)
    assert (found, type(found)) == (label, type(label))


@pytest.mark.parametrize(
    ("value", "classes"), [(True, (1, 2)), ("bird", ("cat", "dog")), (None, (0, 1)), (2, (0, 1))]
)
def test_a_value_that_means_no_class_is_none(value, classes):
    assert read_label(value, classes) is None


def test_a_scalar_of_numpy_becomes_plain():
    values = [np.int64(1), np.bool_(1), np.str_("a")]
    assert [type(plain_value(each)) for each in values] == [int, bool, str]
    assert plain_value([3]) == [3]
