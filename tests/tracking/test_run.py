"""Runs of scripts and notebooks: logging, ending, nesting, resuming."""

import os
import subprocess
import sys
import threading
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from penstock.core import ConflictError, Edge, NotFoundError, ParameterError, RunState, StoreError
from penstock.stores import open_store
from penstock.testing import FakeClock
from penstock.testing._records import a_run
from penstock.tracking import (
    Run,
    StepContext,
    active_run,
    current_step,
    get_run,
    log_artifact,
    log_metric,
    log_metrics,
    log_param,
    log_params,
    set_tags,
    start_run,
    use_step,
)


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as opened:
        yield opened


def test_what_is_logged_is_found_again(store):
    with start_run("base", experiment="churn", store=store, tags={"n": 1}) as run:
        run.log_params({"lr": 0.1, "layers": [1, 2]})
        run.log_param("day", datetime(2026, 1, 1, tzinfo=UTC))
        run.set_tags({"team": "risk"})
        run.set_tag("owner", "ada")
        run.log_metric("loss", 0.31, step=1)
        run.log_metrics({"auc": 0.91, "f1": np.float32(0.5)}, step=1)  # type: ignore[dict-item]
    found = get_run(run.run_id, store=store)
    assert found.name == "base"
    assert found.experiment == "churn"
    assert found.state is RunState.FINISHED
    assert found.params == {
        "lr": 0.1, "layers": [1, 2], "day": datetime(2026, 1, 1, tzinfo=UTC)
    }  # fmt: skip
    assert found.tags == {"n": "1", "team": "risk", "owner": "ada"}
    assert found.metrics == {"loss": 0.31, "auc": 0.91, "f1": 0.5}
    assert found.record.user
    assert found.record.ended_at >= found.record.started_at
    assert repr(found) == f"Run({run.run_id}, 'base', finished)"


def test_the_functions_log_to_the_active_run(store, tmp_path):
    (tmp_path / "notes.txt").write_text("hi")
    with start_run(store=store) as run:
        log_param("a", 1)
        log_params({"b": 2})
        log_metric("m", 3)
        log_metrics({"n": 4})
        set_tags({"t": 5})
        log_artifact(tmp_path / "notes.txt")
        assert active_run() is run
    assert active_run() is None
    assert (run.params, run.metrics, run.tags) == ({"a": 1, "b": 2}, {"m": 3, "n": 4}, {"t": "5"})
    assert run.artifact("notes.txt") == b"hi"


@pytest.mark.parametrize(
    "call",
    [
        lambda: log_param("a", 1),
        lambda: log_params({"a": 1}),
        lambda: log_metric("a", 1),
        lambda: log_metrics({"a": 1}),
        lambda: set_tags({"a": 1}),
        lambda: log_artifact(1, "a"),
    ],
)
def test_without_an_active_run_it_is_said_how_to_start_one(call):
    with pytest.raises(NotFoundError, match=r"with penstock.start_run\(\)"):
        call()


def test_a_metric_without_a_step_goes_on_where_it_was(store):
    with start_run(store=store) as run:
        for value in (3.0, 2.0):
            run.log_metric("loss", value)
        run.log_metric("loss", 1.0, step=10)
        run.log_metric("loss", 0.5)
    Run(run.record, store).log_metric("loss", 0.25)
    history = run.metric_history("loss")
    assert history.columns == ["step", "time", "value"]
    assert history["step"].to_list() == [0, 1, 10, 11, 12]
    assert history["value"].to_list() == [3.0, 2.0, 1.0, 0.5, 0.25]
    assert history.schema["time"] == pl.Datetime("us", "UTC")


def test_a_metric_that_does_not_exist_is_named(store):
    with start_run(store=store) as run:
        run.log_metric("loss", 1.0)
        with pytest.raises(NotFoundError, match="Did you mean 'loss'"):
            run.metric_history("los")


def test_a_param_keeps_its_first_value(store):
    with start_run(store=store) as run:
        run.log_param("lr", 0.1)
        run.log_param("lr", 0.1)
        with pytest.raises(ConflictError, match=r"already 0\.1"):
            run.log_param("lr", 0.2)


def test_a_param_that_is_no_json_is_kept_as_text(store):
    with start_run(store=store) as run:
        run.log_params({"kind": int, "n": np.int64(3), "x": np.float64(0.5)})
    assert run.params == {"kind": "<class 'int'>", "n": 3, "x": 0.5}


@pytest.mark.parametrize("value", ["high", None, [1]])
def test_a_metric_that_is_no_number_is_refused(store, value):
    with start_run(store=store) as run, pytest.raises(ParameterError, match="Metric 'm' got"):
        run.log_metric("m", value)


def test_an_empty_name_is_refused(store):
    with start_run(store=store) as run, pytest.raises(ParameterError, match="no name for a metric"):
        run.log_metric(" ", 1)


def test_artifacts_are_values_files_and_folders(store, tmp_path):
    (tmp_path / "plots" / "deep").mkdir(parents=True)
    (tmp_path / "plots" / "a.png").write_bytes(b"png" * 1000)
    (tmp_path / "plots" / "deep" / "b.png").write_bytes(b"other")
    frame = pl.DataFrame({"a": [1]})
    with start_run(store=store) as run:
        digest = run.log_artifact(frame, name="rows")
        run.log_artifact(str(tmp_path / "plots" / "a.png"))
        run.log_artifact(tmp_path / "plots")
        run.log_text("note", "just text")
        run.log_artifact([frame, frame], name="both")
    assert run.artifact("rows").equals(frame)
    assert run.artifact("a.png") == b"png" * 1000
    assert run.artifact("plots/deep/b.png") == b"other"
    assert run.artifact("note") == "just text"
    assert run.artifact("both")[1].equals(frame)
    assert store.get(digest).equals(frame)
    with pytest.raises(NotFoundError, match="Did you mean 'rows'"):
        run.artifact("row")


def test_what_is_no_file_or_has_no_name_is_said(store, tmp_path):
    with start_run(store=store) as run:
        with pytest.raises(NotFoundError, match="no file"):
            run.log_artifact("plot.png")
        with pytest.raises(NotFoundError, match="no file"):
            run.log_artifact(tmp_path / "nothing", name="x")
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(ParameterError, match="neither a file nor a folder"):
            run.log_artifact(tmp_path / "pipe")  # whose reader would wait for ever
        with pytest.raises(ParameterError, match="has no name"):
            run.log_artifact(pl.DataFrame())
        with pytest.raises(NotFoundError, match="It has none at all"):
            run.artifact("x")


def test_what_a_step_logs_hangs_on_the_step_too(store):
    with start_run(store=store) as run, use_step(StepContext("train", "s1", 7)) as step:
        assert current_step() is step
        digest = run.log_artifact({"a": 1}, name="a")
    assert current_step() is None
    found = store.metadata.artifacts.list_edges(f"artifact:{digest}", direction="up")
    assert found == [
        Edge(f"run:{run.run_id}", f"artifact:{digest}", "logged"),
        Edge("step:s1", f"artifact:{digest}", "logged"),
    ]


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (ValueError("bad\nvalue"), RunState.FAILED),
        (KeyboardInterrupt(), RunState.KILLED),
        (SystemExit(3), RunState.KILLED),
        (SystemExit("stop"), RunState.KILLED),
        (SystemExit(0), RunState.FINISHED),
        (SystemExit(), RunState.FINISHED),
    ],
)
def test_how_a_run_ends_says_what_happened(store, error, state):
    def work():
        with start_run(store=store):
            raise error

    with pytest.raises(type(error)):
        work()
    run = get_run("last", store=store)
    assert run.state is state
    assert (run.record.error is None) == (state is RunState.FINISHED)
    assert active_run() is None
    if state is RunState.FAILED:
        assert run.record.error == "ValueError: bad value"


def test_a_run_without_a_with_block_ends_with_finish(store):
    run = start_run(store=store)
    log_metric("a", 1)
    run.finish("failed", error="gave up")
    assert active_run() is None
    assert (run.state, run.record.error) == (RunState.FAILED, "gave up")
    ended = run.record.ended_at
    run.finish("failed")
    assert run.record.ended_at == ended
    with pytest.raises(ConflictError, match="is failed and cannot become finished"):
        run.finish()
    run.set_tag("seen", "yes")  # it can still be annotated
    assert run.tags == {"seen": "yes"}


def test_a_run_that_was_finished_by_hand_is_left_so(store):
    with start_run(store=store) as run:
        run.finish(RunState.KILLED)
    assert run.state is RunState.KILLED


def test_runs_nest_only_when_asked_to(store):
    with start_run("outer", store=store) as outer:
        with pytest.raises(ConflictError, match="nested=True"):
            start_run(store=store)
        with start_run("inner", store=store, nested=True) as inner:
            assert active_run() is inner
        assert active_run() is outer
    assert inner.record.parent_run_id == outer.run_id


def test_a_failed_run_is_resumed_under_its_id(store):
    first = start_run("long", store=store)
    first.log_metric("loss", 1.0)
    first.finish("failed", error="boom")
    with start_run(store=store, resume=first.run_id[:12]) as again:
        again.log_metric("loss", 0.5)
    assert again.run_id == first.run_id
    assert (again.record.attempt, again.record.error) == (2, None)
    assert again.metric_history("loss")["step"].to_list() == [0, 1]


def test_a_finished_run_goes_on_with_more_points_and_tags(store):
    with start_run("first", store=store, tags={"a": 1}) as first:
        first.log_history("loss", [3.0, 2.0])
    with start_run(store=store, resume=first.run_id) as again:
        assert again.state is RunState.RUNNING
        again.log_metric("loss", 1.0)
        again.set_tag("b", 2)
    found = get_run(first.run_id, store=store)
    assert (found.state, found.record.attempt) == (RunState.FINISHED, 2)
    assert found.metric_history("loss")["value"].to_list() == [3.0, 2.0, 1.0]
    assert found.tags == {"a": "1", "b": "2"}


def test_a_run_that_goes_on_elsewhere_or_is_a_pipelines_is_not_resumed(store):
    with (
        start_run("busy", store=store) as busy,
        pytest.raises(ConflictError, match="is running and cannot be resumed"),
    ):
        start_run(store=store, resume=busy.run_id, nested=True)
    record = a_run(run_id="p1", pipeline="fraud", state=RunState.FAILED)
    store.metadata.runs.create(record)
    with pytest.raises(ConflictError, match="penstock run --resume p1"):
        start_run(store=store, resume="p1")


def test_an_experiment_needs_a_legal_name(store):
    with pytest.raises(ParameterError, match="Use for example 'my-tests'"):
        start_run(store=store, experiment="my tests")
    with pytest.raises(ParameterError, match="3 is no legal name"):
        start_run(store=store, experiment=3)  # type: ignore[arg-type]
    assert active_run() is None


def test_a_thread_takes_the_run_that_is_active_in_the_process(store):
    seen = []

    def work():
        log_metric("m", 1)
        seen.append(active_run())

    with start_run(store=store) as run:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert seen == [run]
    assert run.metrics == {"m": 1}
    assert active_run() is None


def test_times_come_from_the_clock(store):
    with FakeClock(datetime(2026, 5, 1, tzinfo=UTC)) as clock, start_run(store=store) as run:
        clock.advance(seconds=90)
        run.log_metric("m", 1)
    assert run.record.created_at == datetime(2026, 5, 1, tzinfo=UTC)
    assert run.metric_history("m")["time"][0] == datetime(2026, 5, 1, 0, 1, 30, tzinfo=UTC)


def test_a_script_that_ends_without_finish_shows_as_killed(store):
    code = (
        "import sys, penstock as ps;"
        "run = ps.start_run('script', store=sys.argv[1]); run.log_metric('a', 1)"
    )
    subprocess.run([sys.executable, "-c", code, store.url], check=True)
    run = get_run("last", store=store)
    assert (run.state, run.metrics) == (RunState.KILLED, {"a": 1})
    assert "without finishing" in run.record.error


def test_the_script_is_the_entry_and_the_name(store, tmp_path):
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "train.py").write_text(
        f"import penstock as ps\nwith ps.start_run(store={store.url!r}): pass\n"
    )
    subprocess.run([sys.executable, "train.py"], cwd=tmp_path, check=True)
    run = get_run("last", store=store)
    assert (run.name, run.record.entry) == ("train", "train.py")


def test_a_history_is_logged_at_once_and_counts_on(store):
    days = [datetime(2026, 5, day, tzinfo=UTC) for day in (1, 2)]
    with start_run(store=store) as run:
        run.log_history("loss", [0.5, 0.25], steps=[10, 20], times=days)
        run.log_history("loss", pl.Series([0.1, 0.05]), times=pl.Series(days))
        run.log_metric("loss", 0.01)
    history = run.metric_history("loss")
    assert history["step"].to_list() == [10, 20, 21, 22, 23]
    assert history["value"].to_list() == [0.5, 0.25, 0.1, 0.05, 0.01]
    assert history["time"].to_list()[:4] == days * 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"values": [1, 2], "steps": [1]}, "got 2 values, 1 steps and 2 times"),
        ({"values": ["a"]}, "The values of metric 'm' are a list"),
        ({"values": [[1.0], [2.0]]}, "The values of metric 'm' are a list"),
        ({"values": [1.0], "steps": [np.inf]}, "was logged at step inf"),
        ({"values": [1.0], "times": ["x"]}, "The times of metric 'm' are a list"),
    ],
)
def test_a_history_that_is_none_is_refused(store, options, words):
    with start_run(store=store) as run, pytest.raises(ParameterError, match=words):
        run.log_history("m", options.pop("values"), **options)


@pytest.mark.parametrize("step", [float("nan"), float("inf"), "a"])
def test_a_step_that_is_no_place_is_refused_and_nothing_is_logged(store, step):
    with start_run(store=store) as run:
        for log in (
            lambda: run.log_metric("m", 1.0, step=step),
            lambda: run.log_metrics({"m": 1.0}, step=step),
        ):
            with pytest.raises(ParameterError):
                log()
    assert run.metrics == {}


@pytest.mark.parametrize("count", [2, 30])
def test_of_several_metrics_all_or_none_are_logged(store, count):
    metrics = {f"m{i}": float(i) for i in range(count)}
    with start_run(store=store) as run:
        for wrong in (None, "0.5"):
            with pytest.raises(ParameterError, match="Metric 'bad' got"):
                run.log_metrics(metrics | {"bad": wrong})  # type: ignore[arg-type]
        run.log_metrics(metrics)
    assert run.metrics == metrics


def test_a_store_that_cannot_be_written_does_not_stop_the_work(store, monkeypatch, caplog):
    def full(*_: object, **__: object) -> None:
        raise StoreError("The disk is full.", fix="Free some space.")

    with start_run(store=store) as run:
        monkeypatch.setattr(store.metadata.runs, "log_params", full)
        monkeypatch.setattr(store.journal, "append", full)
        monkeypatch.setattr(store.artifacts, "write", full)
        for _ in range(3):
            run.log_params({"a": 1})
            run.log_metric("loss", 1.0)
            assert run.log_artifact(np.zeros(1000), name="zeros") == ""
    assert caplog.text.count("The disk is full.") == 1
    assert run.state is RunState.FINISHED
    assert run.params == {}
    monkeypatch.undo()
    store.flush()
    record = get_run(run.run_id, store=store).record
    assert (record.state, record.params) == (RunState.FINISHED, {"a": 1})  # both waited
    assert set(record.missed) == {"The disk is full.", "artifact 'zeros': The disk is full."}


def test_a_strict_run_raises_what_cannot_be_recorded(store, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise StoreError("The disk is full.")

    with start_run(store=store, strict=True) as run:
        monkeypatch.setattr(store.journal, "append", full)
        with pytest.raises(StoreError, match="full"):
            run.log_metric("loss", 1.0)
        monkeypatch.undo()
