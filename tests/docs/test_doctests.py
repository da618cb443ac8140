"""Every example in a docstring is executed, module by module."""

import doctest
import importlib
import importlib.util
import os
import pkgutil
from pathlib import Path

import pytest

import penstock

SOURCE = Path(penstock.__file__).parent


def _text(name: str) -> str:
    place = SOURCE.joinpath(*name.split(".")[1:])
    path = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    return path.read_text(encoding="utf-8")


# Migrations run inside Alembic only; __main__ starts the command line; MLflow's plug-in is imported
# by MLflow, in an interpreter of its own.
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(penstock.__path__, "penstock.")
    if ".migrations" not in module.name
    and not module.name.endswith(("__main__", "server.mlflow._plugin"))
)
# Examples with torch are executed where it is installed, as in CI's whole suite.
HAS_TORCH = importlib.util.find_spec("torch") is not None
WITH_EXAMPLES = [
    name
    for name in MODULES
    if ">>> " in _text(name) and (HAS_TORCH or ">>> import torch" not in _text(name))
]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_docstring_examples_of_a_module_hold(name, tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    for variable in [name for name in os.environ if name.startswith("PENSTOCK_")]:
        monkeypatch.delenv(variable)
    outcome = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert outcome.failed == 0


def test_there_are_examples_to_execute():
    finder = doctest.DocTestFinder(exclude_empty=True)
    examples = [
        example
        for name in MODULES
        for test in finder.find(importlib.import_module(name))
        for example in test.examples
    ]
    assert len(examples) > 200
