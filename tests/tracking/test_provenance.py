"""A script's provenance is recorded in the background, and never in its way."""

import json
import os
import subprocess
import sys

import pytest

import penstock as ps
from penstock.stores import open_store
from penstock.tracking import _provenance

SCRIPT = """
import os, sys, time
import helper
import penstock as ps

ps.open_store()  # making a store is not what is measured
before = time.perf_counter()
run = ps.start_run("base")
started = time.perf_counter() - before
pid = os.fork()
if not pid:
    os._exit(0)  # a worker of a data loader
os.waitpid(pid, 0)
run.finish()
print(run.run_id, started)
"""


@pytest.fixture
def script(tmp_path):
    (tmp_path / "train.py").write_text(SCRIPT)
    (tmp_path / "helper.py").write_text("")
    (tmp_path / "notes.md").write_text("")

    def call(*words):
        environment = {**os.environ, "PENSTOCK_PROVENANCE": "on"}
        environment.pop("PENSTOCK_STORE", None)
        done = subprocess.run(
            [sys.executable, str(tmp_path / "train.py"), *words],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        run_id, seconds = done.stdout.split()
        with open_store(f"sqlite:///{tmp_path}/.penstock/penstock.db") as store:
            run = store.metadata.runs.get(run_id)
            return store.get(run.provenance), float(seconds)

    call.folder = tmp_path  # type: ignore[attr-defined]
    return call


def git(folder, *words):
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def test_a_script_outside_of_git_has_its_own_files_and_environment(script):
    manifest, seconds = script("--lr", "0.1", "--api-key", "hush")
    assert sorted(manifest["code"]["files"]) == ["helper.py", "train.py"]
    assert manifest["argv"][1:] == ["--lr", "0.1", "--api-key", "…"]
    assert manifest["environment"]["packages"]["numpy"]
    assert manifest["hardware"]["cores"] >= 1
    assert manifest["warnings"] == []
    assert seconds < 0.5  # 2 ms on an idle machine; the tests' machine is a busy one


def test_a_script_in_git_has_commit_changes_and_untracked_files(script):
    folder = script.folder
    git(folder, "init", "-b", "main")
    git(folder, "add", "train.py", "helper.py")
    git(folder, "commit", "-m", "first")
    (folder / "helper.py").write_text("RATE = 2\n")
    code = script()[0]["code"]
    assert len(code["commit"]) == 40
    assert (code["branch"], code["dirty"]) == ("main", True)
    assert "+RATE = 2" in code["diff"]
    assert sorted(code["files"]) == ["helper.py", "notes.md", "train.py"]


def test_it_can_be_turned_off(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as store:
        with ps.start_run("off", store=store, provenance=False) as run:
            pass
        assert store.metadata.runs.get(run.run_id).provenance is None


def test_trouble_with_it_does_not_reach_the_script(tmp_path, monkeypatch, caplog):
    def broken(*_, **__):
        raise OSError("the disk is full")

    monkeypatch.setattr(_provenance, "write_source_files", broken)
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as store:
        with ps.start_run("whole", store=store, provenance=True) as run:
            run.log_metric("loss", 1.0)
        assert store.metadata.runs.get(run.run_id).state.value == "finished"
    assert "the disk is full" in caplog.text


def test_runs_are_compared_by_it(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as store:
        runs = []
        for argv in (["a"], ["b"]):
            with ps.start_run("x", store=store, provenance=True) as run:
                runs.append(run.run_id)
            record = store.metadata.runs.get(run.run_id)
            manifest = {**store.get(record.provenance), "argv": argv}
            artifact = store.put(manifest)
            store.metadata.runs.update(run.run_id, provenance=artifact.digest)
        told = ps.compare(*runs, store=store).provenance
    assert any("argv" in sentence for sentence in told), json.dumps(list(told))
