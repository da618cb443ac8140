"""Equal values have equal digests, different values different ones."""

from datetime import date, timedelta
from enum import Enum
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core import digest_bytes, digest_file, digest_json

json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


class Colour(Enum):
    RED = 1
    BLUE = 2


@given(st.dictionaries(st.text(), st.integers(), min_size=2))
def test_the_order_of_keys_does_not_count(mapping):
    backwards = dict(reversed(list(mapping.items())))
    assert digest_json(mapping) == digest_json(backwards)


@given(json_like, json_like)
def test_different_values_have_different_digests(one, two):
    same = repr(one) == repr(two) or (
        one == two and type(one) is type(two) and _same_types(one, two)
    )
    assert (digest_json(one) == digest_json(two)) == same


def _same_types(one, two):
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(_same_types(one[k], two[k]) for k in one)
    if isinstance(one, list):
        return len(one) == len(two) and all(map(_same_types, one, two))
    return type(one) is type(two) and repr(one) == repr(two)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (1, True),
        (1, 1.0),
        ("1", 1),
        ([1], (1,)),
        (["ab", "c"], ["a", "bc"]),
        (date(2026, 1, 1), "2026-01-01"),
        (timedelta(seconds=1), 1),
        (Colour.RED, Colour.BLUE),
        (Path("a"), "a"),
        (b"a", "a"),
        (None, "None"),
        ({1}, {2}),
    ],
)
def test_lookalikes_differ(one, two):
    assert digest_json(one) != digest_json(two)


def test_sets_digest_the_same_in_any_order():
    assert digest_json({"a", "b", "c"}) == digest_json({"c", "a", "b"})


def test_a_value_without_a_json_form_is_refused():
    with pytest.raises(TypeError, match="object has no JSON-like digest"):
        digest_json(object())


def test_a_file_digests_as_its_bytes(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"some bytes")
    assert digest_file(path) == digest_bytes(b"some ", b"bytes")
