from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core import now
from penstock.server.ui._format import ago, duration, number, percent, signed, size, value_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (-3, "\u22123"), (1_234_567, "1\u2009234\u2009567"), (0.5, "0.5000"), (1.5, "1.500"),
        (-0.25, "\u22120.2500"), (123.456, "123.5"), (1e-9, "1e-09"), (-1e-9, "\u22121e-09"), (1e22, "1e+22"),
        (float("nan"), "NaN"), (float("inf"), "∞"), (None, "\u2013"), (False, "false"), ("text", "text"),
    ],
)  # fmt: skip
def test_a_number_is_written_for_people(value, text):
    assert number(value) == text


@given(st.floats(-1e300, 1e300))
def test_every_number_can_be_read_back_to_three_digits(value):
    text = number(value).replace("\u2009", "").replace("\u2212", "-")
    assert float(text) == pytest.approx(value, rel=0.006, abs=1e-300)


@given(st.integers(0, 10**9))
def test_durations_never_show_sixty_of_anything(seconds):
    assert " 60" not in duration(seconds)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "\u2013"), (-5, "\u2013"), (0, "< 1 ms"), (0.5, "500 ms"), (59.4, "59.4 s"), (61, "1 min 01 s"), (3600, "1 h 00 min")],
)  # fmt: skip
def test_a_duration_is_written_in_its_own_unit(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("back", "text"),
    [
        (timedelta(seconds=1), "just now"), (timedelta(seconds=40), "40 s ago"), (timedelta(minutes=90), "1 h ago"),
        (timedelta(days=3), "3 days ago"), (timedelta(days=100), "3 months ago"), (timedelta(days=1000), "3 years ago"),
        (timedelta(hours=-2, seconds=-1), "in 2 h"),
    ],
)  # fmt: skip
def test_an_age_is_told_roughly(back, text):
    assert ago(now() - back) == text


def test_missing_values_are_a_dash():
    assert [ago(None), size(None), percent(None), value_text(None)] == ["\u2013"] * 4


def test_a_difference_carries_its_sign():
    assert signed(0.5).startswith("+")
    assert signed(-0.5).startswith("\u2212")


def test_long_values_are_cut():
    assert len(value_text("x" * 999)) == 200
    assert value_text({"a": timedelta(1)}) == '{"a": "1 day, 0:00:00"}'
    assert value_text(timedelta(days=1)) == "1 day, 0:00:00"
