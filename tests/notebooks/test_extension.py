"""`%load_ext penstock`, and `ps.run` between the cells of a notebook; in real kernels."""

import pytest
from tests.notebooks.corpus import write_notebook

from penstock.notebooks import run_notebook
from penstock.notebooks._outputs import stream_text
from penstock.tracking import search_runs

pytest.importorskip("nbclient", reason='pip install "penstock[notebooks]"')
pytest.importorskip("ipykernel", reason='pip install "penstock[notebooks]"')
pytestmark = pytest.mark.slow


@pytest.fixture
def run(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text("", encoding="utf-8")
    monkeypatch.setenv("PENSTOCK_STORE", f"sqlite:///{tmp_path}/inner/penstock.db")
    monkeypatch.setenv("PENSTOCK_ARTIFACTS", f"{tmp_path}/inner/artifacts")

    def run(*cells):
        path = write_notebook(tmp_path / "a.ipynb", *cells)
        result = run_notebook(path, store=f"sqlite:///{tmp_path}/outer/penstock.db")
        assert [cell.error for cell in result.cells if cell.error] == []
        return result.cells

    return run


def test_the_extension_warns_records_the_order_and_shows_runs(run):
    cells = run(
        "%load_ext penstock\nimport penstock as ps",
        "x = 1",
        "y = x + 1",
        "x = 2",
        "print(y)",
        "run = ps.start_run('tracked')\nrun.log_metric('loss', 0.5)\nrun",
        "ps.end_run()\n%penstock",
        "run",
    )
    assert "'y' is out of date" in stream_text(cells[4].outputs, "stderr")
    assert stream_text(cells[3].outputs, "stderr") == ""
    assert "x = 2" in stream_text(cells[6].outputs, "stdout")
    shown = cells[7].outputs[-1]["data"]["text/html"]
    assert "tracked: finished" in shown
    assert "loss" in shown
    [tracked] = search_runs()
    order = tracked.artifact("cells.json")["cells"]
    assert [each["source"].splitlines()[0] for each in order][:3] == ["x = 1", "y = x + 1", "x = 2"]


DEFINITIONS = """
import penstock as ps
from penstock.execution import QuietReporter

class Base:
    rate = 2

class Scaler(Base):
    def apply(self, x):
        return factor(x) * self.rate
"""
HELPER = "def factor(x):\n    return x + 1"
STEPS = """
@ps.step
def scaled(x: int) -> int:
    return Scaler().apply(x)

@ps.pipeline
def whole(x: int = 3) -> int:
    return scaled(x)
"""
CALL = "result = ps.run(whole, reporter=QuietReporter())\nprint(result.output(), result['scaled'].state)"


def test_the_cache_is_right_across_kernels_and_edits_of_earlier_cells(run):
    def printed(*cells):
        return stream_text(run(*cells)[-1].outputs, "stdout").strip()

    assert printed(DEFINITIONS, HELPER, STEPS, CALL) == "8 finished"
    assert printed(DEFINITIONS, HELPER, STEPS, CALL) == "8 cached"
    assert printed(DEFINITIONS, HELPER.replace("+ 1", "+ 2"), STEPS, CALL) == "10 finished"
    base = DEFINITIONS.replace("rate = 2", "rate = 3")
    assert printed(base, HELPER, STEPS, CALL) == "12 finished"
    # in the same kernel: a cell is edited and run again, the steps' cell is not
    assert (
        printed(DEFINITIONS, HELPER, STEPS, CALL, HELPER.replace("+ 1", "+ 5"), CALL)
        == "16 finished"
    )
    edited = "class Base:\n    rate = 10\nclass Scaler(Base):\n    def apply(self, x):\n        return x * self.rate"
    assert printed(DEFINITIONS, HELPER, STEPS, CALL, edited, CALL) == "30 finished"
    assert printed(DEFINITIONS, HELPER, STEPS, CALL, HELPER, CALL) == "8 cached"


PATCHED = """
import json
@ps.step
def scaled(x: int) -> str:
    return json.dumps([x, object()])
"""


def test_patches_of_libraries_by_cells_are_in_the_key_and_in_workers(run, tmp_path):
    """A cell may replace what a library does; no name that a step reads shows that."""
    pytest.importorskip("cloudpickle", reason='pip install "penstock[pickle]"')
    patch = "json.JSONEncoder.default = lambda self, value: {}"
    pipeline = STEPS.partition("@ps.pipeline")
    steps = PATCHED + pipeline[1] + pipeline[2].replace("-> int", "-> str")
    elsewhere = CALL.replace("reporter", "runner='processes', use_cache=False, reporter")
    (tmp_path / "patch.py").write_text("import json\n" + patch.format(3), encoding="utf-8")
    cells = run(
        DEFINITIONS, steps, patch.format(1), CALL, CALL, patch.format(2), CALL, patch.format(1), CALL,
        elsewhere, "%run patch.py", CALL, elsewhere,
    )  # fmt: skip
    printed = [stream_text(cell.outputs, "stdout").strip() for cell in cells]
    assert [text for text in printed if text] == [
        "[3, 1] finished", "[3, 1] cached", "[3, 2] finished", "[3, 1] cached", "[3, 1] finished",
        "[3, 3] finished", "[3, 3] finished",
    ]  # fmt: skip


def test_a_result_of_a_pipeline_is_shown_as_a_table(run):
    cells = run("%load_ext penstock", DEFINITIONS, HELPER, STEPS, CALL, "result")
    shown = cells[-1].outputs[-1]["data"]["text/html"]
    assert "whole" in shown
    assert "scaled" in shown
