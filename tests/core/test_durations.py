"""Durations in the words of people."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core import (
    ParameterError,
    parse_duration,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10m", 600),
        ("1h30m", 5400),
        ("2 days", 172_800),
        ("90", 90),
        (5, 5),
        ("250ms", 0.25),
        ("1 week", 604_800),
    ],
)
def test_durations_are_read(text, seconds):
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["soon", "10 parsecs", "", "m10"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ParameterError, match="is no duration"):
        parse_duration(text)


@given(st.integers(0, 10**6), st.sampled_from(["s", "m", "h", "d"]))
def test_a_duration_is_its_number_times_its_unit(number, unit):
    size = {"s": 1, "m": 60, "h": 3600, "d": 86_400}[unit]
    assert parse_duration(f"{number}{unit}").total_seconds() == number * size
