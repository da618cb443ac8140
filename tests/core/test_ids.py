"""Ids and names: unique, in order of time, legal everywhere."""

import pytest

from penstock.core import (
    ParameterError,
    new_id,
    require_name,
)


def test_ids_are_unique_and_sort_by_time():
    ids = [new_id() for _ in range(500)]
    assert len(set(ids)) == 500
    assert all(len(name) == 20 for name in ids)
    assert [name[:9] for name in ids] == sorted(name[:9] for name in ids)


@pytest.mark.parametrize("name", ["big-tips", "v1.2_x", "A"])
def test_legal_names_pass(name):
    assert require_name(name, "model") == name


@pytest.mark.parametrize(
    ("name", "proposal"),
    [("big tips", "big-tips"), ("../x", "x"), ("", "my-model"), ("é", "my-model")],
)
def test_illegal_names_get_a_proposal(name, proposal):
    with pytest.raises(ParameterError, match="is no legal name for a model") as caught:
        require_name(name, "model")
    assert repr(proposal) in caught.value.fix
