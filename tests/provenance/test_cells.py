"""The cells of a live notebook: what they change in libraries is part of the step key, and what they compute is not."""

import builtins
import json
import sys

import pandas as pd
import pytest
from tests.live_notebook import LiveNotebook

from penstock.provenance import code_digest, effects_digest, use_library_settings


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    """A live notebook without a kernel; `run` executes a cell."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(pd.DataFrame, "_accessors", set(vars(pd.DataFrame)["_accessors"]))
    for name in ("constant", "extra", "register_part", "penstock_test"):
        monkeypatch.setattr(pd, name, None, raising=False)
        monkeypatch.setattr(pd.DataFrame, name, None, raising=False)
    monkeypatch.setattr(json.JSONEncoder, "other", None, raising=False)
    monkeypatch.setattr(json, "extra", None, raising=False)
    monkeypatch.setattr(vars(json)["_default_encoder"], "extra", None, raising=False)
    monkeypatch.setattr(builtins, "penstock_test", 0, raising=False)
    notebook = LiveNotebook(monkeypatch)
    notebook.digest = lambda: effects_digest({"__main__"}, tmp_path).digest
    notebook.folder = tmp_path
    yield notebook
    use_library_settings({})


HEAD = "import json, builtins, os\nimport pandas as pd"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("pd.DataFrame.extra = lambda self: 2", "pd.DataFrame.extra = lambda self: 20"),
        ("pd.constant = 5", "pd.constant = 6"),
        ("json._default_encoder.extra = 5", "json._default_encoder.extra = 6"),
        ("pd.set_option('display.width', 81)", "pd.set_option('display.width', 82)"),
        ("setattr(pd, 'extra', 1)", "setattr(pd, 'extra', 2)"),
        ("json.JSONEncoder.other = lambda *_: 2", "json.JSONEncoder.other = lambda *_: 3"),
        ("builtins.penstock_test = 1", "builtins.penstock_test = 2"),
        ("if True:\n    pd.constant = 5", "if True:\n    pd.constant = 6"),
        ("with open(os.devnull):\n    pd.constant = 5", "with open(os.devnull):\n    pd.constant = 6"),
        ("def patch():\n    pd.constant = 5\npatch()", "def patch():\n    pd.constant = 6\npatch()"),
        ("def patch(cls):\n    cls.k = 5\npatch(pd.DataFrame)", "def patch(cls):\n    cls.k = 6\npatch(pd.DataFrame)"),
        ("@pd.api.extensions.register_dataframe_accessor('penstock_test')\nclass A:\n    k = 1", "@pd.api.extensions.register_dataframe_accessor('penstock_test')\nclass A:\n    k = 2"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:registration of accessor")
def test_what_cells_change_in_libraries_counts(notebook, first, second):
    notebook.run(HEAD)
    empty = notebook.digest()
    notebook.run(first)
    one = notebook.digest()
    notebook.run(second)
    assert len({empty, one, notebook.digest()}) == 3


@pytest.mark.parametrize(
    "cell",
    [
        "x = [1]\nx.append(2)",
        "t = pd.DataFrame({'k': [1]})\nt.k = 1\nt['j'] = 2\nt = t.set_index('k')",
        "def use(table):\n    return table\ny = use(pd.DataFrame())",
        "z = use_later = 3",
        "print('a')",
        "class A:\n    k = 1\na = A()\na.k = 2",
        "x = dict(pd=pd)\nx['k'] = 3",
    ],
)
def test_what_cells_compute_does_not_count(notebook, cell):
    notebook.run(HEAD)
    before = notebook.digest()
    notebook.run(cell)
    assert notebook.digest() == before


def test_a_change_that_is_made_again_is_the_same(notebook):
    notebook.run(HEAD, "pd.constant = 5", "pd.set_option('display.width', 81)")
    before = notebook.digest()
    notebook.run("pd.constant = 6", "pd.constant = 5", "pd.set_option('display.width', 81)")
    assert notebook.digest() == before


def test_the_magic_that_measures_a_cell_hides_nothing(notebook):
    notebook.run(HEAD)
    before = notebook.digest()
    text = "get_ipython().run_cell_magic('time', '', 'pd.constant = 7')"
    notebook.run("get_ipython = lambda: type('S', (), {'run_cell_magic': print})", text)
    assert notebook.digest() != before


def test_modules_that_cells_import_are_followed_and_their_patched_names_count(notebook):
    (notebook.folder / "patching.py").write_text("import json\njson.extra = 1\nK = 2\n")
    notebook.run(HEAD)
    before = notebook.digest()
    notebook.run("import patching")
    imported = notebook.digest()
    notebook.run("patching.K = 3")
    assert len({before, imported, notebook.digest()}) == 3
    del sys.modules["patching"]


@pytest.mark.parametrize("imports", ["import sys", "from sys import modules"])
def test_a_function_that_looks_its_module_up_depends_on_it(notebook, imports):
    modules = "sys.modules" if imports == "import sys" else "modules"
    notebook.run(f"rate = 2\ndef f():\n    {imports}\n    return {modules}['__main__'].rate")
    before = code_digest(notebook.main.f, notebook.folder).digest
    notebook.run("rate = 5")
    assert code_digest(notebook.main.f, notebook.folder).digest != before
