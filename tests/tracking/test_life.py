"""Runs are named, noted, grouped, put aside, deleted and brought back, forked."""

import pytest

from penstock.core import ConflictError, Edge, ParameterError
from penstock.registry import Registry
from penstock.stores import open_store
from penstock.testing._records import a_version
from penstock.tracking import get_run, runs_to_frame, search_experiments, search_runs, start_run


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as opened:
        yield opened


def test_a_run_is_named_noted_and_grouped(store):
    with start_run("first", store=store, group="folds", note="# Start") as run:
        assert (run.group, run.note) == ("folds", "# Start")
        run.edit(name="second", note="Ends *well*.")
        run.set_tags({"a": 1, "b": 2})
        run.delete_tags(["a"])
    found = get_run(run.run_id, store=store)
    assert (found.name, found.note, found.group) == ("second", "Ends *well*.", "folds")
    assert found.tags == {"b": "2"}
    found.edit(group="")
    assert found.group == ""
    with pytest.raises(ParameterError):
        found.edit(name="  ")
    with pytest.raises(ParameterError, match="no legal name for a group"):
        found.edit(group="a/b")


def test_an_archived_run_is_found_when_it_is_asked_for(store):
    with start_run("old", store=store) as run:
        pass
    run.edit(archived=True)
    assert search_runs(store=store) == []
    assert [r.name for r in search_runs("archived_at is not null", store=store)] == ["old"]
    run.edit(archived=False)
    assert [r.name for r in search_runs(store=store)] == ["old"]


def test_a_deleted_run_takes_its_nested_runs_along_and_brings_them_back(store):
    with (
        start_run("outer", store=store) as outer,
        start_run("middle", store=store, nested=True) as middle,
        start_run("inner", store=store, nested=True) as inner,
    ):
        pass
    with start_run("other", store=store) as other:
        pass
    assert [child.name for child in outer.children] == ["middle"]
    inner.delete()
    assert outer.delete() == [outer.run_id, middle.run_id]
    assert outer.delete() == []
    assert [run.name for run in search_runs(store=store)] == [other.name]
    assert get_run(outer.run_id, store=store).restore() == [outer.run_id, middle.run_id]
    assert {run.name for run in search_runs(store=store)} == {"other", "outer", "middle"}


def test_a_running_run_and_one_that_serves_are_not_deleted(store):
    with start_run(store=store) as run, pytest.raises(ConflictError, match="is running"):
        run.delete()
    store.metadata.models.create_version(a_version("m", run_id=run.run_id), actor="ada")
    Registry(store=store)
    versions = store.metadata.models.list_versions("m")
    from penstock.core import Stage, StageEvent, now

    move = StageEvent("m", 1, Stage.NONE, Stage.STAGING, "ada", "", now())
    store.metadata.models.move_stages([move], expected={1: versions[0].revision})
    with pytest.raises(ConflictError, match="m@1, which is in staging"):
        run.delete()


def test_a_fork_begins_with_what_the_other_had_at_a_step(store):
    with start_run("base", experiment="churn", store=store, tags={"team": "risk"}) as base:
        base.log_param("lr", 0.1)
        for step in range(10):
            base.log_metric("loss", 1 / (step + 1), step=step)
    with start_run("cooler", store=store, fork=base.run_id, at_step=4, tags={"b": 1}) as fork:
        fork.log_metric("loss", 0.05)
    assert (fork.params, fork.tags) == ({"lr": 0.1}, {"team": "risk", "b": "1"})
    assert fork.experiment == "churn"
    history = fork.metric_history("loss")
    assert history["step"].to_list() == [0, 1, 2, 3, 4, 5]
    assert history["value"].to_list()[-2:] == [1 / 5, 0.05]
    assert (fork.record.forked_from, fork.record.forked_at) == (base.run_id, 4)
    edge = Edge(f"run:{base.run_id}", f"run:{fork.run_id}", "forked")
    assert edge in store.metadata.artifacts.list_edges(f"run:{fork.run_id}", direction="up")
    assert len(base.metric_history("loss")) == 10


def test_runs_stand_side_by_side_as_a_table(store):
    for lr in (0.1, "cosine"):
        with start_run(store=store) as run:
            run.log_params({"lr": lr, "layers": [1, 2]})
            run.log_metric("auc", 0.5)
    frame = runs_to_frame(search_runs(store=store, order_by="created_at"))
    assert frame["params.lr"].to_list() == ["0.1", "cosine"]
    assert frame["params.layers"].to_list() == ["[1, 2]"] * 2
    assert frame["metrics.auc"].to_list() == [0.5, 0.5]
    assert runs_to_frame([]).height == 0


def test_experiments_are_found_by_what_they_hold(store):
    for name in ("a", "b", "b"):
        with start_run(experiment=name, store=store):
            pass
    store.metadata.runs.set_experiment_tags("b", {"team": "risk"})
    [found] = search_experiments("runs = 2 and tags.team = 'risk'", store=store)
    assert (found.name, found.runs) == ("b", 2)
    assert [e.name for e in search_experiments(order_by="runs desc", limit=1, store=store)] == ["b"]


def test_pages_of_runs_follow_each_other(store):
    for place in range(5):
        with start_run(f"r{place}", store=store):
            pass
    first = search_runs(store=store, limit=2)
    with start_run("late", store=store):
        pass
    second = search_runs(store=store, limit=2, after=first[-1])
    assert [run.name for run in (*first, *second)] == ["r4", "r3", "r2", "r1"]
