"""Argument checks let through exactly what they say, and name what came."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core import (
    ParameterError,
    require_choice,
    require_number,
    require_reason,
    require_type,
)


@given(st.integers(), st.integers(), st.integers())
def test_a_number_passes_exactly_inside_its_range(value, low, high):
    if low <= value <= high:
        require_number("n", value, low=low, high=high, whole=True)
    else:
        with pytest.raises(ParameterError, match=f"n is {value}"):
            require_number("n", value, low=low, high=high, whole=True)


@pytest.mark.parametrize("value", [True, None, "3", float("nan"), [1], 1j])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(ParameterError, match="Give a number of 0 or more"):
        require_number("n", value, low=0)


@pytest.mark.parametrize("value", [np.int64(3), np.float64(3.0), 3, 3.0, 10**400])
def test_numbers_of_numpy_and_large_ones_pass(value):
    assert require_number("n", value, low=1, whole=True) is None


def test_half_a_worker_is_refused():
    with pytest.raises(ParameterError, match="Give a whole number of 1 or more"):
        require_number("workers", 1.5, low=1, whole=True)


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        ({"low": 1, "high": 10_000}, "from 1 to 10,000."),
        ({"above": 0}, "above 0."),
        ({"above": 0, "high": 1}, "above 0 and up to 1."),
        ({"high": 5}, "up to 5."),
    ],
)
def test_the_range_stands_in_the_fix(bounds, said):
    with pytest.raises(ParameterError) as refused:
        require_number("bins", -(10**9) if "low" in bounds or "above" in bounds else 9, **bounds)
    assert refused.value.fix.endswith(said)
    assert refused.value.bins


def test_a_choice_is_returned_or_the_closest_suggested():
    assert require_choice("layout", None, ["HWC", None]) is None
    with pytest.raises(
        ParameterError, match=r"layout is 'HCW'\. .* Did you mean 'HWC' or 'CHW'\?"
    ) as refused:
        require_choice("layout", "HCW", ["HWC", "CHW"], why="Channels are read by it.")
    assert (refused.value.layout, refused.value.why) == ("HCW", "Channels are read by it.")


def test_a_reason_is_needed_and_stripped():
    assert require_reason(" late ", "A rejection") == "late"
    with pytest.raises(ParameterError, match="A rejection needs a reason"):
        require_reason("  ", "A rejection")


@pytest.mark.parametrize(
    ("value", "words"),
    [(3, "3, an int"), (None, "None"), (int, "'int', a class"), (True, "True, a bool")],
)
def test_a_value_of_another_type_is_shown(value, words):
    with pytest.raises(ParameterError, match=f"n is {words}"):
        require_type("n", value, (str, float), "Give a text.")
    with pytest.raises(ParameterError):
        require_type("n", True, int, "Give a number.")
    require_type("n", True, bool, "Give True or False.")
