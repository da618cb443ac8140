"""Naming versions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core import NotFoundError, ParameterError, Stage
from penstock.registry import parse_ref


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tips", ("tips", None)),
        ("tips@3", ("tips", 3)),
        ("tips@v12", ("tips", 12)),
        ("tips@champion", ("tips", "champion")),
    ],
)
def test_a_reference_is_read(text, expected):
    assert parse_ref(text) == expected


@pytest.mark.parametrize("text", ["", "@3", "tips@"])
def test_half_a_reference_is_refused(text):
    with pytest.raises(ParameterError, match="Write MODEL or MODEL@VERSION"):
        parse_ref(text)


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True), st.integers(1, 10**8))
def test_a_reference_that_was_written_is_read_back(model, number):
    assert parse_ref(f"{model}@{number}") == (model, number)


def test_versions_are_found_by_number_and_alias(registry, add):
    for _ in range(4):
        add()
    registry.promote("tips", 1)
    registry.promote("tips", 2, to=Stage.STAGING)
    registry.promote("tips", 3, to=Stage.STAGING)
    registry.reject("tips", 4, reason="Leaks.")
    wanted = [None, 1, "2", "v3", "champion", "Production", "challenger", "staging", "latest"]
    found = [registry.get("tips", name).version for name in wanted]
    assert found == [3, 1, 2, 3, 1, 1, 3, 3, 4]


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (7, r"'tips' has no version 7\. It has 1\."),
        ("champoin", r"'champoin' names no version.*Did you mean 'champion'"),
        ("champion", r"No version of 'tips' is in production\. .*penstock promote tips$"),
        ("challenger", "penstock promote tips --to staging"),
    ],
)
def test_a_version_that_is_not_there_is_told(registry, add, wanted, words):
    add()
    with pytest.raises(NotFoundError, match=words):
        registry.get("tips", wanted)
