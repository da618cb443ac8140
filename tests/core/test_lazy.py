"""Names of a package are loaded on first use."""

import pytest

from penstock.core import (
    lazy_exports,
    new_id,
)


def test_lazy_names_load_on_use_and_others_are_refused():
    load, listing, names = lazy_exports("penstock.core", {"new_id": "_ids"})
    assert load("new_id") is new_id
    assert listing() == names == ["new_id"]
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        load("nothing")
