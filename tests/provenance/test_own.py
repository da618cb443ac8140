"""Ownership of modules: parts that a compiled package made by hand belong to the package."""

import sys
from types import ModuleType

import pandas as pd
import pytest

from penstock.provenance._own import is_own_module


def loaded(monkeypatch: pytest.MonkeyPatch, name: str) -> ModuleType:
    module = ModuleType(name)
    monkeypatch.setitem(sys.modules, name, module)
    return module


@pytest.mark.parametrize("name", ["pandas._made_by_hand", "json.part", "cython_runtime"])
def test_a_part_of_a_package_is_no_module_of_the_users(monkeypatch, name):
    assert pd.__file__
    assert not is_own_module(loaded(monkeypatch, name))


def test_a_file_that_is_no_path_does_not_make_a_part_the_users(monkeypatch):
    part = loaded(monkeypatch, "pandas.ops")
    part.__file__ = "_ops.py"  # as torch.ops has it
    assert not is_own_module(part)


@pytest.mark.parametrize("name", ["mine", "nowhere.part"])
def test_what_was_made_by_hand_without_a_package_is_the_users(monkeypatch, name):
    assert is_own_module(loaded(monkeypatch, name))


def test_a_part_of_the_users_own_package_is_the_users(monkeypatch):
    loaded(monkeypatch, "mine")
    assert is_own_module(loaded(monkeypatch, "mine.part"))
