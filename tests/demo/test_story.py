"""The demo: its pipeline, its narrator, its folder; the whole story once, marked slow."""

import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

import penstock as ps
from penstock.core import ParameterError, StepError
from penstock.demo._narrator import Narrator
from penstock.demo._story import _prepare, _train, _wait_ready, _working_in, run_demo
from penstock.demo._stream import simulate_day, write_days


@pytest.fixture
def pipeline(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    return ps.execution.load_pipeline("penstock.demo.payments_pipeline:payments_fraud")


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


def test_the_strict_encoder_is_the_planted_mistake_and_the_robust_one_is_not(pipeline):
    module = sys.modules["penstock.demo.payments_pipeline"]
    rows = simulate_day(0, rows=600).labelled().drop("payment_id")
    split = ps.steps.split(rows, target="fraud", by_time="time", test=0.2)
    abroad = simulate_day(1, rows=20, new_country="SE").payments.select(split.schema.names)
    robust = module.train(split, "robust", 0.1)
    strict = module.train(split, "strict", 0.1)
    assert len(robust.predict(abroad)) == 20
    assert len(strict.predict(split.test.X)) == len(split.test)
    with pytest.raises(ValueError, match="unknown categories"):
        strict.predict(abroad)


def test_the_pipelines_first_step_leaves_the_number_of_the_payment_out(pipeline, tmp_path):
    module = sys.modules["penstock.demo.payments_pipeline"]
    snapshot = ps.steps.ingest(ps.FileSource(write_days(tmp_path / "p", range(1)), time="time"))
    assert module.keep_features(snapshot).columns == [
        name for name in snapshot.columns if name != "payment_id"
    ]


def test_on_a_terminal_a_chapter_shows_that_it_works(monkeypatch):
    say, told = Narrator(), StringIO()
    say._console = Console(file=told, force_terminal=True, width=80)
    with say.chapter("Long"):
        pass
    assert "working" in told.getvalue()


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


def _fail_in(folder):
    assert Path.cwd() == folder
    return 1 / 0


def test_the_working_folder_is_put_back_also_after_an_error(tmp_path):
    before = Path.cwd()
    with pytest.raises(ZeroDivisionError), _working_in(tmp_path):
        _fail_in(tmp_path)
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
def test_the_whole_story_runs_to_its_end(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "path", list(sys.path))
    store = run_demo(tmp_path / "demo")
    told = capsys.readouterr().out
    for sentence in (
        "days of payments become version 1",
        "approved and promoted: payments@1",
        "fraud changes its pattern",
        "ALERT day",
        "promoted; production is v2",
        "rolled back; production is v2",
        "bitwise",
        "The whole loop took",
    ):
        assert sentence in told, sentence
    assert ps.Registry(store=store).get("payments", "champion").version == 2
    assert store.metadata.deployments.get("payments").weights[2] == 1.0
    assert store.metadata.deployments.list_alerts("payments")
    store.close()
