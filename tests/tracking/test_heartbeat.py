"""The sign of life of a run."""

import threading
import time

import pytest

from penstock.core import StoreError
from penstock.stores import open_store
from penstock.testing._records import a_run
from penstock.tracking import Heartbeat, start_run


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
