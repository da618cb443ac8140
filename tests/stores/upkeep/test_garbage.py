"""Garbage goes, and what is needed stays: first as a dry run, then for good."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from tests.stores.upkeep.upkeep_parts import add_pipeline_run

from penstock.core import ParameterError, StepState, now
from penstock.stores import (
    LocalArtifacts,
    check_store,
    collect_garbage,
    copy_store,
    open_store,
)
from penstock.stores.metadata._garbage import Garbage
from penstock.testing._records import a_rollout, a_run, a_step
from penstock.tracking import get_run, search_runs, start_run

AT_ONCE: dict[str, Any] = {"older_than": timedelta(0), "grace": timedelta(0)}


def test_a_dry_run_changes_nothing_and_says_what_would_go(full):
    run = add_pipeline_run(full, name="old")
    full.metadata.runs.update(run.run_id, deleted_at=now())
    before = full.artifacts.list()
    report = collect_garbage(**AT_ONCE, store=full)
    assert [(r.run_id, r.why) for r in report.runs] == [(run.run_id, "deleted")]
    assert not report.deleted
    assert full.artifacts.list() == before
    assert full.metadata.runs.get(run.run_id).name == "old"


def test_a_deleted_run_goes_with_its_bytes_and_the_others_stay_sound(full):
    with start_run("gone", experiment="old", store=full) as run:
        run.log_metric("loss", 1.0)
        run.log_artifact(pl.DataFrame({"only": range(9000)}), name="rows")
    run.delete()
    [digest] = [record.digest for record in full.metadata.artifacts.list(run.run_id).values()]
    report = collect_garbage(delete=True, **AT_ONCE, store=full)
    assert [r.name for r in report.runs] == ["gone"]
    assert report.bytes > 0
    assert not full.artifacts.exists(digest)
    assert check_store(store=full) == []
    assert full.metadata.runs.list_experiments() == ["churn", "taxi"]
    assert collect_garbage(**AT_ONCE, store=full).artifacts == 0
    with full.metadata.database.read() as rows:
        for table in ("metric_chunks", "metric_summaries", "run_tags", "run_artifacts"):
            sql = f"SELECT COUNT(*) FROM {table} WHERE run_id = ?"
            assert rows.execute(sql, (run.run_id,)).fetchone() == (0,)


def test_bytes_that_another_run_names_as_well_stay(full):
    frame = pl.DataFrame({"shared": range(9000)})
    runs = []
    for name in ("one", "two"):
        with start_run(name, store=full) as run:
            run.log_artifact(frame, name="rows")
        runs.append(run)
    runs[0].delete()
    collect_garbage(delete=True, **AT_ONCE, store=full)
    assert runs[1].artifact("rows").equals(frame)


def test_a_run_that_made_a_version_stays_whatever_happens(full):
    [run] = search_runs("name = 'tracked'", store=full)
    full.metadata.runs.update(run.run_id, deleted_at=now())
    assert collect_garbage(delete=True, keep_last=1, **AT_ONCE, store=full).runs == ()
    assert get_run(run.run_id, store=full).artifact("rows").height == 5000
    version = full.metadata.models.get_version("m", 1)
    for digest in (version.artifact, version.card):
        assert full.get(digest, check=True) is not None


def test_what_was_deleted_lately_can_still_be_restored(full):
    run = get_run(add_pipeline_run(full, name="late").run_id, store=full)
    run.delete()
    assert collect_garbage(delete=True, older_than=timedelta(days=30), store=full).runs == ()
    assert run.restore() == [run.run_id]


def test_of_each_experiment_the_newest_are_kept(full):
    ids = [add_pipeline_run(full, name=f"r{place}").run_id for place in range(4)]
    report = collect_garbage(delete=True, keep_last=2, **AT_ONCE, store=full)
    left = {run.run_id for run in search_runs("experiment = 'taxi'", store=full)}
    assert left == set(ids[2:])
    assert {run.why for run in report.runs} == {"beyond the newest 2"}
    with pytest.raises(ParameterError, match="keep_last is 0"):
        collect_garbage(keep_last=0, store=full)


def test_what_was_just_written_stays_though_nothing_names_it_yet(full):
    record = full.put(pl.DataFrame({"young": range(9000)}))
    digest = full.artifacts.write(b"not recorded yet" * 100)
    collect_garbage(delete=True, store=full)
    assert full.artifacts.exists(record.digest)
    assert full.artifacts.exists(digest)


def test_bytes_that_are_written_again_while_they_are_removed_are_there_afterwards(tmp_path):
    artifacts, data = LocalArtifacts(tmp_path), b"rows" * 1000
    digest, since = artifacts.write(data), now() - timedelta(hours=1)
    with ThreadPoolExecutor(2) as threads:
        for _ in range(500):
            if artifacts.exists(digest):
                os.utime(artifacts.path(digest), (0, 0))  # old enough to go
            removed = threads.submit(artifacts.delete, digest, unless_written_since=since)
            written = threads.submit(artifacts.write, data)
            removed.result()
            written.result()
            assert artifacts.read(digest) == data


def test_runs_that_are_written_while_garbage_is_collected_are_sound(full):
    stop = threading.Event()

    def write() -> None:
        place = 0
        while not stop.is_set():
            with start_run(f"w{place}", store=full, nested=True) as run:
                run.log_artifact(pl.DataFrame({"a": range(place % 3 + 3000)}), name="rows")
            run.delete() if place % 2 else None
            place += 1

    writer = threading.Thread(target=write)
    writer.start()
    for _ in range(8):
        collect_garbage(delete=True, older_than=timedelta(0), store=full)
    stop.set()
    writer.join()
    assert [finding for finding in check_store(store=full) if not finding.harmless] == []


def add_deleted_run(store, name="old", rows=6000):
    """A deleted run with a step's result that no other run has, all of it hours old."""
    run = a_run(name=name, experiment="old", state="finished", ended_at=now())
    store.metadata.runs.create(run)
    records = store.pack([pl.DataFrame({name: range(rows)}), "part " * rows])
    step = a_step(run.run_id, state=StepState.FINISHED, key=name)
    stored = [record.digest for record in records if record.inline is None]
    step = replace(step, outputs={"result": records[0].content_digest}, facts={"stored": stored})
    store.metadata.steps.finish(step, outputs=records)
    store.metadata.runs.update(run.run_id, deleted_at=now())
    make_old(store)
    return run, stored


def make_old(store):
    """Make everything look as if it was written two hours ago."""
    with store.metadata.database.write() as rows:
        rows.execute("UPDATE artifacts SET created_at = created_at - 7200000000")
    for digest in store.artifacts.list():
        os.utime(store.artifacts.path(digest), (time.time() - 7200,) * 2)


def meanwhile(monkeypatch, name, act):
    """Do something right before gc does its next thing."""
    original = getattr(Garbage, name)

    def late(self, *words, **named):
        act()
        return original(self, *words, **named)

    monkeypatch.setattr(Garbage, name, late)


def sound(store):
    return [finding for finding in check_store(store=store) if not finding.harmless] == []


def test_old_bytes_go_at_once(full):
    _, stored = add_deleted_run(full)
    collect_garbage(delete=True, older_than=timedelta(0), store=full)
    assert not any(map(full.artifacts.exists, stored))
    assert check_store(store=full) == []


def test_a_step_reused_while_garbage_is_collected_keeps_its_results(full, monkeypatch):
    _, stored = add_deleted_run(full)
    found = []

    def reuse():
        found.append(full.metadata.steps.find_cached("old"))

    meanwhile(monkeypatch, "remove_artifacts", reuse)
    # The run is not long enough deleted: what gc would take is unnamed only for a moment.
    monkeypatch.setattr(Garbage, "needed", lambda *_: (set(), set()))
    collect_garbage(delete=True, store=full)
    assert found[0] is not None
    assert all(map(full.artifacts.exists, stored))
    assert full.get(found[0].outputs["result"], check=True)[1].startswith("part")


def test_a_step_whose_results_are_gone_is_not_reused(full):
    add_deleted_run(full)
    collect_garbage(delete=True, older_than=timedelta(0), store=full)
    assert full.metadata.steps.find_cached("old") is None


def test_what_is_stored_again_while_garbage_is_collected_stays(full, monkeypatch):
    run, stored = add_deleted_run(full)
    value = full.get(full.metadata.steps.list(run.run_id)[0].outputs["result"])
    small = full.put({"small": 1})
    make_old(full)
    meanwhile(monkeypatch, "remove_artifacts", lambda: (full.put(value), full.put({"small": 1})))
    collect_garbage(delete=True, older_than=timedelta(0), store=full)
    assert all(map(full.artifacts.exists, stored))
    assert full.get(small.digest) == {"small": 1}
    assert sound(full)


def test_a_run_that_is_restored_while_garbage_is_collected_stays(full, monkeypatch):
    run, stored = add_deleted_run(full)
    restore = lambda: full.metadata.runs.update(run.run_id, deleted_at=None)  # noqa: E731
    meanwhile(monkeypatch, "remove_runs", restore)
    report = collect_garbage(delete=True, older_than=timedelta(0), store=full)
    assert report.runs == ()
    assert all(map(full.artifacts.exists, stored))
    assert sound(full)


def test_bytes_that_a_killed_process_left_go(full):
    digest = full.artifacts.write(b"left over" * 1000)
    make_old(full)
    assert collect_garbage(store=full).unrecorded == 1
    assert full.artifacts.exists(digest)
    assert collect_garbage(delete=True, store=full).unrecorded == 1
    assert not full.artifacts.exists(digest)
    assert check_store(store=full) == []


def test_an_experiment_goes_with_its_last_run_unless_someone_wrote_about_it(full):
    add_deleted_run(full, "one")
    full.metadata.runs.set_experiment_tags("old", {"team": "risk"})
    collect_garbage(delete=True, older_than=timedelta(0), store=full)
    assert "old" in full.metadata.runs.list_experiments()
    full.metadata.runs.update_experiment("old", deleted_at=now())
    collect_garbage(delete=True, older_than=timedelta(0), store=full)
    assert full.metadata.runs.list_experiments() == ["churn", "taxi"]


def test_the_runs_of_a_deleted_experiment_go_with_it(full):
    run = add_pipeline_run(full, name="of taxi")
    full.metadata.runs.update_experiment("taxi", deleted_at=now())
    collect_garbage(delete=True, store=full)
    assert full.metadata.runs.get(run.run_id).name == "of taxi"
    collect_garbage(delete=True, older_than=timedelta(0), store=full)
    assert full.metadata.runs.list_experiments() == ["churn"]
    assert sound(full)


def test_a_run_whose_step_a_version_reused_stays(full):
    [run] = search_runs("name = 'tracked'", store=full)
    made = add_pipeline_run(full, name="made it")
    [step] = full.metadata.steps.list(made.run_id)
    reused = a_step(run.run_id, state=StepState.CACHED, cached_from=step.step_run_id)
    full.metadata.steps.finish(reused)
    full.metadata.runs.update(made.run_id, deleted_at=now())
    assert collect_garbage(delete=True, **AT_ONCE, store=full).runs == ()


def test_stores_that_share_a_place_do_not_remove_each_others_bytes(tmp_path):
    place = str(tmp_path / "shared")
    with (
        open_store(f"sqlite:///{tmp_path}/a.db", artifacts=place) as one,
        open_store(f"sqlite:///{tmp_path}/b.db", artifacts=place) as other,
    ):
        for store in (one, other):
            with start_run("same", store=store) as run:
                run.log_text("text", "x" * 5000)
                run.log_text("own", f"{store.url}" * 500)
        get_run("last", store=one).delete()
        make_old(one)
        report = collect_garbage(delete=True, **AT_ONCE, store=one)
        assert (report.bytes, report.shared_with) == (0, (other.url,))
        assert check_store(store=other) == []


KILLED = """
import os, sys
from datetime import timedelta
from penstock.stores import collect_garbage, open_store
import penstock.stores.metadata._sqlite as sqlite
import penstock.stores.artifacts._local as local
left = int(sys.argv[2])
def counted(original):
    def call(self, *words, **named):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), 9)
        return original(self, *words, **named)
    return call
store = open_store(sys.argv[1])
sqlite.SQLiteDatabase.write = counted(sqlite.SQLiteDatabase.write)
local.LocalArtifacts.delete = counted(local.LocalArtifacts.delete)
collect_garbage(store=store, delete=True, older_than=timedelta(0))
"""


def test_gc_that_is_killed_anywhere_leaves_a_sound_store_and_is_finished_by_the_next(full):
    for name in "abcd":
        add_deleted_run(full, name)
    kept = {digest for digest in full.artifacts.list() if digest not in _named_by_deleted(full)}
    for calls in range(30):
        command = [sys.executable, "-c", KILLED, full.url, str(calls)]
        done = subprocess.run(command, check=False)
        assert sound(full)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL
    else:
        pytest.fail("gc was never finished")
    assert calls > 3
    assert set(full.artifacts.list()) == kept
    assert check_store(store=full) == []


def _named_by_deleted(store):
    deleted = search_runs("deleted_at is not null", store=store)
    return Garbage(store.metadata.database).named_by(run.run_id for run in deleted)[0]


@pytest.mark.services
def test_garbage_of_a_team_store_goes(full, postgres_url, bucket):
    run, _ = add_deleted_run(full)
    with open_store(postgres_url, artifacts=f"s3://{bucket}") as team:
        copy_store(full, team)
        report = collect_garbage(delete=True, **AT_ONCE, store=team)
        assert [old.run_id for old in report.runs] == [run.run_id]
        assert report.bytes > 0
        assert check_store(store=team) == []
        assert team.metadata.steps.find_cached("pipeline") is not None


def test_what_schedules_were_due_for_long_ago_goes(full):
    from penstock.core import TickState
    from penstock.testing._schedule_contract import TICK

    old, new = now() - timedelta(days=91), now() - timedelta(days=89)
    for key, ended, state in (
        ("old", old, TickState.FINISHED),
        ("new", new, TickState.FINISHED),
        ("waiting", old, TickState.WAITING),
    ):
        full.metadata.schedules.add_tick(replace(TICK, key=key, ended_at=ended, state=state))
    assert collect_garbage(store=full).ticks == 1
    assert collect_garbage(delete=True, store=full).ticks == 1
    assert {tick.key for tick in full.metadata.schedules.list_ticks()} == {"new", "waiting"}


def test_old_predictions_go_but_not_what_a_running_rollout_is_judged_by(full):
    from penstock.core import DeploymentRecord, DeploymentState, PredictionRecord

    moment, day = now(), timedelta(days=1)
    began = moment - 5 * day
    rollout = a_rollout(started_at=began)
    full.metadata.deployments.save(
        DeploymentRecord("b", "m", DeploymentState.LIVE, {1: 1.0}, 1, moment, rollout=rollout),
        expected_generation=None,
    )
    full.metadata.predictions.add(
        [
            PredictionRecord(f"{name}{age}", name, "m", 1, moment - age * day, {"x": 1}, 1)
            for name in ("a", "b")
            for age in range(10)
        ]
    )

    def left(name):
        return [one.prediction_id for one in full.metadata.predictions.list(name)]

    def gone(**choice):
        found = collect_garbage(**choice, store=full).predictions
        return {name: count for name, count in found.items() if name in {"a", "b"}}

    assert gone(delete=True) == {}
    aged = {"predictions_older_than": 3.5 * day}
    assert gone(**aged) == {"a": 6, "b": 4}
    assert len(left("a")) == 10
    assert gone(delete=True, **aged) == {"a": 6, "b": 4}
    assert (left("a"), len(left("b"))) == (["a3", "a2", "a1", "a0"], 6)
    assert gone(delete=True, keep_predictions=2) == {"a": 2}
    assert left("a") == ["a1", "a0"]
    with pytest.raises(ParameterError, match="keep_predictions is 0"):
        collect_garbage(keep_predictions=0, store=full)


def test_nested_runs_stay_or_go_with_the_outermost(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as store:
        for study in range(3):
            with start_run(f"study {study}", store=store) as parent:
                for trial in range(4):
                    with start_run(f"{study}.{trial}", nested=True, store=store):
                        pass
                parent.log_text("best", "x" * 5000)
        report = collect_garbage(delete=True, keep_last=2, **AT_ONCE, store=store)
        assert len(report.runs) == 5
        left = search_runs(store=store)
        assert {run.name.split()[-1][0] for run in left} == {"1", "2"}
        assert all(run.artifact("best") for run in left if run.name.startswith("study"))
