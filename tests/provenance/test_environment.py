"""Environment and hardware are told cheaply and completely."""

import importlib.metadata
import json
import re
import sys

import pytest

from penstock.provenance import _environment as environment
from penstock.provenance import _packages as packages
from penstock.provenance import capture_environment, capture_hardware


def test_every_distribution_is_listed_with_its_version():
    listed = capture_environment()["packages"]
    for dist in importlib.metadata.distributions():
        name = re.sub(r"[-_.]+", "-", dist.name).lower()
        assert listed[name] == dist.version


def test_only_variables_that_change_results_are_recorded(monkeypatch):
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "do-not-store")
    facts = capture_environment()
    assert facts["variables"]["PYTHONHASHSEED"] == "0"
    assert "do-not-store" not in json.dumps(facts)
    assert facts["python"] == ".".join(map(str, sys.version_info[:3]))


def test_the_blas_of_numpy_is_named():
    assert any("blas" in name for name in capture_environment()["blas"])


def test_hardware_is_plain_json():
    facts = capture_hardware()
    assert json.loads(json.dumps(facts)) == facts
    assert facts["cores"] >= 1
    assert facts["memory_bytes"] > 1 << 20


def test_graphics_cards_are_read_from_the_driver(tmp_path, monkeypatch):
    card = tmp_path / "0000:01" / "information"
    card.parent.mkdir()
    card.write_text("Model: \t NVIDIA H100\nIRQ: 5\n")
    monkeypatch.setattr(environment, "Path", lambda _: tmp_path)
    assert environment._gpus() == ["NVIDIA H100"]


@pytest.mark.parametrize(
    ("module", "distribution"),
    [("sklearn", "scikit-learn"), ("polars", "polars"), ("_plotly_utils", "plotly")],
)
def test_a_modules_version_is_that_of_its_distribution(module, distribution):
    assert packages.package_version(module) == importlib.metadata.version(distribution)


def test_a_module_that_nobody_installed_has_no_version():
    assert packages.package_version("no_such_module_here") is None
    assert packages.library_files("no_such_package") == []
