"""A mark holds as long as nothing that decides about a module's import effects has changed."""

import sys
import types
from pathlib import Path
from typing import Any

import pytest

from penstock.provenance import effects_digest
from penstock.provenance._module_marks import all_hold, mark_module

TEXT = """
import json
import warnings

limit = [1]


def helper():
    return 1


class Base:
    def __init_subclass__(cls):
        helper()


@helper
def decorated():
    return 2
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    file = tmp_path / "marked.py"
    file.write_text(TEXT.replace("@helper\n", ""))
    made = types.ModuleType("marked")
    made.__file__ = str(file)
    exec(compile(file.read_text(), str(file), "exec"), vars(made))
    monkeypatch.setitem(sys.modules, "marked", made)
    return made


def rebind(module):
    module.helper = lambda: 2


def change_code(module):
    module.helper.__code__ = (lambda: 2).__code__


def change_method(module):
    module.Base.__dict__["__init_subclass__"].__func__.__code__ = (lambda cls: None).__code__


def change_class(module):
    module.Base.added = 1


def change_library(module):
    module.json = types.ModuleType("json")


def change_kind(module):
    module.limit = (1,)


def add(module):
    module.new = 1


def remove(module):
    del module.warnings


def edit_file(module):
    with Path(module.__file__).open("a") as file:
        file.write("\nwarnings.simplefilter('ignore')\n")


@pytest.mark.parametrize(
    "change",
    [rebind, change_code, change_method, change_class, change_library, change_kind, add, remove,
     edit_file],
    ids=lambda change: change.__name__,
)  # fmt: skip
def test_a_change_ends_the_mark(module, change):
    mark = mark_module(module)
    assert mark.holds()
    change(module)
    assert not mark.holds()


def test_another_value_of_the_same_type_decides_nothing_and_is_not_kept_alive(module):
    mark = mark_module(module)
    module.limit = [2]
    assert mark.holds()
    assert module.limit not in list(mark.names.values())


def test_marks_are_of_modules_in_order(module):
    other = types.ModuleType("other")
    marks = [mark_module(module), mark_module(other)]
    assert all_hold(marks, [module, other])
    assert not all_hold(marks, [other, module])
    assert not all_hold(marks, [module])


def test_a_proxy_that_refuses_to_be_looked_at_is_marked_by_its_type(module):
    class Proxy:
        def __getattribute__(self, name):
            raise RuntimeError("not set up")

    module.proxy = Proxy()
    assert mark_module(module).holds()


def test_effects_are_found_again_once_a_decorator_changes_a_library(tmp_path, monkeypatch):
    file = tmp_path / "patching.py"
    file.write_text("import json\ndef keep(f):\n    return f\n@keep\ndef one():\n    return 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    module: Any = __import__("patching")
    monkeypatch.setitem(sys.modules, "patching", module)
    before = effects_digest(["patching"], tmp_path)
    assert effects_digest(["patching"], tmp_path) is before  # from memory

    exec(
        compile("def keep(f):\n    json.dumps = f\n    return f\n", str(file), "exec"), vars(module)
    )
    after = effects_digest(["patching"], tmp_path)
    assert after.digest != before.digest
    assert [name for name in after.parts if name.startswith("patching.py:")]
