"""Optional packages name their extra."""

import json

import pytest

from penstock.core import (
    MissingPackageError,
    require,
)


def test_a_missing_package_names_its_extra():
    assert require("json", extra="x", purpose="y") is json
    with pytest.raises(MissingPackageError, match="no_such_package is not installed") as caught:
        require("no_such_package", extra="boosters", purpose="boosting")
    assert 'pip install "penstock[boosters]"' in caught.value.fix
