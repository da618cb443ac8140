"""A copy says what its source says, in any kind of store; merging and repeating double nothing."""

import signal
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression
from tests.stores.upkeep.upkeep_parts import add_pipeline_run, shape

from penstock.core import (
    ConflictError,
    DeploymentEvent,
    ParameterError,
    ProjectRecord,
    StepState,
    StoreError,
    now,
)
from penstock.models import Model, Signature
from penstock.registry import Registry
from penstock.stores import check_store, copy_store, open_store
from penstock.stores.upkeep import _copy
from penstock.testing import FakeClock
from penstock.testing._records import a_deployment, a_run, a_step, an_alert
from penstock.tracking import get_run, start_run


@pytest.fixture
def other(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/two/penstock.db") as opened:
        yield opened


def test_a_copy_says_what_its_source_says_and_a_second_changes_nothing(full, other):
    report = copy_store(full, other)
    assert (report.runs, report.changed, report.models) == (2, 2, ("m",))
    assert shape(other) == shape(full)
    assert check_store(store=other) == []
    again = copy_store(full, other)
    assert (again.changed, again.artifacts, again.bytes) == (0, 0, 0)
    assert shape(other) == shape(full)


def test_an_audit_trail_goes_along_whole_or_not_at_all(full, other, tmp_path):
    copy_store(full, other)
    trail = full.metadata.audit.list()
    assert trail
    assert other.metadata.audit.list() == trail
    full.metadata.projects.save(ProjectRecord("north", ("north-*",), now()))
    copy_store(full, other)
    assert other.metadata.audit.list() == full.metadata.audit.list()
    assert other.metadata.audit.verify() is None
    with open_store(f"sqlite:///{tmp_path}/three/penstock.db") as third:
        third.metadata.projects.save(ProjectRecord("south", ("south-*",), now()))
        own = third.metadata.audit.list()
        copy_store(full, third)
        assert third.metadata.audit.list() == own
        assert third.metadata.audit.verify() is None


@pytest.mark.services
def test_a_store_goes_to_a_server_and_comes_back(full, other, postgres_url, bucket):
    with open_store(postgres_url, artifacts=f"s3://{bucket}") as team:
        copy_store(full, team)
        assert check_store(store=team) == []
        copy_store(team, other)
    assert shape(other) == shape(full)
    assert check_store(store=other) == []


def test_two_stores_are_merged_into_their_union(full, other, tmp_path):
    run = add_pipeline_run(other, name="elsewhere")
    with start_run("there", store=other) as there:
        there.log_history("loss", np.arange(100.0))
    copy_store(full, other)
    assert other.metadata.runs.count() == 4
    assert other.metadata.runs.get(run.run_id).name == "elsewhere"
    assert len(get_run(there.run_id, store=other).metric_history("loss")) == 100
    assert check_store(store=other) == []


def test_a_run_that_goes_on_is_brought_up_to_date_without_doubling(store, other):
    with start_run("long", store=store) as run:
        for step in range(100):
            run.log_metric("loss", step)
        copy_store(store, other)
        assert get_run(run.run_id, store=other).state == "running"
        for step in range(100):
            run.log_metric("loss", step + 100)
            run.store.flush() if step % 10 == 0 else None
        run.set_tag("late", 1)
    copy_store(store, other)
    found = get_run(run.run_id, store=other)
    assert found.metric_history("loss")["value"].to_list() == list(range(200))
    assert (found.state, found.tags) == ("finished", {"late": "1"})
    assert shape(other) == shape(store)


def test_a_number_that_means_another_version_is_refused_before_anything_is_written(full, other):
    rows = np.arange(10.0).reshape(-1, 1)
    model = LogisticRegression(C=9.0).fit(rows, rows[:, 0] > 4)
    Registry(store=other).register("m", Model(model, Signature((), "y")))
    before = shape(other)
    with pytest.raises(ConflictError, match="m@1 mean other versions"):
        copy_store(full, other)
    assert shape(other) == before
    report = copy_store(full, other, skip_conflicts=True)
    assert (report.models, report.skipped) == ((), ("m",))
    assert other.metadata.runs.count() == 2
    assert len(other.metadata.models.list_versions("m")) == 1
    assert check_store(store=other) == []


def test_moves_that_came_later_follow_and_the_chain_stays_whole(full, other):
    from penstock.core import Stage

    copy_store(full, other)
    Registry(store=full).promote("m", 2, to=Stage.STAGING)
    copy_store(full, other)
    assert other.metadata.models.get_version("m", 2).stage == Stage.STAGING
    assert shape(other)["stage_events"] == shape(full)["stage_events"]
    assert check_store(store=other) == []


def register(store, strength):
    rows = np.arange(10.0).reshape(-1, 1)
    model = LogisticRegression(C=strength).fit(rows, rows[:, 0] > 4)
    return Registry(store=store).register("m", Model(model, Signature((), "y")))


def test_a_new_production_version_takes_the_place_of_the_one_before(full, other):
    Registry(store=full).promote("m", 1)
    copy_store(full, other)
    Registry(store=full).promote("m", register(full, 9.0).version)
    copy_store(full, other)
    assert shape(other) == shape(full)
    assert check_store(store=other) == []


def test_a_model_that_moved_differently_in_both_is_refused(full, other):
    copy_store(full, other)
    Registry(store=other).promote("m", 1)
    register(full, 9.0)
    before = shape(other)
    with pytest.raises(ConflictError, match="have a different history there"):
        copy_store(full, other)
    assert shape(other) == before
    assert copy_store(full, other, skip_conflicts=True).skipped == ("m",)
    assert len(other.metadata.models.list_versions("m")) == 2
    assert check_store(store=other) == []


def test_a_model_that_moved_on_in_the_target_stays_as_it_is_there(full, other):
    copy_store(full, other)
    Registry(store=other).promote("m", 1)
    before = shape(other)
    copy_store(full, other)
    assert shape(other) == before


def event(kind):
    return DeploymentEvent("big-tips", kind, "it moved", now())


def test_what_serving_and_monitoring_add_later_follows(full, other):
    deployment, alert = a_deployment(), an_alert("a1")
    first = full.metadata.deployments.save(
        deployment, expected_generation=None, event=event("made")
    )
    full.metadata.deployments.save_alert(alert)
    copy_store(full, other)
    more = replace(first, weights={1: 0.5, 2: 0.5})
    full.metadata.deployments.save(more, expected_generation=1, event=event("moved"))
    full.metadata.deployments.save_alert(replace(alert, resolved_at=now()))
    full.metadata.predictions.add_truth({"p1": True}, now())
    changes = other.metadata.settings.change_counter()
    copy_store(full, other)
    assert shape(other) == shape(full)
    assert other.metadata.settings.change_counter() > changes  # a server that polls it looks again


def test_a_deployment_of_the_same_name_with_another_history_is_refused(full, other):
    for store, kind in ((full, "here"), (other, "there")):
        deployment = a_deployment()
        store.metadata.deployments.save(deployment, expected_generation=None, event=event(kind))
    with pytest.raises(ConflictError, match="big-tips"):
        copy_store(full, other)
    copy_store(full, other, skip_conflicts=True)
    assert [e.kind for e in other.metadata.deployments.list_events("big-tips")] == ["there"]


def test_tags_and_files_of_a_run_that_goes_on_are_those_of_its_source(store, other):
    with start_run("long", store=store, tags={"phase": "first"}) as run:
        run.log_text("text", "x" * 5000)
        copy_store(store, other)
        run.set_tag("phase", "second")
        run.log_text("text", "y" * 5000)
    copy_store(store, other)
    assert shape(other) == shape(store)


def test_a_step_that_the_target_took_for_dead_ends_as_it_did_in_its_source(store, other):
    run = a_run(state="running", heartbeat_at=now(), host="elsewhere")
    store.metadata.runs.create(run)
    step = a_step(run.run_id, state=StepState.RUNNING)
    store.metadata.steps.start(step)
    copy_store(store, other)
    with FakeClock(now() + timedelta(hours=1)) as clock:
        assert other.metadata.runs.kill_dead() == [run.run_id]
        clock.advance(hours=1)
        store.metadata.steps.finish(replace(step, state=StepState.FINISHED, ended_at=now()))
        store.metadata.runs.update(run.run_id, state="finished", ended_at=now())
    copy_store(store, other)
    assert shape(other) == shape(store)


def test_a_copy_is_of_one_moment_whoever_goes_on_to_write(full, other, monkeypatch):
    bring = _copy._copy_artifacts

    def bring_while_others_write(*words):
        brought = bring(*words)
        with start_run("late", store=full) as run:
            run.log_artifact(pl.DataFrame({"late": range(7000)}), name="rows")
        return brought

    before = shape(full)
    monkeypatch.setattr(_copy, "_copy_artifacts", bring_while_others_write)
    copy_store(full, other)
    assert shape(other) == before
    assert check_store(store=other) == []


def test_a_part_of_a_store_is_copied_with_all_that_is_its_own_and_nothing_else(full, other):
    report = copy_store(full, other, experiment="taxi")
    assert (report.runs, report.models) == (1, ())
    assert other.metadata.models.list() == []
    assert other.metadata.runs.list_experiments() == ["taxi"]
    [run] = other.metadata.runs.search()
    [step] = other.metadata.steps.list(run.run_id)
    edges = other.metadata.artifacts.list_edges(f"step:{step.step_run_id}", direction="down")
    assert [edge.role for edge in edges] == ["made"]
    assert check_store(store=other) == []
    assert set(other.artifacts.list()) < set(full.artifacts.list())
    copy_store(full, other)
    assert shape(other) == shape(full)


def test_damaged_bytes_are_not_copied(full, other):
    digest = full.artifacts.list()[0]
    full.artifacts.path(digest).write_bytes(b"other")
    with pytest.raises(StoreError, match="damaged"):
        copy_store(full, other)
    assert not other.artifacts.exists(digest)
    assert other.metadata.runs.count() == 0


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
            assert [
                f for f in check_store(store=half) if f.kind in {"bytes", "metrics", "history"}
            ] == []
    else:
        pytest.fail("the copy was never finished")
    assert writes > 1
    with open_store(two) as whole:
        assert shape(whole) == shape(full)
    assert (tmp_path / "two" / "artifacts").exists()
