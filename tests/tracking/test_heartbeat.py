"""The sign of life of a run."""

import threading
import time
from dataclasses import replace

import pytest

from penstock.core import StoreError
from penstock.stores import open_store
from penstock.testing._records import a_run
from penstock.tracking import Heartbeat, Run, RunsHeartbeat, start_run


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as opened:
        yield opened


def wait_for(condition) -> bool:
    for _ in range(300):
        if condition():
            return True
        time.sleep(0.01)
    return False


def test_it_beats_until_it_is_stopped(store):
    run = a_run()
    store.metadata.runs.create(run)
    with Heartbeat(run.run_id, every_s=0.01, store=store) as heart:
        assert wait_for(lambda: store.metadata.runs.get(run.run_id).heartbeat_at is not None)
        heart.start()  # a second start is none
    last = store.metadata.runs.get(run.run_id).heartbeat_at
    time.sleep(0.05)
    assert store.metadata.runs.get(run.run_id).heartbeat_at == last


def test_a_beat_that_cannot_be_written_is_made_up_for(store, monkeypatch):
    run = a_run()
    store.metadata.runs.create(run)
    beat, calls = store.metadata.runs.beat, []

    def stumble(*arguments, **options):
        calls.append(arguments)
        if len(calls) == 1:
            raise StoreError(what="Disk is full.")
        return beat(*arguments, **options)

    monkeypatch.setattr(store.metadata.runs, "beat", stumble)
    with Heartbeat(run.run_id, every_s=0.01, store=store):
        assert wait_for(lambda: store.metadata.runs.get(run.run_id).heartbeat_at is not None)


def test_an_active_run_has_one_heartbeat_and_ends_it(store):
    with start_run(store=store) as run:
        names = [thread.name for thread in threading.enumerate()]
        assert names.count(f"penstock-heartbeat-{run.run_id}") == 1
    names = [thread.name for thread in threading.enumerate()]
    assert f"penstock-heartbeat-{run.run_id}" not in names


def test_runs_in_sequence_share_a_thread_and_each_has_its_own_beats(store):
    first, second = a_run(), a_run()
    runs, beats = store.metadata.runs, {}
    heart = RunsHeartbeat(every_s=0.01, store=store)
    for record in (first, second):
        store.metadata.runs.create(record)
        with heart.of(Run(record, store)):
            assert wait_for(lambda each=record.run_id: runs.get(each).heartbeat_at is not None)
            names = [thread.name for thread in threading.enumerate()]
            assert names.count("penstock-heartbeats") == 1
        beats[record.run_id] = store.metadata.runs.get(record.run_id).heartbeat_at
    time.sleep(0.05)
    last = {each: store.metadata.runs.get(each).heartbeat_at for each in beats}
    assert last[first.run_id] == beats[first.run_id]
    heart.stop()
    assert "penstock-heartbeats" not in [thread.name for thread in threading.enumerate()]


def test_a_run_that_was_resumed_elsewhere_gets_no_beat(store):
    record = a_run()
    store.metadata.runs.create(record)
    heart = RunsHeartbeat(every_s=0.01, store=store)
    old = Run(replace(record, attempt=record.attempt - 1), store)
    with heart.of(old):
        time.sleep(0.1)
    heart.stop()
    assert store.metadata.runs.get(record.run_id).heartbeat_at == record.heartbeat_at
