"""A copy says what its source says, in any kind of store; merging and repeating double nothing."""

import signal
import subprocess
import sys

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from upkeep_parts import add_pipeline_run, shape

from penstock.core import ConflictError, ParameterError, StoreError
from penstock.registry import Registry
from penstock.stores import check_store, copy_store, open_store
from penstock.tracking import get_run, start_run


@pytest.fixture
def other(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/two/penstock.db") as opened:
        yield opened


def test_a_copy_says_what_its_source_says_and_a_second_changes_nothing(full, other):
    report = copy_store(full, other)
    assert (report.runs, report.changed, report.models) == (2, 2, ("m",))
    assert shape(other) == shape(full)
    assert check_store(other) == []
    again = copy_store(full, other)
    assert (again.changed, again.artifacts, again.bytes) == (0, 0, 0)
    assert shape(other) == shape(full)


@pytest.mark.services
def test_a_store_goes_to_a_server_and_comes_back(full, other, postgres_url, bucket):
    with open_store(postgres_url, artifacts=f"s3://{bucket}") as team:
        copy_store(full, team)
        assert check_store(team) == []
        copy_store(team, other)
    assert shape(other) == shape(full)
    assert check_store(other) == []


def test_two_stores_are_merged_into_their_union(full, other, tmp_path):
    run = add_pipeline_run(other, name="elsewhere")
    with start_run("there", store=other) as there:
        there.log_history("loss", np.arange(100.0))
    copy_store(full, other)
    assert other.metadata.count_runs() == 4
    assert other.metadata.get_run(run.run_id).name == "elsewhere"
    assert len(get_run(there.run_id, other).metric_history("loss")) == 100
    assert check_store(other) == []


def test_a_run_that_goes_on_is_brought_up_to_date_without_doubling(store, other):
    with start_run("long", store=store) as run:
        for step in range(100):
            run.log_metric("loss", step)
        copy_store(store, other)
        assert get_run(run.run_id, other).state == "running"
        for step in range(100):
            run.log_metric("loss", step + 100)
            run.store.flush() if step % 10 == 0 else None
        run.set_tag("late", 1)
    copy_store(store, other)
    found = get_run(run.run_id, other)
    assert found.metric_history("loss")["value"].to_list() == list(range(200))
    assert (found.state, found.tags) == ("finished", {"late": "1"})
    assert shape(other) == shape(store)


def test_a_number_that_means_another_version_is_refused_before_anything_is_written(full, other):
    rows = np.arange(10.0).reshape(-1, 1)
    model = LogisticRegression(C=9.0).fit(rows, rows[:, 0] > 4)
    Registry(other).register("m", model, signature={"inputs": [], "target": "y"})
    before = shape(other)
    with pytest.raises(ConflictError, match="m@1 mean other versions"):
        copy_store(full, other)
    assert shape(other) == before
    report = copy_store(full, other, skip_conflicts=True)
    assert (report.models, report.skipped) == ((), ("m",))
    assert other.metadata.count_runs() == 2
    assert len(other.metadata.list_model_versions("m")) == 1
    assert check_store(other) == []


def test_moves_that_came_later_follow_and_the_chain_stays_whole(full, other):
    from penstock.core import Stage

    copy_store(full, other)
    Registry(full).promote("m", 2, to=Stage.STAGING)
    copy_store(full, other)
    assert other.metadata.get_model_version("m", 2).stage == Stage.STAGING
    assert shape(other)["stage_events"] == shape(full)["stage_events"]
    assert check_store(other) == []


def test_a_part_of_a_store_is_copied_without_models(full, other):
    report = copy_store(full, other, experiment="churn")
    assert (report.runs, report.models) == (1, ())
    assert other.metadata.list_models() == []


def test_damaged_bytes_are_not_copied(full, other):
    digest = full.artifacts.list()[0]
    full.artifacts.path(digest).write_bytes(b"other")
    with pytest.raises(StoreError, match="damaged"):
        copy_store(full, other)
    assert not other.artifacts.exists(digest)
    assert other.metadata.count_runs() == 0


def test_a_store_is_not_copied_into_itself(full):
    with pytest.raises(ParameterError, match="both the source and the target"):
        copy_store(full, full)


COPIER = """
import os, sys
from penstock.stores import copy_store, open_store
import penstock.stores.metadata._sqlite as sqlite
left = int(sys.argv[3])
write = sqlite.SQLiteDatabase.write
def counted(self, **options):
    global left
    left -= "two" in str(self.path)
    if left < 0:
        os.kill(os.getpid(), 9)
    return write(self, **options)
sqlite.SQLiteDatabase.write = counted
copy_store(open_store(sys.argv[1]), open_store(sys.argv[2]))
"""


def test_a_copy_that_is_killed_anywhere_is_finished_by_the_next(full, tmp_path):
    two = f"sqlite:///{tmp_path}/two/penstock.db"
    for writes in range(1, 40, 3):
        done = subprocess.run(
            [sys.executable, "-c", COPIER, full.url, two, str(writes)], check=False
        )
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL
        with open_store(two) as half:
            assert [f for f in check_store(half) if f.kind in {"bytes", "metrics", "history"}] == []
    else:
        pytest.fail("the copy was never finished")
    assert writes > 1
    with open_store(two) as whole:
        assert shape(whole) == shape(full)
    assert (tmp_path / "two" / "artifacts").exists()
