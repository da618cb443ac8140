"""`ps.steps.notebook`: a notebook as a step, cached by what it computes with; in real kernels."""

import pytest
from tests.notebooks.corpus import write_notebook

import penstock as ps
from penstock.execution import QuietReporter

pytest.importorskip("nbclient", reason='pip install "penstock[notebooks]"')
pytest.importorskip("ipykernel", reason='pip install "penstock[notebooks]"')


@ps.step
def total(values: dict) -> int:
    return values["doubled"] + 1


@ps.pipeline
def whole(size: int = 3) -> int:
    return total(ps.steps.notebook("a.ipynb", outputs=["doubled"], size=size))


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.txt").write_text("2", encoding="utf-8")
    write(tmp_path, "doubled = size * int(open('rows.txt').read())")
    store = f"sqlite:///{tmp_path}/store/penstock.db"

    def run(**params):
        result = ps.run(whole, store=store, reporter=QuietReporter(), **params)
        return result, str(result["a"].state)

    return run


def write(folder, cell, note="#md # Title"):
    cells = ["size = 1", note, cell]
    return write_notebook(folder / "a.ipynb", *cells, tags={0: ["parameters"]})


@pytest.mark.slow
def test_a_notebook_is_executed_again_only_if_its_result_can_differ(run, tmp_path):
    cell = "doubled = size * int(open('rows.txt').read())"
    first, state = run()
    assert (first.output(), state) == (7, "finished")
    assert run()[1] == "cached"
    write(tmp_path, cell, note="#md # Another title")
    assert run()[1] == "cached"
    other, state = run(size=5)
    assert (other.output(), state) == (11, "finished")
    (tmp_path / "rows.txt").write_text("3", encoding="utf-8")
    changed, state = run()
    assert (changed.output(), state) == (10, "finished")
    write(tmp_path, cell.replace("size *", "10 *"))
    edited, state = run()
    assert (edited.output(), state) == (31, "finished")


@pytest.mark.slow
def test_a_failed_cell_fails_the_step_with_its_error(run, tmp_path):
    write(tmp_path, "doubled = nothing")
    result, state = run()
    assert state == "failed"
    assert "NameError: name 'nothing' is not defined" in result.error
    write(tmp_path, "other = 1")
    assert "defines no 'doubled'" in run()[0].error
