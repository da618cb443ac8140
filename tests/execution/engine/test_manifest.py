"""Provenance: the source as run and the manifest, stored once."""

import sys

import pytest

from penstock.core import NotFoundError
from penstock.execution import read_manifest, read_source, record_provenance

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
