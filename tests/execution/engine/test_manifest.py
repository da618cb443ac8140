"""Provenance: the source as run and the manifest, stored once."""

import sys
from pathlib import Path

import pytest

import penstock
from penstock.core import NotFoundError
from penstock.execution import read_manifest, read_source, record_provenance
from penstock.execution.engine._place import entry_of, project_of
from penstock.pipelines import pipeline

BODY = "@ps.step\ndef one() -> int:\n    return 1\n\n@ps.pipeline\ndef job():\n    return one()\n"


def test_the_source_as_run_can_be_read_back(project):
    (project.folder / "helpers.py").write_text("A = 1\n")
    result = project.run(BODY)
    run = project.store.metadata.runs.get(result.run_id)
    manifest = read_manifest(run, store=project.store)
    files = read_source(manifest, store=project.store)
    assert list(files) == ["helpers.py", "job.py", "pyproject.toml"]
    assert files["job.py"] == (project.folder / "job.py").read_bytes()
    assert manifest["environment"]["packages"]["penstock"]
    assert manifest["argv"] == sys.argv


def test_the_same_source_is_stored_once(project):
    first, second = project.run(BODY), project.run(BODY)
    get = project.store.metadata.runs.get
    assert get(first.run_id).provenance == get(second.run_id).provenance
    third = project.run(BODY.replace("return 1", "return 2"))
    assert get(third.run_id).provenance != get(first.run_id).provenance


def test_another_environment_is_another_manifest(project, monkeypatch):
    first = record_provenance(project.folder, store=project.store)
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    second = record_provenance(project.folder, store=project.store)
    assert first.digest != second.digest
    assert first.code == second.code
    assert first.environment != second.environment
    assert project.store.get(second.digest)["environment"]["variables"]["OMP_NUM_THREADS"] == "7"


def test_a_store_made_anew_gets_the_files_again(project, monkeypatch):
    project.write(BODY)
    first = record_provenance(project.folder, store=project.store)
    monkeypatch.setattr(project.store.metadata.artifacts, "renew", lambda *_: False)
    for digest in project.store.get(first.digest)["code"]["files"].values():
        project.store.artifacts.delete(digest)
    again = record_provenance(project.folder, store=project.store)
    assert read_source(project.store.get(again.digest), store=project.store)["job.py"]


def test_a_run_without_sources_says_so(project):
    from penstock.tracking import start_run

    with start_run("script", store=project.store) as run:
        pass
    with pytest.raises(NotFoundError, match="no recorded sources"):
        read_manifest(run.record, store=project.store)


def test_the_project_is_that_of_the_pipelines_file(project, monkeypatch):
    inner = project.folder / "inner"
    inner.mkdir()
    (inner / "pyproject.toml").write_text("")
    path = inner / "job.py"
    path.write_text(BODY)
    assert project_of(str(path)) == inner
    monkeypatch.setenv("PENSTOCK_PROJECT", str(project.folder))
    assert project_of(str(path)) == project.folder
    assert project_of(penstock.__file__) == project.folder, "installed code: the current project"
    monkeypatch.setenv("PENSTOCK_PROJECT", "/elsewhere")
    assert project_of(str(path)) == inner
    assert project_of("<stdin>") == project.folder


def test_an_entry_finds_the_pipeline_again_or_is_none(project):
    from penstock.execution import load_pipeline

    job = load_pipeline(str(project.write(BODY)))
    assert entry_of(job, project.folder) == "job.py:job"
    assert entry_of(job, Path("/elsewhere")) is None

    @pipeline
    def inside(): ...

    assert entry_of(inside, project.folder) is None
