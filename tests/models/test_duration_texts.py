"""Durations are read as the libraries of this field write them, and nothing is guessed."""

from datetime import timedelta

import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.models._duration_texts import read_duration_text


@settings(max_examples=20)
@given(st.timedeltas(timedelta(days=-90_000), timedelta(days=90_000)))
def test_what_python_pandas_and_polars_write_is_read_back(duration):
    texts = [
        str(duration),
        str(pd.Timedelta(duration)),
        pd.Timedelta(duration).isoformat(),
        pl.Series([duration]).dt.to_string("iso")[0],
    ]
    assert [read_duration_text(text) for text in texts] == [duration] * len(texts)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT1H30M", 5_400),
        ("P1W", 604_800),
        ("PT0,5S", 0.5),
        ("-P1DT0.25S", -86_400.25),
        ("P-1DT0H0M3S", -86_397),
        ("26:00:00", 93_600),
        (" 2 days, 1:00:00 ", 176_400),
        ("1 day 0:00:01", 86_401),
    ],
)
def test_texts_of_other_programs_are_read(text, seconds):
    assert read_duration_text(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    ["", "P", "PT", "P1", "PT1", "P1Y", "P1M", "P1DT", "1:30", "1:75:00", "90", "90 min",
     "1 day", "1:2:3", "\u0661:\u0663\u0660:00", "P-T1H", "PT1H\n30M", "1e3"],
)  # fmt: skip
def test_what_has_no_certain_length_is_none(text):
    assert read_duration_text(text) is None


def test_what_is_too_long_is_an_overflow():
    with pytest.raises(OverflowError):
        read_duration_text("P999999999W")
