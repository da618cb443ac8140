"""`run_notebook`: parameters with types, cells as steps of a run, a second kernel as proof; in real kernels."""

import json

import pytest
from tests.notebooks.corpus import write_notebook

from penstock.core import NotFoundError, ParameterError, PenstockError, StepState
from penstock.notebooks import run_notebook
from penstock.tracking import get_run

pytest.importorskip("nbclient", reason='pip install "penstock[notebooks]"')
pytest.importorskip("ipykernel", reason='pip install "penstock[notebooks]"')


@pytest.fixture
def store(tmp_path):
    return f"sqlite:///{tmp_path}/penstock.db"


@pytest.mark.slow
def test_each_cell_is_a_step_with_state_time_digest_log_and_outputs(tmp_path, store):
    path = write_notebook(
        tmp_path / "a.ipynb",
        "size = 3\nnames = ['a']",
        "#md # Title",
        "print(size * 2, names)\nsize",
        "1 / 0",
        "print('after')",
        tags={0: ["parameters"]},
    )
    out = tmp_path / "out" / "a.ipynb"
    result = run_notebook(
        path, parameters={"size": "7", "names": "['b', 'c']"}, output=out, store=store
    )
    assert [(cell.cell, str(cell.state)) for cell in result.cells] == [
        (1, "finished"),
        (0, "finished"),
        (3, "finished"),
        (4, "failed"),
        (5, "skipped"),
    ]
    run = get_run(result.run_id, store=store)
    assert str(run.state) == "failed"
    assert run.record.error == "Cell 4: ZeroDivisionError: division by zero"
    assert run.params == {"size": 7, "names": ["b", "c"]}
    steps = {step.step: step for step in run.store.metadata.steps.list(run.run_id)}
    assert steps["cell 3"].seconds > 0
    assert steps["cell 5"].state is StepState.SKIPPED
    logs = run.store.metadata.steps.list_logs(steps["cell 3"].step_run_id)
    assert [line.text for line in logs] == ["14 ['b', 'c']"]
    stored = run.store.get(steps["cell 3"].output_address("outputs"))
    assert stored["outputs"][-1]["data"]["text/plain"] == "7"
    records = run.store.metadata.artifacts
    assert not any(
        records.get(s.output_address("outputs")).unsafe for s in steps.values() if s.outputs
    )
    written = json.loads(out.read_text(encoding="utf-8"))
    assert written["cells"][1]["metadata"]["tags"] == ["injected-parameters"]
    assert out.read_bytes() == run.artifact("a.ipynb")
    assert len(written["cells"]) == 6


@pytest.mark.slow
def test_two_fresh_kernels_differ_where_a_draw_has_no_seed_and_nowhere_else(tmp_path, store):
    path = write_notebook(
        tmp_path / "a.ipynb",
        "import random\nrandom.seed(1)\nprint(random.random(), object())",
        "random.seed()\nprint(random.random())",
        "1 / 0",
        "print('after')",
    )
    result = run_notebook(path, twice=True, keep_going=True, store=store)
    assert result.differing == [2]
    assert result.share == 0.75
    assert not result.ok


@pytest.mark.slow
def test_two_fresh_kernels_are_compared_in_values_that_nothing_shows_too(tmp_path, store):
    path = write_notebook(
        tmp_path / "a.ipynb",
        "import random\nrows = [1, 2]\nclass Own:\n    pass\nown = Own()",
        "weights = [random.random()]\nseeded = random.Random(1).random()",
        "rows.append(len(weights))",
    )
    result = run_notebook(path, twice=True, store=store)
    assert result.differing == []
    assert result.differing_values == ["weights"]
    assert "weights" not in result.uncompared
    assert not result.ok
    assert get_run(result.run_id, store=store).record.tags["penstock.notebook.differing_values"]
    assert run_notebook(path, store=store).differing_values is None


def test_parameters_are_checked_before_a_kernel_starts(tmp_path, store):
    path = write_notebook(tmp_path / "a.ipynb", "size = 3\nwide = fit", tags={0: ["parameters"]})
    with pytest.raises(ParameterError, match=r"no parameter 'sise'.*Did you mean 'size'"):
        run_notebook(path, parameters={"sise": 1}, store=store)
    with pytest.raises(ParameterError, match=r"'size' is 'many'"):
        run_notebook(path, parameters={"size": "many"}, store=store)
    plain = write_notebook(tmp_path / "b.ipynb", "size = 3")
    with pytest.raises(ParameterError, match='tag "parameters"'):
        run_notebook(plain, parameters={"size": 1}, store=store)


def test_what_is_no_notebook_is_refused(tmp_path, store):
    page = tmp_path / "page.ipynb"
    page.write_text("<html></html>", encoding="utf-8")
    with pytest.raises(PenstockError, match="web page"):
        run_notebook(page, store=store)
    with pytest.raises(NotFoundError):
        run_notebook(tmp_path / "none.ipynb", store=store)


@pytest.mark.slow
def test_a_cell_that_takes_too_long_and_a_kernel_that_dies_fail_the_run(tmp_path, store):
    slow = write_notebook(tmp_path / "a.ipynb", "import time\ntime.sleep(60)")
    with pytest.raises(PenstockError, match="longer than 1 s"):
        run_notebook(slow, timeout_s=1, store=store)
    dead = write_notebook(tmp_path / "b.ipynb", "import os\nos._exit(1)")
    with pytest.raises(PenstockError, match="died in cell 1"):
        run_notebook(dead, store=store)
