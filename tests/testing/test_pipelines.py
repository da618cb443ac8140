"""Pipelines in users' tests: quick, by themselves, and failing loudly."""

import os
import subprocess
import sys
import time

import pytest

import penstock as ps
from penstock.core import ParameterError, StepError
from penstock.testing import penstock_store, run_pipeline, temporary_store, tiny_dataset
from penstock.testing._pipelines import _own_store

assert penstock_store  # a fixture, used by its name


@ps.step
def rows(count: int) -> ps.Table:
    return tiny_dataset(count)


@ps.step
def total(table: ps.Table) -> int:
    if table.is_empty():
        raise ValueError("no rows at all")
    return table.height


@ps.pipeline
def job(count: int = 5) -> int:
    return total(rows(count))


def test_values_of_the_pipeline_and_of_its_steps_are_there():
    result = run_pipeline(job, count=7)
    assert result.output() == 7
    assert result.output("rows").height == 7
    assert {step.state.value for step in run_pipeline(job, count=7).steps} == {"finished"}


def test_a_part_can_be_tested_alone(penstock_store):
    run_pipeline(job, store=penstock_store, until="rows", use_cache=True)
    result = run_pipeline(job, store=penstock_store, only=["total"], use_cache=True)
    assert [step.state.value for step in result.steps] == ["cached", "finished"]


def test_a_failing_step_raises_with_its_traceback(capfd):
    with pytest.raises(
        StepError, match=r"step 'total' failed: ValueError: no rows at all"
    ) as raised:
        run_pipeline(job, count=0)
    assert 'raise ValueError("no rows at all")' in str(raised.value)
    assert raised.value.values["step"] == "total"
    with pytest.raises(ParameterError, match="count"):
        run_pipeline(job, cuont=1)
    assert capfd.readouterr().out == ""


def test_it_takes_milliseconds():
    run_pipeline(job)  # imports and the store
    started = time.process_time()
    for _ in range(10):
        run_pipeline(job)
    assert time.process_time() - started < 2  # 0.1 s on a quiet machine


def test_the_fixtures_store_is_the_default(penstock_store):
    with ps.start_run("mine", console=False, system_metrics=False) as run:
        run.log_metric("a", 1)
    assert [found.run_id for found in penstock_store.metadata.runs.search()] == [run.run_id]


def test_users_tests_run_as_the_documentation_says(tmp_path):
    (tmp_path / "conftest.py").write_text("from penstock.testing import penstock_store\n")
    (tmp_path / "test_job.py").write_text(
        "import penstock as ps\nfrom penstock.testing import run_pipeline\n\n\n"
        "@ps.step\ndef double(x: int) -> int:\n    return 2 * x\n\n\n"
        "@ps.pipeline\ndef job(x: int = 1) -> int:\n    return double(x)\n\n\n"
        "def test_it(penstock_store):\n"
        "    assert double(4) == 8\n"
        "    assert run_pipeline(job, x=3).output() == 6\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def bucket(tmp_path, monkeypatch):
    """A project whose artifacts are elsewhere, as in a bucket of the team."""
    place = tmp_path / "bucket"
    (tmp_path / "pyproject.toml").write_text(f'[tool.penstock]\nartifacts = "{place}"\n')
    monkeypatch.chdir(tmp_path)
    return place


def test_a_users_test_stores_nothing_in_the_projects_bucket(bucket, request):
    store = request.getfixturevalue("penstock_store")
    store.put("x" * 5000)
    assert ps.open_store().artifacts.url == store.artifacts.url
    with temporary_store(bucket.parent / "own") as other:
        other.put("x" * 5000)
    _own_store.cache_clear()
    own = _own_store(os.getpid())
    own.put("x" * 5000)
    own.close()
    _own_store.cache_clear()
    assert not bucket.exists()
