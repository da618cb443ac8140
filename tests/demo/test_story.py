"""The demo: its pipeline, its narrator, its folder; the whole story once, marked slow."""

import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

import penstock as ps
from penstock.core import ParameterError, StepError
from penstock.demo._narrator import Narrator
from penstock.demo._story import _prepare, _train, _wait_ready, _working_in, run_demo
from penstock.demo._stream import write_days


@pytest.fixture
def pipeline(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    return ps.load_pipeline(str(files("penstock.demo") / "payments_pipeline.py"))


def test_the_pipeline_is_what_the_guide_shows(pipeline):
    graph = pipeline.trace(cutoff=None)
    assert [node.name for node in graph.order()] == [
        "ingest", "keep_features", "split", "train", "evaluate", "register"
    ]  # fmt: skip
    assert {parameter.name for parameter in pipeline.parameters.values()} == {
        "since", "cutoff", "encoder", "learning_rate"
    }  # fmt: skip
    with pytest.raises(ParameterError, match="robust"):
        pipeline.bind({"encoder": "loose"})


def test_the_narrator_counts_chapters_and_prints_brackets_as_they_are(capsys):
    say = Narrator()
    with say.chapter("First [bold]") as chapter:
        say.fact("roc_auc [0.1, 0.2] [/]")
        chapter.done("well [x]")
    with say.chapter("Second"):
        say.line("a line [red]")
    say.summary()
    out = capsys.readouterr().out
    assert "1 First [bold]\n" in out
    assert "  │ roc_auc [0.1, 0.2] [/]\n" in out
    assert "s: well [x]\n" in out
    assert "2 Second\n" in out
    assert "a line [red]\n" in out
    assert "The whole loop took 0 s." in out


def test_the_folder_is_made_and_emptied_only_if_the_demo_made_it(tmp_path):
    folder = tmp_path / "demo"
    _prepare(folder)
    assert (folder / "payments.py").is_file()
    (folder / "left over").write_text("by an earlier demo")
    _prepare(folder)
    assert sorted(path.name for path in folder.iterdir()) == [".penstock", "payments.py"]


@pytest.mark.parametrize("name", ["payments.py", "thesis.txt"])
def test_a_users_own_folder_is_not_emptied(tmp_path, name):
    (tmp_path / name).write_text("my own work")
    with pytest.raises(ParameterError, match="is not empty and not an earlier demo's folder"):
        run_demo(tmp_path)
    assert (tmp_path / name).read_text() == "my own work"
    with pytest.raises(ParameterError, match="penstock demo --folder NAME"):
        run_demo(tmp_path / name)


def test_the_working_folder_is_put_back_also_after_an_error(tmp_path):
    before = Path.cwd()
    with pytest.raises(ValueError, match="any"), _working_in(tmp_path):
        assert Path.cwd() == tmp_path
        raise ValueError("any")
    assert Path.cwd() == before


def test_a_training_that_fails_ends_the_story_with_the_run_to_look_at(tmp_path, monkeypatch):
    _prepare(tmp_path / "demo")
    monkeypatch.setattr(sys, "path", list(sys.path))
    store = ps.open_store(f"sqlite:///{tmp_path}/demo/.penstock/penstock.db")
    with _working_in(tmp_path / "demo"), pytest.raises(StepError, match="penstock show"):
        _train(store, 2, Narrator())  # no day was written
    write_days(tmp_path / "demo" / "payments", range(1))
    store.close()


def test_a_server_that_does_not_start_is_told_with_its_last_words(tmp_path):
    import httpx

    log = tmp_path / "server.log"
    log.write_text("port in use")
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    with pytest.raises(ps.PenstockError, match="port in use"):
        _wait_ready(dead, "http://127.0.0.1:9", log, httpx)


@pytest.mark.slow
def test_the_whole_story_runs_to_its_end(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "penstock.cli", "demo", "--once", "--folder", "demo"],
        cwd=tmp_path, env={**os.environ, "NO_COLOR": "1"}, capture_output=True, text=True,
        timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    for told in (
        "days of payments become version 1",
        "approved and promoted: payments@1",
        "fraud changes its pattern",
        "ALERT day",
        "promoted; production is v2",
        "rolled back; production is v2",
        "bitwise",
        "The whole loop took",
    ):
        assert told in done.stdout, told
    assert "Traceback" not in done.stderr
    store = ps.open_store(f"sqlite:///{tmp_path}/demo/.penstock/penstock.db")
    assert ps.Registry(store).get("payments", "champion").version == 2
    assert store.metadata.get_deployment("payments").weights[2] == 1.0
    store.close()
