"""JSON that gives back the types it was given."""

import enum
import math
import sys
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core import SerializationError
from penstock.stores._json import dump_json, load_json

SIMPLE = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.datetimes(timezones=st.none() | st.just(UTC))
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.decimals(allow_nan=False)
    | st.uuids()
    | st.complex_numbers(allow_nan=False)
)
VALUES = st.recursive(
    SIMPLE,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3) | st.just("$"), inner, max_size=3)
        | st.dictionaries(st.integers() | st.tuples(st.integers()), inner, max_size=2)
        | st.sets(st.integers() | st.text(), max_size=3)
        | st.frozensets(st.integers(), max_size=3)
    ),
    max_leaves=8,
)


@given(VALUES)
def test_any_json_like_value_comes_back_equal_and_of_the_same_type(value):
    back = load_json(dump_json(value))
    assert back == value
    assert type(back) is type(value)
    assert dump_json(back) == dump_json(value)


class Color(enum.Enum):
    RED = "red"


class Size(enum.IntEnum):
    BIG = 3


def test_members_of_enums_come_back_as_members():
    assert load_json(dump_json([Color.RED, Size.BIG])) == [Color.RED, Size.BIG]
    assert type(load_json(dump_json(Size.BIG))) is Size


def test_an_enum_that_is_not_loaded_gives_its_value_or_is_refused_but_is_never_imported():
    text = dump_json(Color.RED).replace(__name__, "antigravity")
    assert load_json(text) == "red"
    with pytest.raises(SerializationError, match="Import antigravity"):
        load_json(text, strict=True)
    assert "antigravity" not in sys.modules


def test_numbers_that_json_does_not_know_are_kept():
    back = load_json(dump_json([math.nan, math.inf, -math.inf]))
    assert [str(value) for value in back] == ["nan", "inf", "-inf"]


def test_numbers_of_numpy_become_pythons():
    assert load_json(dump_json([np.float32(0.5), np.int64(3), np.bool_(True), np.str_("a")])) == [
        0.5,
        3,
        True,
        "a",
    ]


def test_other_zones_keep_their_offset():
    moment = datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    back = load_json(dump_json({"t": moment, "p": Path("a/b")}))
    assert back == {"t": moment, "p": Path("a/b")}
    assert back["t"].utcoffset() == timedelta(hours=2)


def test_equal_sets_give_equal_text():
    assert dump_json({8 * i for i in range(20)}) == dump_json({8 * i for i in reversed(range(20))})


@pytest.mark.parametrize("value", [object(), [object()], {"a": int}, range(3)])
def test_what_is_not_json_like_is_refused(value):
    with pytest.raises(TypeError, match="is not JSON-like"):
        dump_json(value)


def test_examples_are_readable():
    assert dump_json({"day": date(2026, 1, 1)}) == '{"day":{"$":"date","v":"2026-01-01"}}'
    assert load_json('{"a":[1,2]}') == {"a": [1, 2]}
    values = [time(8), Decimal("0.10"), UUID(int=1)]
    assert load_json(dump_json(values).encode()) == values
