"""Patches of a live notebook: what its cells replaced in libraries is found with place and value, and the rest is told."""

import json
import random
import statistics
import sys

import pandas as pd
import pytest
from tests.live_notebook import LiveNotebook

from penstock.provenance import (
    effects_digest,
    find_patches,
    make_patches,
    missing_patches,
    use_library_settings,
    value_digest,
    watch_imports,
)

HEAD = "import codecs, csv, json, os, random, statistics\nimport pandas as pd"
PLACES = ("json:extra", "json:other", "pandas:DataFrame.extra", "pandas:constant")


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    watch_imports()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pd.DataFrame, "_accessors", set(vars(pd.DataFrame)["_accessors"]))
    notebook = LiveNotebook(monkeypatch)
    notebook.folder = tmp_path
    notebook.run(HEAD)
    mean = statistics.mean
    yield notebook
    statistics.mean = mean
    for owner, name in (
        (json, "extra"),
        (json, "other"),
        (pd, "constant"),
        (pd.DataFrame, "extra"),
    ):
        if name in vars(owner):
            delattr(owner, name)


FOUND = {
    "pd.DataFrame.extra = lambda self: 2": {"pandas:DataFrame.extra"},
    "json.extra = 5": {"json:extra"},
    "json.extra = {'a': 1}\njson.extra['b'] = 2": {"json:extra"},
    "json.extra, json.other = 1, 2": {"json:extra", "json:other"},
    "if True:\n    pd.constant = 5": {"pandas:constant"},
    "setattr(json, 'extra', 1)": {"json:extra"},
    "def patch():\n    json.extra = 5\npatch()": {"json:extra"},
    "def inner():\n    json.extra = 5\ndef patch():\n    inner()\npatch()": {"json:extra"},
    "def patch(module):\n    module.extra = 5\npatch(json)": {"json:extra"},
    "for name in ('extra', 'other'):\n    vars(json)[name] = lambda: 1": {"json:extra", "json:other"},
    "exec('json.extra = lambda: 3')": {"json:extra"},
    "old = statistics.mean\nstatistics.mean = lambda x: old(x) + 1": {"statistics:mean"},
    "old = statistics.mean\nstatistics.mean = None\nstatistics.mean = old": set(),
    "json.extra = 5\ndel json.extra": {"json:extra"},
    "@pd.api.extensions.register_dataframe_accessor('extra')\nclass A:\n    def __init__(self, table):\n        pass": {"pandas:DataFrame.extra"},
    "df = pd.DataFrame({'a': [1]})\ndf.a = 2\nx = [1]\nx.append(2)": set(),
}  # fmt: skip


@pytest.mark.parametrize("cell", FOUND)
@pytest.mark.filterwarnings("ignore:registration of accessor")
def test_what_cells_replace_has_a_place(notebook, cell):
    notebook.run(cell)
    found = find_patches()
    assert (set(found.by_place), found.untold) == (FOUND[cell], ())


@pytest.mark.parametrize(
    "cell",
    [
        "pd.set_option('display.width', 81)\npd.reset_option('display.width')",
        "random.seed(3)",
        "pd.options.display.width = pd.options.display.width",
        "os.environ['PENSTOCK_A_TEST'] = '1'",
        "import warnings\nwarnings.resetwarnings()",
    ],
)
def test_settings_seeds_and_variables_are_seen_elsewhere(notebook, monkeypatch, cell):
    monkeypatch.setenv("PENSTOCK_A_TEST", "0")
    state = random.getstate()
    notebook.run(cell)
    random.setstate(state)
    assert find_patches().untold == ()


@pytest.mark.parametrize(
    "cell",
    [
        "json._default_encoder.skipkeys = False",
        "codecs.register_error('penstock', codecs.ignore_errors)",
        "name = 'extra'\nsetattr(json, name, 1)",
        "def patch():\n    csv.register_dialect('penstock')\npatch()",
        "def patch(module, name):\n    setattr(module, name, 2)\n    module.other = 1\npatch(json, 'extra')",
        "get_ipython().run_line_magic('run', 'gone.py')",
    ],
)  # fmt: skip
def test_what_has_no_place_is_told_with_its_cell(notebook, cell):
    (notebook.folder / "gone.py").write_text("json = 1\n")
    notebook.run("1", cell)
    (notebook.folder / "gone.py").unlink()
    [untold] = find_patches().untold
    assert untold.startswith("In [3]: ")


def test_patches_are_made_again_and_in_place(notebook):
    notebook.run(
        "json.extra = {'a': 1}\njson.extra['a'] = 2", "pd.DataFrame.extra = lambda self: 3"
    )
    found = dict(find_patches().by_place)
    delattr(pd.DataFrame, "extra")
    held = {"a": 1}
    vars(json)["extra"] = held
    make_patches(found)
    assert vars(pd.DataFrame)["extra"](None) == 3
    assert held == {"a": 2}


def test_a_file_that_was_run_counts_as_it_was_then(notebook):
    """It may be edited afterwards, and its names may be gone from its text."""
    file = notebook.folder / "patching.py"
    run = "get_ipython().run_line_magic('run', 'patching.py')"

    def key():
        digest = effects_digest({"__main__"}, notebook.folder).digest
        return digest, set(find_patches().by_place)

    empty = key()
    file.write_text("import json\nif __name__ == '__main__':\n    json.extra = 1\n")
    notebook.run(run)
    first = key()
    file.write_text("import json\njson.other = 2\n")
    assert key() == first
    notebook.run(run)
    assert first[1] == {"json:extra"}
    assert key()[1] == {"json:extra", "json:other"}
    assert len({empty[0], first[0], key()[0]}) == 3


def test_a_notebook_that_keeps_the_name_of_a_file_is_still_one(notebook):
    """`%run -i` leaves `__file__` there."""
    notebook.run("__file__ = 'patching.py'", "json.extra = 1")
    before = effects_digest({"__main__"}, notebook.folder).digest
    notebook.run("json.extra = 2")
    assert effects_digest({"__main__"}, notebook.folder).digest != before
    assert set(find_patches().by_place) == {"json:extra"}


def test_what_the_pipelines_modules_patch_is_no_patch_of_the_notebook(notebook, monkeypatch):
    monkeypatch.syspath_prepend(notebook.folder)
    (notebook.folder / "patches_by_import.py").write_text("import json\njson.extra = lambda: 1\n")
    notebook.run("import patches_by_import")
    assert set(find_patches({"patches_by_import"}).by_place) == set()
    assert set(find_patches({"__main__"}).by_place) == {"json:extra"}
    del sys.modules["patches_by_import"]


def test_an_option_that_is_a_function_stays_where_imports_set_it(notebook):
    def digest(value, place):
        return value_digest(value, place, notebook.folder).digest

    notebook.run("pd.set_option('display.float_format', '{:.1f}'.format)")
    name = "pandas.display.float_format"
    recorded = {"settings": {name: f"object {digest('{:.1f}'.format, name)}"}}
    use_library_settings(recorded["settings"])
    shown = pd.DataFrame({"a": [1.25]}).to_string()
    there = missing_patches(recorded, digest)
    pd.set_option("display.float_format", "{:.2f}".format)
    other = missing_patches(recorded, digest)
    use_library_settings({})
    assert (shown.split()[-1], there, other) == ("1.2", (), (name,))


def test_what_a_recorded_step_had_and_this_process_has_not_is_named(notebook):
    def digest(value, place):
        return value_digest(value, place, notebook.folder).digest

    notebook.run("json.extra = 5")
    recorded = {
        "patches": {place: digest(each, place) for place, each in find_patches().by_place.items()},
        "settings": {"pandas.display.width": 81, "pandas.display.float_format": "object sha256:1"},
    }
    assert missing_patches(recorded, digest) == ("pandas.display.float_format",)
    vars(json)["extra"] = 6
    assert missing_patches(recorded, digest) == ("json.extra", "pandas.display.float_format")
    del vars(json)["extra"]
    untold = {"patches": recorded["patches"], "untold_patches": ["In [3]: f()"]}
    assert missing_patches(untold, digest) == ("json.extra", "In [3]: f()")
    assert missing_patches({}, digest) == ()


class Proxy:
    """An object that must not be asked for its class, as some of torch and Flask."""

    def init(self):
        pass

    @property  # type: ignore[misc]
    def __class__(self):
        raise RuntimeError("outside of its context")


def test_proxies_are_not_asked_for_their_class(notebook, monkeypatch):
    monkeypatch.setattr(statistics, "proxy", Proxy(), raising=False)
    notebook.main.proxy = Proxy()
    notebook.run("statistics.proxy.a = 1\nproxy.b = 2\njson.extra = 5", "proxy.init()")
    assert "json:extra" in find_patches().by_place
