"""Ranks on the nodes of a real Ray cluster: the values of one machine, lost nodes, killed ranks."""

import json

import psutil
import pytest

from penstock.execution import load_pipeline

pytest.importorskip("ray", reason="needs ray; get it with: pip install 'penstock[ray]'")
pytest.importorskip("torch", reason='torch is not installed: pip install "penstock[torch]"')
from tests.execution.runners.test_ranks import lines, source
from tests.ray_nodes import run_script

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_cluster")]

TRAIN = """
import pathlib, time

import penstock as ps


@ps.step(workers=2, shards=4)
def train(number: int) -> dict[str, list]:
    import torch

    model = torch.nn.Sequential(
        torch.nn.Linear(3, 8), torch.nn.Dropout(0.2), torch.nn.Linear(8, 1)
    )
    optimizer = torch.optim.Adam(model.parameters())
    parallel = ps.distributed.DataParallel(model, optimizer)
    saved = ps.checkpoints.TorchCheckpoint(model=model, optimizer=optimizer, parallel=parallel)
    saved.load()
    loses = LOSES and parallel.steps == 0
    if parallel.world.rank == 0:
        with open("begun.txt", "a") as file:
            file.write(f"{parallel.steps}\\n")
    x = torch.arange(90.0).reshape(30, 3) / 90
    for batch in ps.distributed.Batches(30, size=7, epochs=2).after(parallel.steps):
        value = parallel.step(x[batch.rows], lambda m, rows: (m(rows) - 1).square().mean())
        ps.log_metric("loss", value, step=batch.step)
        saved.save()
        if batch.step == 5 and loses and parallel.world.rank == 1:
            pathlib.Path("waits").touch()
            time.sleep(240)  # until it is ended: with its node, or since the other rank was lost
    return {name: each.tolist() for name, each in model.state_dict().items()}


@ps.pipeline
def job(number: int = 0):
    return train(number)
"""
LOSING = """
import json, pathlib, sys, threading, time

import ray
from tests.ray_nodes import cluster_of

import penstock as ps
from penstock.execution import QuietReporter


def lose(cluster, nodes):
    while not pathlib.Path("waits").exists():
        time.sleep(0.05)
    (group,) = ray.util.placement_group_table().values()
    wanted = group["bundles_to_node_id"][int(sys.argv[2])]
    node = next(node for node in nodes if node.node_id == wanted)
    cluster.remove_node(node, allow_graceful=False)  # as a spot machine that is taken away


with cluster_of(3) as parts:  # two of them have a rank each
    threading.Thread(target=lose, args=parts, daemon=True).start()
    result = ps.run("job.py", runner="ray", reporter=QuietReporter(), store=sys.argv[1])
print("RESULT", json.dumps([result.run_id, result.ok, result.error]), flush=True)
"""


def is_left(before):
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if process.pid not in before and "runners._rank" in " ".join(process.info["cmdline"] or [])
    ]


@pytest.mark.parametrize("rank", [0, 1])
def test_a_training_on_two_nodes_of_which_one_is_lost_ends_with_the_bits_of_one_machine(
    project, rank
):
    before = {process.pid for process in psutil.process_iter()}
    path = project.folder / "job.py"
    path.write_text(TRAIN.replace("LOSES", "True"))
    said = run_script(LOSING, project.store.url, rank, folder=project.folder, timeout=300)
    told = next(line for line in said if line.startswith("RESULT "))
    run_id, ok, error = json.loads(told.removeprefix("RESULT "))
    assert ok, error
    record = project.steps(run_id)["train"]
    assert record.attempt == 1  # a lost node is no failure of the step
    assert record.facts["workers"] == 2
    begun = (project.folder / "begun.txt").read_text().split()
    assert begun in (["0", "6"], ["0", "5"])  # worker 0 may be killed as it saves
    assert is_left(before) == []
    points = project.store.metadata.metrics.history(run_id, "loss")
    assert sorted(set(points.steps.tolist())) == list(range(10))

    path.write_text(TRAIN.replace("LOSES", "False"))
    whole = project.again(load_pipeline(f"{path}:job"), use_cache=False)
    assert whole.ok, whole.error
    assert record.outputs == project.steps(whole.run_id)["train"].outputs


def test_a_killed_rank_ends_the_others_and_the_retry_continues_from_the_checkpoint(project):
    before = {process.pid for process in psutil.process_iter()}
    result = project.run(source(2, kill=True), runner="ray", workers=2)
    assert result.ok, result.error
    assert project.calls == ["from-0", "from-7"]
    record = project.steps(result.run_id)["train"]
    assert record.attempt == 2
    assert sorted(each for each in lines(project, result) if "hello" in each) == [
        "[worker 1] hello from 1",
        "hello from 0",
    ]
    assert is_left(before) == []
    whole = project.run(source(1), use_cache=False)
    assert record.outputs == project.steps(whole.run_id)["train"].outputs
