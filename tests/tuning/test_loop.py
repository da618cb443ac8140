"""A study that is killed again and again has each trial once, with the suggestions of an undisturbed one.

A few kills in the suite; PENSTOCK_KILLS=200 for as many as one likes.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest
from tests.hunting import SEED, length

from penstock.execution import load_pipeline
from penstock.stores import open_store
from penstock.tuning import TrialState, get_study, tune

pytestmark = pytest.mark.hunt
KILLS = length(3, 200, name="PENSTOCK_KILLS")
TRIALS = 12 if KILLS < 50 else 50
JOB = """
import os, time
from pathlib import Path

import penstock as ps


@ps.step
def score(x: float, depth: int) -> float:
    time.sleep(0.02)
    with open(Path(__file__).with_name("executed.txt"), "a") as file:
        file.write(f"{x!r} {depth}\\n")
    if depth == 7:
        raise ValueError("seven")
    value = (x - 0.3) ** 2 + depth
    ps.log_metric("loss", value)
    return value


@ps.pipeline
def job(x: float = 0.0, depth: int = 1) -> float:
    return score(x, depth)
"""
SEARCH = {"x": "0..1", "depth": "1..9"}


def start(folder, url, *words):
    line = [sys.executable, "-m", "penstock.cli", "--store", url, "tune", *words]
    return subprocess.Popen(
        [*line, "--trials", str(TRIALS), "-q"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "way", [(), ("--on", "processes", "--workers", "2", "--deterministic")], ids=["local", "batch"]
)
def test_a_study_killed_at_random_points_loses_and_repeats_no_trial(tmp_path, way):
    (tmp_path / "job.py").write_text(JOB)
    url = f"sqlite:///{tmp_path}/penstock.db"
    search = [word for name, form in SEARCH.items() for word in ("--search", f"{name}={form}")]
    new = ["job.py", *search, "--metric", "loss:min", "--name", "killed", *way]
    again = ["--resume", "killed", *(way[:4])]
    draw, kills = random.Random(SEED), 0
    process = start(tmp_path, url, *new)
    store = open_store(url)
    while True:
        time.sleep(draw.uniform(0.3, 4.0) if kills < KILLS else 600 if process.wait() else 0)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        process.wait()
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, process.stderr.read().decode()[-2000:]
        begun = store.metadata.runs.count("tags.\"penstock.study\" = 'killed'")
        process = start(tmp_path, url, *(again if begun else new))
    study = get_study("killed", store=store)
    batch = 2 if way else 1
    assert [trial.number for trial in study.trials] == list(range(TRIALS))
    assert all(trial.has_ended for trial in study.trials)
    executed = Counter((tmp_path / "executed.txt").read_text().splitlines())
    whole = tune(
        load_pipeline(str(tmp_path / "job.py")),
        search=SEARCH,
        metric="loss:min",
        trials=TRIALS,
        runner="processes" if way else "local",
        workers=batch,
        deterministic=bool(way),
        name="whole",
        quiet=True,
        store=store,
    )
    assert [dict(t.params) for t in study.trials] == [dict(t.params) for t in whole.trials]
    assert [t.values for t in study.trials] == [t.values for t in whole.trials]
    assert [t.state for t in study.trials] == [t.state for t in whole.trials]
    # A step that a kill interrupted is executed again; one that had ended is not.
    interrupted = sum(count - 1 for count in executed.values())
    assert interrupted <= kills * batch
    store.close()


def test_a_trial_whose_process_dies_has_failed_and_the_study_goes_on(tmp_path):
    text = JOB.replace('raise ValueError("seven")', "os.kill(os.getpid(), 9)")
    (tmp_path / "job.py").write_text(text)
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as store:
        study = tune(
            load_pipeline(str(tmp_path / "job.py")),
            search={"depth": [6, 7, 8]},
            metric="loss:min",
            sampler="grid",
            trials=3,
            runner="processes",
            workers=1,
            quiet=True,
            store=store,
        )
        states = {trial.params["depth"]: trial.state for trial in study.trials}
        assert states == {
            6: TrialState.COMPLETE, 7: TrialState.FAILED, 8: TrialState.COMPLETE,
        }  # fmt: skip
        lost = next(trial for trial in study.trials if trial.params["depth"] == 7)
        assert "SIGKILL" in lost.error
        again = tune(resume=study.study_id, pipeline=load_pipeline(str(tmp_path / "job.py")),
                     trials=3, quiet=True, store=store)  # fmt: skip
        assert [t.state for t in again.trials] == [t.state for t in study.trials]
