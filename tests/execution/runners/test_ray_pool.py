"""Trials on a real Ray cluster: the suggestions of processes, pruning, lost nodes and processes."""

import json
from pathlib import Path

import pytest
from tests.ray_nodes import run_script

from penstock.core import ParameterError
from penstock.execution import load_pipeline
from penstock.execution.runners._ray_pool import _ClusterSetup, _pipeline_of
from penstock.execution.runners._run_pool import make_run_setup
from penstock.stores import open_store
from penstock.tuning import get_study, tune

pytest.importorskip("ray", reason="needs ray; get it with: pip install 'penstock[ray]'")
pytest.importorskip("optuna", reason="needs optuna: pip install 'penstock[search]'")

JOB = """
import os, time
from pathlib import Path

import penstock as ps

HERE = Path(__file__).parent


@ps.step
def prepare(depth: int) -> int:
    with open(HERE / "prepared.txt", "a") as file:
        file.write(f"{depth}\\n")
    return depth


@ps.step
def score(x: float, depth: int) -> float:
    if SLOW and depth == 5 and not (HERE / "lost").exists():
        import ray

        (HERE / f"node-{ray.get_runtime_context().get_node_id()}").touch()
        time.sleep(120)
    if DIES and depth == 7:
        os._exit(7)
    value = (x - 0.3) ** 2 + depth
    for epoch in range(4):
        ps.log_metric("loss", value + 4 - epoch, step=epoch)
    return value


@ps.pipeline
def job(x: float = 0.0, depth: int = 1) -> float:
    return score(x, prepare(depth))
"""
SEARCH = {"x": "0..1", "depth": "1..9"}


def write(folder, *, slow=False, dies=False):
    path = folder / "job.py"
    path.write_text(JOB.replace("SLOW", str(slow)).replace("DIES", str(dies)))
    return load_pipeline(str(path))


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as opened:
        yield opened


def told(study):
    return [(dict(t.params), t.values, t.state) for t in study.trials]


def test_trials_on_ray_are_those_of_processes_also_where_they_are_pruned(tmp_path, store):
    job = write(tmp_path)
    options = {
        "search": SEARCH, "metric": "loss:min", "pruner": "median", "trials": 10, "workers": 2,
        "deterministic": True, "quiet": True, "store": store,
    }  # fmt: skip
    there = tune(job, runner="ray", name="there", **options)
    here = tune(job, runner="processes", name="here", **options)
    assert told(there) == told(here)
    assert {trial.state.value for trial in there.trials} == {"complete", "pruned"}


def test_a_trial_whose_process_dies_has_failed_and_the_study_goes_on(tmp_path, store):
    study = tune(
        write(tmp_path, dies=True),
        search={"depth": [6, 7, 8]},
        metric="loss:min",
        sampler="grid",
        trials=3,
        runner="ray",
        workers=1,
        quiet=True,
        store=store,
    )
    states = {trial.params["depth"]: trial.state.value for trial in study.trials}
    assert states == {6: "complete", 7: "failed", 8: "complete"}
    lost = next(trial for trial in study.trials if trial.params["depth"] == 7)
    assert "its process ended" in lost.error


def test_batches_on_a_cluster_that_grows_need_a_size(tmp_path, store):
    with pytest.raises(ParameterError, match="no number of workers"):
        tune(write(tmp_path), search=SEARCH, metric="loss:min", trials=2, runner="ray",
             deterministic=True, store=store)  # fmt: skip
    assert store.metadata.runs.search() == []


LOSING = """
import json, pathlib, sys, threading, time

from tests.ray_nodes import cluster_of

from penstock.execution import load_pipeline
from penstock.tuning import tune


def lose(cluster, nodes):
    while not (found := list(pathlib.Path(".").glob("node-*"))):
        time.sleep(0.05)
    pathlib.Path("lost").touch()
    node = next(node for node in nodes if found[0].name.endswith(node.node_id))
    cluster.remove_node(node, allow_graceful=False)  # as a spot machine that is taken away


with cluster_of(2) as parts:
    threading.Thread(target=lose, args=parts, daemon=True).start()
    tune(load_pipeline("job.py"), search={"depth": [4, 5, 6, 7]}, metric="loss:min", sampler="grid",
         trials=4, runner="ray", workers=2, deterministic=True, name="lost", quiet=True,
         store=sys.argv[1])
"""


@pytest.mark.slow
@pytest.mark.usefixtures("one_cluster")
def test_a_trial_whose_node_is_lost_is_resumed_elsewhere_and_keeps_its_finished_steps(
    tmp_path, store
):
    job = write(tmp_path, slow=True)
    run_script(LOSING, store.url, folder=tmp_path, timeout=200)
    assert (tmp_path / "lost").exists()
    study = get_study("lost", store=store)
    moved = next(trial for trial in study.trials if trial.params["depth"] == 5)
    record = store.metadata.runs.get(moved.run_id)
    assert record.attempt == 2, json.dumps(record.tags)
    prepared = sorted((tmp_path / "prepared.txt").read_text().split())
    assert prepared == ["4", "5", "6", "7"]  # none is prepared twice
    whole = tune(job, search={"depth": [4, 5, 6, 7]}, metric="loss:min", sampler="grid", trials=4,
                 name="whole", quiet=True, store=store)  # fmt: skip
    assert sorted(map(str, told(study))) == sorted(map(str, told(whole)))


def test_a_node_without_the_pipeline_s_file_gets_its_source(tmp_path, monkeypatch, store):
    there = tmp_path / "there"
    there.mkdir()
    job = write(there)
    setup = _ClusterSetup(
        pool="p",
        runs=make_run_setup(job, store),
        project=str(there),
        source={"job.py": (there / "job.py").read_bytes(), "data.csv": b"1"},
    )
    (there / "job.py").unlink()
    monkeypatch.chdir(tmp_path)  # set back: the folder of the source becomes the current one
    found = _pipeline_of(setup)
    assert found.name == "job"
    assert Path(found.file) != there / "job.py"
    assert Path("data.csv").read_bytes() == b"1"
