"""A database that is gone for a while loses nothing, and hardly delays who logs."""

import time
from datetime import timedelta
from typing import Any

import pytest
from tests import services

from penstock.core import ConflictError, ParameterError, RunState, StoreError, now
from penstock.stores import open_store
from penstock.stores.journals._facts import Fact, end_fact, write_fact
from penstock.testing._records import a_run
from penstock.tracking import get_run, start_run

QUIET: dict[str, Any] = {"console": False, "system_metrics": False}


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as opened:
        yield opened


@pytest.mark.services
def test_all_that_is_logged_while_the_server_is_down_is_recorded_when_it_is_back(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("PENSTOCK_JOURNALS", str(tmp_path / "journals"))
    monkeypatch.setattr("penstock.stores.metadata._postgres._DOWN_S", 0.5)
    with (
        services.postgres() as server,
        open_store(server.database(), artifacts=str(tmp_path / "bytes")) as store,
    ):
        run = start_run(store=store, **QUIET)
        run.log_metric("loss", 1.0)
        server.stop()
        began = time.monotonic()
        for place in range(10):
            run.log_metric("loss", 0.5)
            run.log_metric(f"begins {place}", place)
        run.log_param("rate", 0.1)
        run.set_tag("team", "risk")
        run.log_artifact({"a": 1}, name="settings")
        run.finish()
        assert time.monotonic() - began < 20  # generous: the machine is busy
        server.start()
        time.sleep(0.6)
        store.flush()
        found = get_run(run.run_id, store=store)
        assert found.record.state is RunState.FINISHED
        assert found.record.missed == ()
        assert len(found.metric_history("loss")) == 11
        assert {f"begins {place}" for place in range(10)} <= set(found.metrics)
        assert (found.params, found.tags) == ({"rate": 0.1}, {"team": "risk"})
        assert found.artifact("settings") == {"a": 1}


def test_a_metric_that_begins_while_the_store_is_silent_is_kept(store, monkeypatch):
    def silent(*_: object, **__: object) -> None:
        raise StoreError("No answer.")

    with start_run(store=store, **QUIET) as run:
        monkeypatch.setattr(store.metadata.runs, "get", silent)
        run.log_metric("val_loss", 1.0)
        monkeypatch.undo()
    assert run.metrics == {"val_loss": 1.0}


def left_behind(tmp_path, facts: list[Fact]) -> None:
    folder = tmp_path / "penstock.db-journals" / "06h0"
    folder.mkdir(parents=True)
    (folder / "owner").touch()
    (folder / "series").touch()
    (folder / "facts").write_bytes(b"".join(map(write_fact, facts)))


def test_what_a_dead_process_could_not_record_is_recorded_by_the_next(store, tmp_path):
    run = a_run(run_id="r")
    store.metadata.runs.create(run)
    moment = now()
    left_behind(
        tmp_path,
        [
            Fact("r", "params", {"a": (1, 2)}, "parameters a"),
            Fact("r", "tags", {"t": "x"}, "tags t"),
            Fact("gone", "tags", {"t": "x"}, "tags t"),
            end_fact("r", run.attempt, RunState.FAILED, moment, "ValueError: no"),
        ],
    )
    store.flush()
    found = store.metadata.runs.get("r")
    assert (found.params, found.tags) == ({"a": (1, 2)}, {"t": "x"})
    assert (found.state, found.ended_at, found.error) == (
        RunState.FAILED, moment, "ValueError: no",
    )  # fmt: skip


def test_the_end_of_an_earlier_attempt_does_not_end_a_resumed_run(store, tmp_path):
    store.metadata.runs.create(a_run(run_id="r", attempt=2))
    left_behind(tmp_path, [end_fact("r", 1, RunState.FINISHED, now(), None)])
    store.flush()
    assert store.metadata.runs.get("r").state is RunState.RUNNING


def test_what_is_refused_when_it_is_delivered_is_noted_with_the_run(store, tmp_path):
    store.metadata.runs.create(a_run(run_id="r", params={"a": 1}))
    left_behind(tmp_path, [Fact("r", "params", {"a": 2}, "parameters a")])
    store.flush()
    [sentence] = store.metadata.runs.get("r").missed
    assert sentence.startswith("parameters a: Parameter 'a' of this run is already 1")


@pytest.mark.parametrize(
    "name", ["caf\udce9", "a\0b", "\N{CJK UNIFIED IDEOGRAPH-8CA8}" * 1000, "", " ", 7, None]
)
def test_a_name_that_cannot_be_stored_is_refused_when_it_is_logged(store, name):
    with start_run(store=store, **QUIET) as run:
        for log in (
            lambda: run.log_metric(name, 1.0),
            lambda: run.log_metrics({name: 1.0}),
            lambda: run.log_history(name, [1.0]),
            lambda: run.log_param(name, 1),
            lambda: run.set_tag(name, 1),
            lambda: run.log_artifact(1, name=name if name is not None else " "),
            lambda: run.log_text(name, "x"),
        ):
            with pytest.raises(ParameterError):
                log()
    assert run.metrics == run.params == run.tags == {}


def test_text_that_no_database_can_store_is_escaped_in_values(store):
    with start_run("na\udce9me", store=store, note="half \udcff", **QUIET) as run:
        run.log_param("p", "caf\udce9 \0")
        run.set_tag("t", "caf\udce9 \0")
        run.edit(note="n\udce9")
    found = get_run(run.run_id, store=store)
    assert found.params == {"p": "caf\udce9 \0"}  # as JSON it is stored whole
    assert (found.name, found.note) == (r"na\udce9me", r"n\udce9")
    assert found.tags == {"t": r"caf\udce9 \x00"}
    assert store.metadata.runs.count("tags.t = 'caf\udce9 \0'") == 1


def test_a_run_that_someone_ended_does_not_stop_what_comes_after_its_block(store, caplog):
    with start_run(store=store, **QUIET) as run:
        store.metadata.runs.update(run.run_id, state=RunState.FAILED, ended_at=now())
    assert "was not recorded" in caplog.text
    with start_run(store=store, **QUIET) as run:
        store.metadata.runs.update(run.run_id, state=RunState.FAILED)
        with pytest.raises(ConflictError):
            run.finish()


def test_a_finished_run_is_read_again(store, monkeypatch):
    with start_run(store=store, **QUIET) as run:
        pass
    get_run(run.run_id, store=store).set_tag("late", "x")
    monkeypatch.setattr("penstock.tracking._run._FRESH_S", -1.0)
    assert run.tags == {"late": "x"}
    get_run(run.run_id, store=store).delete()
    assert run.restore() == [run.run_id]


@pytest.mark.parametrize(
    ("times", "micros"),
    [
        ([1_700_000_000], 1_700_000_000_000_000),
        ([1_700_000_000.25], 1_700_000_000_250_000),
        ([now().replace(year=2024, month=2, day=3, hour=0, minute=0, second=0, microsecond=0)],
         1_706_918_400_000_000),
    ],
)  # fmt: skip
def test_times_are_moments_or_seconds(store, times, micros):
    with start_run(store=store, **QUIET) as run:
        run.log_history("m", [1.0], times=times)
    assert store.metadata.metrics.history(run.run_id, "m").times.tolist() == [micros]


@pytest.mark.parametrize(
    "times", [[None], [float("nan")], [1_700_000_000_000_000], [now(), None], [1.7e9, None]]
)
def test_a_time_that_is_none_is_refused(store, times):
    with start_run(store=store, **QUIET) as run, pytest.raises(ParameterError, match=r"Time|times"):
        run.log_history("m", [1.0] * len(times), times=times)


def test_a_history_of_one_point_is_the_last(store):
    with start_run(store=store, **QUIET) as run:
        run.log_history("m", [1.0, 2.0, 3.0])
    assert run.metric_history("m", most=1)["value"].to_list() == [3.0]
    with pytest.raises(ParameterError, match="at least 1"):
        run.metric_history("m", most=0)


def test_durations_are_never_negative(store, monkeypatch):
    run = a_run(started_at=now() + timedelta(hours=1))
    store.metadata.runs.create(run)
    get_run(run.run_id, store=store).finish()
    found = store.metadata.runs.get(run.run_id)
    assert found.ended_at == found.started_at
