"""The kind of model that a first pipeline trains: a mistake is told before a file is written."""

import sys

import pytest

from penstock.core import MissingPackageError, ParameterError
from penstock.scaffolding import MODEL_CHOICES, new_project


def test_a_misspelt_kind_is_told_and_no_file_is_written(visits, tmp_path):
    folder = tmp_path / "visits"
    with pytest.raises(ParameterError, match=r"no kind of model 'xgbost'.*Did you mean 'xgboost'"):
        new_project("visits", data=visits, target="came", folder=folder, model="xgbost")  # type: ignore[arg-type]  # the mistake
    assert not folder.exists()


def test_a_package_that_is_not_installed_is_told_with_its_command(visits, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "xgboost", None)
    folder = tmp_path / "visits"
    with pytest.raises(MissingPackageError, match=r"pip install \"penstock\[boosters\]\""):
        new_project("visits", data=visits, target="came", folder=folder, model="xgboost")
    assert not folder.exists()
    assert "xgboost" in MODEL_CHOICES
