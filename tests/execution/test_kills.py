"""Killed at random points, a run that is resumed ends in the digests of an undisturbed one.

One point of each kind is tried in the suite; `make hunt` and PENSTOCK_KILLS=200 try as many as one likes.
"""

import os
import random
import signal
import subprocess
import sys
import time

import psutil
import pytest
from tests.hunting import SEED, length
from tests.ray_nodes import run_script

from penstock.core import RunState
from penstock.execution import load_pipeline

KILLS = length(1, 200, name="PENSTOCK_KILLS")
# A lost node takes Ray some twenty seconds.
NODES = length(1, 25, name="PENSTOCK_KILLS")
pytestmark = pytest.mark.hunt
JOB = """
import random, time

import numpy as np
import polars as pl


@ps.step
def numbers(count: int) -> list[int]:
    time.sleep(0.02)
    return list(range(count))


@ps.step
def noisy(number: int) -> ps.Table:
    time.sleep(0.02)
    ps.log_metric("seen", number, step=number)
    return pl.DataFrame({"x": np.random.normal(size=50) * number})


@ps.step
def mean(table: ps.Table) -> float:
    time.sleep(0.01)
    return float(table["x"].mean())


@ps.pipeline
def one(number):
    return mean(noisy(number))


@ps.step
def closer(value: float) -> float | ps.Again:
    time.sleep(0.02)
    return ps.Again(value / 2 + random.random() / 100) if value > 0.2 else value


@ps.step
def total(found: list[float], rest: float) -> float:
    return sum(found) + rest


@ps.pipeline
def job(count: int = 12):
    return total(ps.map(one, numbers(count)), ps.loop(closer, 5.0))
"""


def digests(project, run_id):
    return {name: (s.key, dict(s.outputs)) for name, s in project.steps(run_id).items()}


@pytest.fixture
def command(project):
    path = project.write(JOB)
    env = {**os.environ, "PENSTOCK_STORE": project.store.url}

    def start(*words):
        line = [sys.executable, "-m", "penstock.cli", "run", *words, "-q", "--runner", "processes"]
        return subprocess.Popen([*line, "--workers", "2"], env=env, stderr=subprocess.DEVNULL)

    return path, start


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["runner", "worker"])
def test_a_run_killed_at_random_points_ends_as_an_undisturbed_one(project, command, victim):
    path, start = command
    undisturbed = project.again(load_pipeline(str(path)), use_cache=False)
    wanted = digests(project, undisturbed.run_id)
    project.store.metadata.runs.update(undisturbed.run_id)  # its steps stay out of the cache below
    kills, number = 0, 0
    while kills < KILLS:
        number += 1
        seed = str(1000 + number)  # other keys: nothing is known from before
        process = start(str(path), "--seed", seed)
        random_point = random.Random(SEED + number)
        kills += hit(process, victim, random_point)
        run = project.store.metadata.runs.search("", limit=1)[0]
        if run.seed != int(seed):
            continue  # it was killed before there was a run
        for attempt in range(20):
            project.store.metadata.runs.kill_dead()
            run = project.store.metadata.runs.get(run.run_id)
            if run.state is RunState.FINISHED:
                break
            process = start("--resume", run.run_id)
            if (
                kills < KILLS and attempt < 5
            ):  # the last ones may end: each begins anew where it was
                kills += hit(process, victim, random_point)
            else:
                process.wait()
        assert run.state is RunState.FINISHED
        fresh = project.again(load_pipeline(str(path)), use_cache=False, seed=int(seed))
        assert digests(project, run.run_id) == digests(project, fresh.run_id)
        assert digests(project, run.run_id).keys() == wanted.keys()
        points = project.store.metadata.metrics.history(run.run_id, "seen").steps.tolist()
        assert set(points) == set(map(float, range(12)))


def hit(process, victim, random_point):
    """Kill the runner or one of its workers somewhere in the second that the run takes."""
    began, delay = time.monotonic(), random_point.uniform(0.3, 2.2)
    while process.poll() is None and time.monotonic() - began < delay:
        time.sleep(0.01)
    if process.poll() is not None:
        return 0
    hits = 0
    if victim == "runner":
        process.kill()
        hits = 1
    else:
        try:
            workers = psutil.Process(process.pid).children()
        except psutil.NoSuchProcess:
            workers = []
        if workers:
            os.kill(random_point.choice(workers).pid, signal.SIGKILL)
            hits = 1
    process.wait(timeout=60)
    return hits


FLAKY = """
import pathlib


@ps.step
def numbers(count: int) -> list[int]:
    return list(range(count))


@ps.step
def flaky(number: int) -> int:
    note(str(number))
    if number in BAD and not pathlib.Path("mended").exists():
        raise ValueError("bad luck")
    return number


@ps.step
def total(found: list[int]) -> int:
    return sum(found)


@ps.pipeline
def job():
    return total(ps.map(flaky, numbers(ITEMS)))
"""
ITEMS = length(2_000, 10_000)
FAILING = ITEMS // 100


@pytest.mark.slow
def test_of_many_items_one_in_a_hundred_fails_and_resume_does_those_only(project):
    bad = sorted(random.Random(4).sample(range(ITEMS), FAILING))
    failed = project.run(f"ITEMS, BAD = {ITEMS}, frozenset({bad})\n{FLAKY}")
    assert failed["flaky"].error.startswith(
        f"{FAILING} of {ITEMS:,} items of 'flaky' failed: flaky[{bad[0]}] (ValueError: bad luck"
    )
    named = [step.step for step in failed.steps if step.state.value == "failed"]
    assert named == ["flaky", *(f"flaky[{number}]" for number in bad)]
    assert len(project.calls) == ITEMS
    (project.folder / "mended").touch()
    done = project.again(None, resume=failed.run_id)
    assert done.ok, done.error
    assert sorted(map(int, project.calls)) == bad
    assert done.output() == sum(range(ITEMS))


LOSING_NODES = """
import random, sys, threading, time

from tests.ray_nodes import cluster_of

import penstock as ps
from penstock.execution import QuietReporter

store, losses = sys.argv[1], int(sys.argv[2])
draw = random.Random(11)
options = {"runner": "ray", "reporter": QuietReporter(), "store": store}


def lose(cluster, nodes, delay):
    time.sleep(delay)
    node = nodes.pop(draw.randrange(len(nodes)))
    cluster.remove_node(node, allow_graceful=False)


with cluster_of(2, cpus=2) as (cluster, nodes):
    for number in range(1, losses + 1):
        thief = threading.Thread(target=lose, args=(cluster, nodes, draw.uniform(0.0, 1.5)))
        thief.start()
        result = ps.run("job.py", seed=5000 + number, **options)
        thief.join()
        nodes.append(cluster.add_node(num_cpus=2))  # Ray wants the main thread for it
        attempts = 1
        while not result.ok and attempts < 5:
            attempts += 1
            result = ps.run(resume=result.run_id, **options)
        print("RUN", result.run_id, result.ok, attempts, flush=True)
"""


@pytest.mark.slow
@pytest.mark.usefixtures("one_cluster")
def test_a_run_whose_ray_nodes_are_killed_ends_as_an_undisturbed_one(project):
    pytest.importorskip("ray", reason="ray is not installed: pip install ray")
    path = project.write(JOB)
    said = run_script(LOSING_NODES, project.store.url, NODES, folder=project.folder,
                      timeout=120 + 60 * NODES)  # fmt: skip
    told = [line.split() for line in said if line.startswith("RUN ")]
    assert [ok for _, _, ok, _ in told] == ["True"] * NODES, said
    for _, run_id, _, _ in told:
        run = project.store.metadata.runs.get(run_id)
        fresh = project.again(load_pipeline(str(path)), use_cache=False, seed=run.seed)
        assert digests(project, run_id) == digests(project, fresh.run_id)
