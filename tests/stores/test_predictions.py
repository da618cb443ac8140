"""The text of a logged row: read back, it is the row, whichever way wrote it."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.stores._json import dump_json, load_json
from penstock.stores.metadata._predictions import _inputs_text

values = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=[]), max_size=5)
    | st.sampled_from([1e16, 1e22, 5e-324, -0.0, 2**63, -(2**63), 10**40, "\0", "\ud800", "é"])
    | st.lists(st.integers(), max_size=2)
    | st.datetimes()
)


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(st.sampled_from(["a", "b", "$", "ü", "\0"]) | st.integers(0, 2), values))
def test_a_row_is_read_back_as_it_was(row):
    text = _inputs_text(row)
    assert repr(load_json(text)) == repr(load_json(dump_json(row)))
    assert repr(load_json(text)) == repr(row)


@pytest.mark.parametrize("row", [{"a": 1, "b": 0.1, "c": None, "d": "x", "e": True}, {}])
def test_plain_rows_are_written_as_ever(row):
    assert _inputs_text(row) == dump_json(row)
    assert "nan" not in _inputs_text({"a": 1.5})
    assert load_json(_inputs_text({"a": math.inf})) == {"a": math.inf}
