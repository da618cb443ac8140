"""YAML as written is read as the same values by a reader of YAML."""

import yaml
from hypothesis import given
from hypothesis import strategies as st

from penstock.exporters._yaml import to_yaml

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]), max_size=12)
LINES = st.lists(st.text("ab {}$\"':#-", min_size=1, max_size=8), min_size=2, max_size=4).map(
    lambda lines: "x" + "\n".join(lines) + "\n"
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | TEXT | LINES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(TEXT, VALUES, max_size=4))
def test_what_is_written_is_read(document):
    text = to_yaml(document)
    assert (yaml.safe_load(text) or {}) == document
    assert to_yaml(document) == text


def test_words_that_yaml_takes_for_something_else_are_quoted():
    words = ["on", "no", "null", "1e3", "2026-01-01", "0x1", "~", "", "a: b", "- x", "true", "010"]
    assert yaml.safe_load(to_yaml({word: word for word in words})) == {w: w for w in words}
