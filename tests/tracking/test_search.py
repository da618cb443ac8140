"""Finding runs again, and walking the lineage of what they made."""

import pytest

from penstock.core import Edge, NotFoundError, ParameterError, RunState
from penstock.stores import open_store
from penstock.testing._records import a_prediction, a_run, a_version
from penstock.tracking import get_lineage, get_run, search_runs, start_run


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as opened:
        yield opened


def test_runs_are_found_by_filter_order_and_experiment(store):
    for index in range(3):
        with start_run(f"r{index}", store=store, experiment=["a", "b"][index % 2]) as run:
            run.log_param("lr", index / 10)
            run.log_metric("auc", index)
    found = search_runs("params.lr < 0.2", order_by="metrics.auc", store=store)
    assert [run.name for run in found] == ["r0", "r1"]
    assert [run.name for run in search_runs(experiment="a", store=store)] == ["r2", "r0"]
    assert len(search_runs(limit=1, store=store.url)) == 1
    with pytest.raises(ParameterError, match="cannot be read at character"):
        search_runs("auc >", store=store)


def test_searching_and_getting_notice_dead_runs(store):
    from penstock.stores import this_process

    host, pid, started = this_process()
    for _ in range(2):
        run = a_run(host=host, pid=pid, pid_started=started - 500)
        store.metadata.runs.create(run)
        state = get_run(run.run_id, store=store).state if _ else search_runs(store=store)[0].state
        assert state is RunState.KILLED


def test_the_default_store_is_the_projects(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PENSTOCK_STORE", raising=False)
    with start_run("here"):
        pass
    assert [run.name for run in search_runs()] == ["here"]
    assert (tmp_path / ".penstock" / "penstock.db").exists()


@pytest.fixture
def made(store):
    """One run that made a table, a model version and a prediction."""
    with start_run(store=store) as run:
        table = store.put({"rows": 3}).content_digest
        version = store.metadata.models.create_version(a_version(), actor="ada")
        store.metadata.predictions.add([a_prediction("p1")])
        edges = [
            ("source:rides", f"artifact:{table}", "read"),
            ("step:t", f"artifact:{table}", "output"),
            (f"run:{run.run_id}", "step:t", "ran"),
            (f"artifact:{table}", f"version:{version.ref}", "registered"),
            (f"version:{version.ref}", "prediction:p1", "answered"),
        ]
        store.metadata.artifacts.add_edges(Edge(*edge) for edge in edges)
    return run.run_id, table


def test_a_prediction_is_traced_to_its_rows_and_run(store, made):
    run_id, table = made
    found = get_lineage("p1", store=store)
    assert found.node == "prediction:p1"
    assert found.nodes[:3] == ("prediction:p1", "version:big-tips@1", f"artifact:{table}")
    assert set(found.nodes[3:]) == {"source:rides", "step:t", f"run:{run_id}"}
    assert len(found.edges) == 5
    assert found.to_json()["edges"][0].keys() == {"source", "target", "role"}


@pytest.mark.parametrize("name", ["big-tips@1", "version:big-tips@1"])
def test_what_came_of_a_version_is_found(store, made, name):
    assert get_lineage(name, "down", store=store).nodes == ("version:big-tips@1", "prediction:p1")


def test_short_names_mean_runs_and_artifacts(store, made):
    run_id, table = made
    assert get_lineage(run_id, "down", store=store).node == f"run:{run_id}"
    assert get_lineage("last", "down", store=store).node == f"run:{run_id}"
    record = store.metadata.artifacts.get(table)
    assert get_lineage(record.digest, "down", store=store).node == f"artifact:{table}"


@pytest.mark.parametrize("name", ["nothing", "big-tips@9", "sha256:" + "0" * 64])
def test_what_means_nothing_is_said(store, made, name):
    with pytest.raises(NotFoundError):
        get_lineage(name, store=store)
