"""Finding runs again."""

import pytest

from penstock.core import ParameterError, RunState
from penstock.stores import open_store
from penstock.testing._records import a_run
from penstock.tracking import get_run, search_runs, start_run


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
