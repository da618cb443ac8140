"""JSON messages: types that are declared or shown by the values; no value changes in silence."""

import datetime as dt
import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core import ParameterError
from penstock.data.sources.kafka._json import JsonDecoder
from penstock.data.sources.kafka._messages import PoisonError


def table(*values, schema=None):
    decoder = JsonDecoder(schema)
    rows = [decoder.decode(value.encode()) for value in values]
    return decoder.frame(rows)


def refused(*values, schema=None):
    with pytest.raises(PoisonError) as told:
        table(*values, schema=schema)
    return str(told.value)


def test_whole_and_decimal_numbers_are_numbers():
    assert table('{"a": 1}', '{"a": 2.5}')["a"].to_list() == [1.0, 2.5]
    assert table('{"a": 2.5}', '{"a": 1}')["a"].to_list() == [2.5, 1.0]


def test_a_large_integer_is_exact_or_refused():
    assert table('{"a": 9007199254740993}', '{"a": 1}')["a"].to_list() == [9007199254740993, 1]
    expected = "field 'a' is an integer, and a number in messages before"
    assert refused('{"a": 0.5}', '{"a": 9007199254740993}') == expected
    assert refused('{"a": 9007199254740993}', '{"a": 0.5}').endswith(
        "a large integer in messages before"
    )
    assert "an integer of 23 digits: declare it as text" in refused(
        '{"a": 12345678901234567890123}'
    )
    assert table('{"a": 12345678901234567890123}', schema={"a": "text"})["a"].to_list() == [
        "12345678901234567890123"
    ]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("1", '"x"', "field 'a' is text, and an integer in messages before"),
        ('"x"', "1", "field 'a' is an integer, and text in messages before"),
        ("true", "1", "field 'a' is an integer, and true or false in messages before"),
        ("{}", "1", ""),
        ('{"b": 1}', "[1]", "field 'a' is a list, and an object in messages before"),
        ("[1]", '["x"]', "field 'a[]' is text, and an integer in messages before"),
        ('{"b": 1}', '{"b": "x"}', "field 'a.b' is text, and an integer in messages before"),
    ],
)
def test_other_mixtures_are_refused_by_field(first, second, expected):
    values = f'{{"a": {first}}}', f'{{"a": {second}}}'
    if expected:
        assert refused(*values) == expected
    else:
        assert table(*values)["a"].to_list() == [None, 1]


def test_a_refused_message_leaves_no_types_behind():
    decoder = JsonDecoder()
    rows = [decoder.decode(b'{"a": 1}')]
    with pytest.raises(PoisonError):
        decoder.decode(b'{"new": {"deep": 1}, "a": "x"}')
    rows.append(decoder.decode(b'{"new": "text"}'))
    assert decoder.frame(rows).rows() == [(1, None), (None, "text")]


def test_nested_objects_are_structs_with_all_fields():
    values = '{"p": {"x": 1}}', '{"p": {"y": {"z": 2.5}}}', '{"p": null}', "{}"
    assert table(*values)["p"].to_list() == [
        {"x": 1, "y": None},
        {"x": None, "y": {"z": 2.5}},
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("nonsense", "not JSON"),
        ('{"a": NaN}', "NaN, which is no JSON"),
        ('{"a": 1e400}', "too large for a float"),
        ("null", "not an object"),
        ("[1]", "a list, not an object"),
        ("[" * 100_000, "nested too deeply"),
        ("", "not JSON"),
    ],
)
def test_what_is_no_object_is_refused(value, reason):
    assert reason in refused(value)


def test_declared_types_hold():
    schema = {"id": "integer", "tip": "number", "at": "datetime", "day": "date", "ok": "boolean"}
    value = '{"id": 1, "tip": 2, "at": "2026-01-02T03:00:00+01:00", "day": "2026-01-02", "ok": true, "x": 1}'
    assert table(value, "{}", schema=schema).rows() == [
        (1, 2.0, dt.datetime(2026, 1, 2, 2, tzinfo=dt.UTC), dt.date(2026, 1, 2), True),
        (None,) * 5,
    ]
    for name, wrong in {
        "id": "1.5",
        "tip": '"x"',
        "at": '"yesterday"',
        "day": "3",
        "ok": "1",
    }.items():
        assert f"field '{name}' is" in refused(f'{{"{name}": {wrong}}}', schema=schema)


def test_declared_nested_types_hold():
    schema = {"p": pl.Struct({"x": pl.Int64}), "tags": pl.List(pl.String)}
    assert table('{"p": {"x": 1, "y": 2}, "tags": ["a"]}', schema=schema).rows() == [
        ({"x": 1}, ["a"])
    ]
    assert refused('{"p": {"x": "1"}}', schema=schema) == "field 'p.x' is text, not Int64"


def test_an_unknown_word_for_a_type_is_refused():
    with pytest.raises(ParameterError, match=r"'intger', which is no type. Did you mean 'integer'"):
        JsonDecoder({"id": "intger"})


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(st.lists(st.dictionaries(st.text("abcd", min_size=1), VALUES, max_size=4), max_size=5))
def test_a_message_is_read_as_it_is_or_refused(rows):
    """Each row that is accepted comes out with its values; missing and empty are the same."""
    decoder, kept = JsonDecoder(), []
    for row in rows:
        try:
            decoded = decoder.decode(json.dumps(row).encode())
        except PoisonError:
            continue
        kept.append((row, decoded))
    made = decoder.frame([decoded for _, decoded in kept]).rows(named=True)
    for (row, _), out in zip(kept, made, strict=False):
        assert _essence(row) == _essence(out)


def _essence(value):
    """A value without what is missing, and with numbers as one kind."""
    if isinstance(value, dict):
        told = {name: _essence(each) for name, each in value.items()}
        return {name: each for name, each in told.items() if each is not None} or None
    if isinstance(value, list):
        return [_essence(each) for each in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def test_half_of_a_surrogate_pair_is_poison():
    assert "half of a surrogate pair" in refused('{"a": ["\\ud83d"]}')
    assert table('{"a": "\\ud83d\\ude00"}')["a"].to_list() == ["\U0001f600"]
