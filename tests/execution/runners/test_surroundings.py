"""Surroundings: what a notebook changed in libraries travels with its steps, or is refused with the cell."""

import json
import pickle

import pandas as pd
import pytest
from tests.live_notebook import LiveNotebook

from penstock.core import StepError
from penstock.execution.runners._surroundings import Arrived, Surroundings
from penstock.provenance import use_library_settings

pytest.importorskip("cloudpickle", reason='pip install "penstock[pickle]"')


@pytest.fixture
def notebook(monkeypatch):
    monkeypatch.setattr(json, "extra", None, raising=False)
    notebook = LiveNotebook(monkeypatch)
    notebook.run("import json, csv, threading\nimport pandas as pd\ncalls = []")
    yield notebook
    use_library_settings({})


def test_a_patch_shares_its_globals_with_the_steps_function(notebook):
    notebook.run(
        "json.extra = lambda: calls.append(1)", "def step():\n    json.extra()\n    return calls"
    )
    packed = Surroundings.here({"__main__"}).dump(notebook.main.step)
    vars(json)["extra"] = None
    arrived = Arrived.load(packed)
    arrived.make_patches()
    assert arrived.what() == [1]
    assert notebook.main.calls == []


def test_options_that_are_functions_are_set_too(notebook):
    notebook.run("pd.set_option('display.float_format', lambda value: '%.1f' % value)")
    packed = Surroundings.here({"__main__"}).alone
    use_library_settings({})
    before = pd.DataFrame({"a": [1.25]}).to_string()
    Arrived.load(packed).use_settings()
    assert (before.split()[-1], pd.DataFrame({"a": [1.25]}).to_string().split()[-1]) == (
        "1.25",
        "1.2",
    )


@pytest.mark.parametrize(
    ("cell", "named"),
    [
        ("csv.register_dialect('penstock')", r"In \[2\]: csv.register_dialect\('penstock'\)"),
        ("json.extra = threading.Lock()", "json.extra is now lock"),
    ],
)
def test_what_cannot_be_repeated_is_refused_with_its_cell_and_a_way_out(notebook, cell, named):
    notebook.run(cell)
    with pytest.raises(StepError, match=named) as refused:
        Surroundings.here({"__main__"}).dump(None)
    assert 'runner="local"' in refused.value.fix


def test_functions_of_a_notebook_are_in_no_plain_pickle(notebook):
    notebook.run("json.extra = lambda: 1")
    around = Surroundings.here({"__main__"})
    assert around.patches.by_place
    assert pickle.loads(pickle.dumps(around)) == Surroundings()
