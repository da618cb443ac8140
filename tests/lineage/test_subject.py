"""Short names mean predictions, versions, runs and artifacts, and lead along recorded edges."""

import pytest

from penstock.core import Edge, NotFoundError
from penstock.lineage import get_lineage
from penstock.stores import open_store
from penstock.testing._records import a_prediction, a_version
from penstock.tracking import start_run


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as opened:
        yield opened


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
