"""Small projects in two versions, loaded in this process; what a step's key is made of in each."""

import importlib
import sys
import textwrap
from pathlib import Path
from types import ModuleType

import pytest

from penstock.core import digest_json
from penstock.provenance import code_digest, effects_digest, watch_imports
from penstock.stores import content_digest

TESTS = str(Path(__file__).parents[1])
_elsewhere: dict[str, ModuleType] = {}  # modules that are not of this suite: looked at once


@pytest.fixture
def versions(tmp_path, monkeypatch):
    """Load versions of a project and return the digest of ``step`` in its module ``job``."""
    watch_imports()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.chdir(tmp_path)
    # What imports modules that only it knows reaches all of the user's: here, this whole suite.
    for name, module in list(sys.modules.items()):
        if _elsewhere.get(name) is module:
            continue
        if str(getattr(module, "__file__", None) or "").startswith(TESTS):
            monkeypatch.delitem(sys.modules, name)
        else:
            _elsewhere[name] = module
    before = set(sys.modules)

    def forget():
        for name in sys.modules.keys() - before:
            if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
                del sys.modules[name]
        importlib.invalidate_caches()

    def load(files, name="step"):
        forget()
        for file, text in files.items():
            path = tmp_path / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))
        module = importlib.import_module("job")
        function = getattr(module, name)
        code = code_digest(function, tmp_path, content_digest)
        effects = effects_digest(["job"], tmp_path, content_digest)
        load.code, load.effects, load.module = code, effects, module  # type: ignore[attr-defined]
        return digest_json([code.digest, effects.digest if effects.parts else ""])

    yield load
    forget()
