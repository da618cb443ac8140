"""Promotion: pipelines of real notebooks run and are equal; what cannot be promoted is refused with its cells."""

import subprocess
import sys

import pytest
from tests.notebooks.corpus import write_notebook
from tests.notebooks.promotable import NOTEBOOKS, counts_of

from penstock.core import ConflictError, PenstockError
from penstock.notebooks import compare_with_golden, compare_with_notebook, promote_notebook

pytest.importorskip("nbclient", reason='pip install "penstock[notebooks]"')
pytest.importorskip("ipykernel", reason='pip install "penstock[notebooks]"')
pytestmark = pytest.mark.slow


def write(folder, name):
    cells, change = NOTEBOOKS[name]
    (folder / "rows.csv").write_text("a,b\n1,2\n3,4\n", encoding="utf-8")
    path = write_notebook(folder / f"{name}.ipynb", *cells, counts=counts_of(name, cells))
    return path, change


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_promoted_pipeline_equals_its_notebook_until_a_cell_changes(tmp_path, name):
    path, (text, other) = write(tmp_path, name)
    promoted = promote_notebook(path, tmp_path / "pkg")
    assert promoted.compared >= 1
    code = (tmp_path / "pkg" / f"{name}.py").read_text(encoding="utf-8")
    compile(code, name, "exec")
    source = path.read_text(encoding="utf-8")
    assert source.count(text) == 1
    path.write_text(source.replace(text, other), encoding="utf-8")
    assert compare_with_notebook(tmp_path / "pkg" / "plan.toml") != []


def test_the_written_tests_pass_and_fail_with_the_notebook_and_with_the_code(tmp_path):
    path, _ = write(tmp_path, "functions")
    promote_notebook(path, tmp_path / "pkg")
    file = tmp_path / "pkg" / "functions.py"

    def tests():
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(file.parent)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        return done.returncode, done.stdout

    assert tests()[0] == 0
    file.write_text(file.read_text().replace("fillna(0)", "fillna(1)"), encoding="utf-8")
    code, shown = tests()
    assert code == 1
    assert shown.count("PromotionDifference(step='clean_step', output='cleaned'") >= 2


def test_values_that_cannot_pass_join_their_steps_and_others_do_not(tmp_path):
    steps = {}
    for name in ("classification", "classes", "open_file", "written_and_read"):
        path, _ = write(tmp_path, name)
        plan = promote_notebook(path, tmp_path / name).plan
        steps[name] = [step.cells for step in plan.steps]
    assert len(steps["classification"]) == 4
    assert steps["classes"] == [(4, 6), (8,)]
    assert steps["open_file"] == [(1, 3), (5,)]
    assert steps["written_and_read"] == [(3, 5)]


STATES = {  # of cells that share something without a name: the steps in which it stands
    "patched_class": (
        [
            "import pandas as pd", "#md # Patch", "pd.DataFrame.doubled = lambda self: self * 2\nx = 1",
            "#md # Make", "df = pd.DataFrame({'a': [x]})", "#md # Use", "total = int(df.doubled()['a'].sum())",
        ],
        [(3, 5, 7)],
    ),
    "own_function_patches": (
        ["import math\ndef settle():\n    math.base = 3", "#md # A", "settle()\nx = 1", "#md # B", "y = math.base + x"],
        [(3, 5)],
    ),
    "own_keys": (
        [
            "from enum import Enum\nclass Color(Enum):\n    RED = 1\nRow = dict[str, int]", "#md # A", "counts = {Color.RED: 2}\nrow: Row = {'a': 1}\nfor _ in range(2):\n    row['a'] += 1",
            "#md # B", "def use(row: Row) -> int:\n    return row['a']\ntotal = counts[Color.RED] + use(row)", "#md # C", "more = total + 1",
        ],
        [(3, 5), (7,)],
    ),
    "native_files": (
        ["import polars as pl", "#md # A", "pl.DataFrame({'a': [1, 2]}).write_parquet('o.parquet')", "#md # B", "total = pl.read_parquet('o.parquet')['a'].sum()", "#md # C", "more = total + 1"],
        [(3, 5), (7,)],
    ),
    "sqlite": (
        [
            "import sqlite3", "#md # A", "c = sqlite3.connect('x.db')\nc.execute('drop table if exists t')\nc.execute('create table t(a)')\nc.execute('insert into t values (4)')\nc.commit()\nc.close()",
            "#md # B", "d = sqlite3.connect('x.db')\nv = d.execute('select a from t').fetchone()[0]\nd.close()\ndel c, d", "#md # C", "w = v + 1",
        ],
        [(3, 5), (7,)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STATES)
def test_what_cells_share_without_a_name_stays_in_one_step(tmp_path, name):
    """Else a cached step, or another process, would leave it out."""
    cells, steps = STATES[name]
    path = write_notebook(tmp_path / f"{name}.ipynb", *cells)
    assert [step.cells for step in promote_notebook(path, tmp_path / "pkg").plan.steps] == steps


def test_an_edited_plan_decides_the_steps(tmp_path):
    path, _ = write(tmp_path, "functions")
    folder = tmp_path / "pkg"
    promote_notebook(path, folder, plan_only=True)
    assert [file.name for file in folder.iterdir()] == ["plan.toml"]
    plan = folder / "plan.toml"
    text = plan.read_text(encoding="utf-8").replace('"sum_step"', '"add_up"')
    plan.write_text(text.replace('"sum"', '"add_up"'), encoding="utf-8")
    promoted = promote_notebook(path, folder)
    assert "def add_up(" in (folder / "functions.py").read_text(encoding="utf-8")
    assert [step.name for step in promoted.plan.steps][-1] == "add_up"
    assert compare_with_golden(plan) == []
    (folder / "functions.py").write_text("# by hand\n", encoding="utf-8")
    with pytest.raises(ConflictError, match=r"functions\.py"):
        promote_notebook(path, folder)
    plan.write_text(plan.read_text().replace("cells = [7]", "cells = [7, 40]"), encoding="utf-8")
    with pytest.raises(PenstockError, match="40"):
        promote_notebook(path, folder, overwrite=True)


@pytest.mark.parametrize(
    ("cells", "cell", "reason"),
    [
        (["x = y", "y = 1"], 1, "defined only below"),
        (["x = 1", "%%bash\nls"], 2, "no form in Python"),
        (["files = !ls\nn = len(files)"], 1, "no form in Python"),
        (["x = 1", "print 'a'"], 2, "Python 2"),
        (["x = 1", "raise ValueError('no')"], 2, "fails in a fresh"),
        (["def f():\n    global n\n    n = 2\nn = 1\nf()"], 1, "global name 'n'"),
        (["x = 1", "exec('x = 2')"], 2, "own names"),
        (["import math", "math = math.pi"], 1, "bound again"),
        (["get_ipython().system('ls')"], 1, "only a kernel"),
        (["if __name__ == '__main__':\n    x = 1"], 1, "another one in a module"),
        (["here = %pwd"], 1, "no form in Python"),
        (["x = 4", "x + 1", "y = _ + 2"], 3, "last output of an interactive"),
        (["import random\nx = random.random()"], 1, "another value in each fresh execution"),
        (["import time\nnow = time.time()"], 1, "another value in each fresh execution"),
    ],
)
def test_what_prevents_a_promotion_is_said_by_cell_and_nothing_is_written(
    tmp_path, cells, cell, reason
):
    path = write_notebook(tmp_path / "a.ipynb", *cells)
    with pytest.raises(PenstockError, match=reason) as refused:
        promote_notebook(path, tmp_path / "pkg")
    assert refused.value.cells == [cell]
    assert not (tmp_path / "pkg").exists()


def test_names_with_an_underscore_and_harmless_magics_pass(tmp_path):
    cells = (
        "get_ipython().run_line_magic('matplotlib', 'inline')\n_size = [2]",
        "#md # Next",
        "_size.append(3)\ntotal = sum(_size)",
    )
    promoted = promote_notebook(write_notebook(tmp_path / "a.ipynb", *cells), tmp_path / "pkg")
    assert [step.cells for step in promoted.plan.steps] == [(1,), (3,)]
    assert dict(promoted.plan.steps[0].outputs) == {"_size": "builtins.list"}


def test_a_function_is_defined_after_the_types_that_its_hints_read(tmp_path):
    cells = (
        "Word = str\nlimit = len('four')",
        "def is_short(text: Word) -> bool:\n    return len(text) <= limit",
        "short = is_short('word')",
    )
    promoted = promote_notebook(write_notebook(tmp_path / "a.ipynb", *cells), tmp_path / "pkg")
    assert promoted.compared >= 1


def test_a_refusal_says_with_what_the_step_fails(tmp_path):
    cells = ("import inspect", "name = inspect.stack()[0].function\nassert name == '<module>'")
    with pytest.raises(PenstockError, match=r"fails: .*AssertionError"):
        promote_notebook(write_notebook(tmp_path / "a.ipynb", *cells), tmp_path / "pkg")


def test_modules_beside_the_notebook_are_found(tmp_path):
    (tmp_path / "beside.py").write_text("def triple(x):\n    return 3 * x\n", encoding="utf-8")
    path = write_notebook(tmp_path / "a.ipynb", "from beside import triple", "x = triple(2)")
    assert promote_notebook(path, tmp_path / "deep" / "pkg").compared == 1
    assert compare_with_golden(tmp_path / "deep" / "pkg" / "plan.toml") == []


def test_force_leaves_magics_out_and_the_values_are_still_proved(tmp_path):
    cells = (
        "rows = [3, 1, 2]",
        "!echo ready > ready.txt",
        "%%bash\ntrue",
        "ordered = sorted(rows)",
    )
    path = write_notebook(tmp_path / "forced.ipynb", *cells)
    with pytest.raises(PenstockError, match="no form in Python") as refused:
        promote_notebook(path, tmp_path / "pkg")
    assert refused.value.cells == [2, 3]
    assert not (tmp_path / "pkg").exists()
    promoted = promote_notebook(path, tmp_path / "pkg", force=True)
    code = (tmp_path / "pkg" / "forced.py").read_text(encoding="utf-8")
    assert promoted.compared == 1
    assert "echo" not in code
    assert compare_with_notebook(tmp_path / "pkg" / "plan.toml") == []


@pytest.mark.parametrize(
    ("magic", "later", "cell"),
    [
        ("lines = !echo 3", "total = len(lines)", 2),
        ("%%bash --out text\necho 3", "total = int(text)", 2),
        ("share = 1 / 3", "total = _1 + share", 3),
        ("open('made.txt', 'w').write('1')\n!echo 333 > made.txt", "total = len(open('made.txt').read())", 0),
    ],
)  # fmt: skip
def test_force_writes_nothing_where_a_value_comes_from_what_is_left_out(
    tmp_path, magic, later, cell
):
    path = write_notebook(tmp_path / "forced.ipynb", "1 + 1\nrows = [1]", magic, later)
    with pytest.raises(PenstockError) as refused:
        promote_notebook(path, tmp_path / "pkg", force=True)
    assert not (tmp_path / "pkg").exists()
    if cell:
        assert cell in refused.value.cells


@pytest.mark.parametrize(
    "cells", [("# only words",), ("import math\ndef f(x):\n    return x",), ()]
)
def test_a_notebook_that_computes_nothing_is_told_so(tmp_path, cells):
    path = write_notebook(tmp_path / "words.ipynb", *cells)
    with pytest.raises(PenstockError, match="no cell that computes a value"):
        promote_notebook(path, tmp_path / "pkg")
    assert not (tmp_path / "pkg").exists()


def test_a_notebook_named_after_a_module_that_it_imports_does_not_hide_it(tmp_path):
    cells = ["import numpy as np\nimport json", "total = int(np.arange(4).sum())"]
    path = write_notebook(tmp_path / "numpy.ipynb", *cells)
    promoted = promote_notebook(path, tmp_path / "pkg")
    assert promoted.plan.pipeline == "numpy_pipeline"
    assert (tmp_path / "pkg" / "numpy_pipeline.py").is_file()
    path = write_notebook(tmp_path / "statistics.ipynb", "total = 1 + 1")
    assert (
        promote_notebook(path, tmp_path / "other", plan_only=True).plan.pipeline
        == "statistics_pipeline"
    )
