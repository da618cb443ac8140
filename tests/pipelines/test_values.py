"""Parameter values: text and Python values to the annotated type, and back."""

# ruff: noqa: DTZ001 - a time without a zone is what a user may write

import json
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core import ParameterError
from penstock.pipelines import dump_value, parse_value


class Size(Enum):
    SMALL = 1
    LARGE = "big"


ROUND_TRIPS = [
    (str, st.text()),
    (int, st.integers()),
    (float, st.floats(allow_nan=False)),
    (bool, st.booleans()),
    (date, st.dates()),
    (datetime, st.datetimes() | st.datetimes(timezones=st.just(UTC))),
    (time, st.times()),
    (timedelta, st.timedeltas(timedelta(0), timedelta(days=5000))),
    (Size, st.sampled_from(Size)),
    (Literal["a", 2, True], st.sampled_from(["a", 2, True])),
    (list[int], st.lists(st.integers(), max_size=4)),
    (list[str], st.lists(st.text(), max_size=4)),
    (tuple[int, str], st.tuples(st.integers(), st.text())),
    (tuple[date, ...], st.lists(st.dates(), max_size=3).map(tuple)),
    (frozenset[int], st.frozensets(st.integers(), max_size=4)),
    (dict[str, float], st.dictionaries(st.text(), st.floats(allow_nan=False), max_size=3)),
    (int | None, st.none() | st.integers()),
    (Optional[date], st.none() | st.dates()),  # noqa: UP045 - this spelling must work too
    (int | str, st.integers() | st.text()),
    (list[Size], st.lists(st.sampled_from(Size), max_size=3)),
    (Path, st.sampled_from([Path("a/b.csv"), Path("x")])),
    (Annotated[int, "years"], st.integers()),
]


@pytest.mark.parametrize(("hint", "values"), ROUND_TRIPS, ids=[str(h) for h, _ in ROUND_TRIPS])
def test_a_value_survives_the_store(hint, values):
    @given(values)
    def check(value):
        assert parse_value(value, hint, name="x") == value
        stored = json.loads(json.dumps(dump_value(value)))
        found = parse_value(stored, hint, name="x")
        assert (found, type(found)) == (value, type(value))

    check()


@given(st.timedeltas(timedelta(0), timedelta(days=200_000)))
def test_durations_survive_to_the_microsecond(value):
    found = parse_value(dump_value(value), timedelta, name="x")
    assert abs(found - value) <= timedelta(microseconds=1)


def test_numbers_that_json_does_not_know_survive():
    assert parse_value(dump_value(float("inf")), float, name="x") == float("inf")
    assert str(parse_value(dump_value(float("nan")), float, name="x")) == "nan"


@pytest.mark.parametrize(
    ("text", "hint", "expected"),
    [
        ("2016-06-30", date, date(2016, 6, 30)),
        ("2016-06-30", datetime, datetime(2016, 6, 30)),
        ("2016-06-30T12:00+02:00", datetime, datetime.fromisoformat("2016-06-30T12:00+02:00")),
        ("1h30m", timedelta, timedelta(minutes=90)),
        ("10", timedelta, timedelta(seconds=10)),
        ("yes", bool, True),
        ("OFF", bool, False),
        ("1_000", int, 1000),
        ("1e-3", float, 0.001),
        ("a, b", list[str], ["a", "b"]),
        ("", list[str], []),
        ("[1, 2]", list[int], [1, 2]),
        ("1,2", tuple[int, int], (1, 2)),
        ('{"a": "2016-06-30"}', dict[str, date], {"a": date(2016, 6, 30)}),
        ("large", Size, Size.LARGE),
        ("big", Size, Size.LARGE),
        ("1", Size, Size.SMALL),
        ("2", Literal[1, 2], 2),
        ("none", int | None, None),
        ("null", date | None, None),
        ("None", str | None, None),
        ("none", str | None, "none"),
        ("", None.__class__, None),
        ("anything", Any, "anything"),
        (3.0, int, 3),
        (3, float, 3.0),
        (date(2016, 6, 30), datetime, datetime(2016, 6, 30)),
        (datetime(2016, 6, 30), date, date(2016, 6, 30)),
        ((1, 2), list[int], [1, 2]),
        ("12:30", time, time(12, 30)),
        ("x", "NoSuchHint", "x"),
    ],
)
def test_texts_and_values_become_what_the_hint_says(text, hint, expected):
    found = parse_value(text, hint, name="x")
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("value", "hint", "words"),
    [
        ("three", int, ["'three'", "a whole number (int)"]),
        (True, int, ["whole number"]),
        (2.5, int, ["whole number"]),
        ("2.5x", float, ["a number (float)", "0.1"]),
        (True, float, ["a number"]),
        ("maybe", bool, ["true or false"]),
        (3, str, ["text (str)"]),
        ("30.06.2016", date, ["YYYY-MM-DD", "2016-06-30"]),
        (datetime(2016, 6, 30, 12), date, ["without a time of day"]),
        ("noon", datetime, ["YYYY-MM-DDTHH:MM"]),
        ("soon", time, ["HH:MM"]),
        ("soon", timedelta, ["10m"]),
        (3, Path, ["a path"]),
        ("medium", Size, ["one of SMALL, LARGE"]),
        ("colour", Literal["color", "mono"], ["'color' or 'mono'", "Did you mean 'color'?"]),
        ("x", int | None, ["int or None"]),
        ("1,x", list[int], ["whole number"]),
        ("[1,", list[int], ["a,b,c or as a JSON list"]),
        (5, list[int], ["list[int]"]),
        ("1", tuple[int, int], ["2 values, not 1"]),
        ("{", dict[str, int], ["JSON object"]),
        (5, dict[str, int], ["dict[str, int]"]),
        ("x", type(None), ["None"]),
        ("x", complex, ["give it from Python"]),
        ("y" * 500, int, ["…"]),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(value, hint, words):
    with pytest.raises(ParameterError) as caught:
        parse_value(value, hint, name="depth")
    text = str(caught.value)
    assert "'depth'" in text
    assert len(text) < 400
    for word in words:
        assert word in text


def test_an_object_passes_as_it_is_and_is_stored_as_text():
    thing = complex(1, 2)
    assert parse_value(thing, complex, name="x") is thing
    assert dump_value(thing) == "(1+2j)"
