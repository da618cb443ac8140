"""Checkpoints: a long step goes on where it was, and its result is that of an undisturbed one."""
# ruff: noqa: NPY002 - the legacy generator is what is tested

import os
import random
import signal
import subprocess
import sys

import numpy as np
import pytest

import penstock as ps
from penstock.core import ParameterError
from penstock.execution import QuietReporter
from penstock.stores import open_store
from penstock.tracking import start_run

TRAINING = """
import os, random, signal
from pathlib import Path

import numpy as np
import penstock as ps


@ps.step
def train(epochs: int) -> dict[str, float]:
    saved = ps.checkpoint()
    state = saved.load() or {"epoch": 0, "weights": np.zeros(4), "sum": 0.0}
    while state["epoch"] < epochs:
        with open("epochs.txt", "a") as file:
            file.write(f"{state['epoch']}\\n")
        state = {
            "epoch": state["epoch"] + 1,
            "weights": state["weights"] * 0.9 + np.random.normal(size=4),
            "sum": state["sum"] + random.random(),
        }
        saved.save(state)
        if Path("die").exists() and state["epoch"] == int(Path("die").read_text()):
            Path("die").unlink()
            DYING
    return {"weight": float(state["weights"].sum()), "sum": state["sum"]}


@ps.pipeline
def job(epochs: int = 8):
    return train(epochs)
"""
KILL = "os.kill(os.getpid(), signal.SIGKILL)"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "job.py").write_text(TRAINING.replace("DYING", KILL))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PENSTOCK_STORE", raising=False)
    return tmp_path


def penstock(folder, *words, code=0, **env):
    done = subprocess.run(
        [sys.executable, "-m", "penstock.cli", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONHASHSEED": "0", **env},
    )
    assert done.returncode == code, done.stderr
    return done.stdout


def epochs(folder):
    path = folder / "epochs.txt"
    words = [int(word) for word in path.read_text().split()]
    path.unlink()
    return words


def output(folder, url=None):
    with open_store(url or f"sqlite:///{folder}/.penstock/penstock.db") as store:
        steps = store.metadata.steps.list(store.metadata.runs.get("last").run_id)
        return steps[-1].outputs["result"]


@pytest.mark.parametrize("runner", ["local", pytest.param("processes", marks=pytest.mark.slow)])
def test_a_killed_training_goes_on_with_its_numbers_to_the_same_result(folder, runner):
    elsewhere = f"sqlite:///{folder}/other/penstock.db"  # or its result would be reused
    penstock(folder, "run", "job.py", "-q", PENSTOCK_STORE=elsewhere)
    undisturbed = output(folder, elsewhere)
    assert epochs(folder) == list(range(8))
    (folder / "die").write_text("5")
    # On processes only the worker dies, which fails the step; here the run's own process does.
    code = -signal.SIGKILL if runner == "local" else 3
    penstock(folder, "run", "job.py", "-q", "--runner", runner, code=code)
    assert epochs(folder) == [0, 1, 2, 3, 4]
    penstock(folder, "run", "--resume", "last", "-q", "--runner", runner)
    assert epochs(folder) == [5, 6, 7]
    assert output(folder) == undisturbed
    assert '"bitwise"' in penstock(folder, "verify", "last", "--json")


def test_after_an_edit_it_begins_anew(folder):
    (folder / "die").write_text("5")
    penstock(folder, "run", "job.py", "-q", code=-signal.SIGKILL)
    epochs(folder)
    text = (folder / "job.py").read_text()
    (folder / "job.py").write_text(text.replace("* 0.9", "* 0.8"))
    penstock(folder, "run", "--resume", "last", "-q")
    assert epochs(folder) == list(range(8))


def test_a_retried_step_goes_on_too(folder):
    text = TRAINING.replace("DYING", 'raise OSError("the disk hiccuped")')
    (folder / "job.py").write_text(text.replace("@ps.step", "@ps.step(retries=1)"))
    (folder / "die").write_text("3")
    penstock(folder, "run", "job.py", "-q")
    assert epochs(folder) == list(range(8))


def test_another_run_does_not_begin_in_the_middle(folder):
    (folder / "die").write_text("5")
    penstock(folder, "run", "job.py", "-q", code=-signal.SIGKILL)
    epochs(folder)
    penstock(folder, "run", "job.py", "-q")
    assert epochs(folder) == list(range(8))


def test_outside_of_a_run_nothing_is_kept():
    saved = ps.checkpoint()
    saved.save({"epoch": 1})
    assert saved.load() is None
    with pytest.raises(ParameterError, match="no legal name for a checkpoint"):
        ps.checkpoint("my state")


def test_a_finished_step_lets_go_of_its_states(folder):
    penstock(folder, "run", "job.py", "-q")
    with open_store(f"sqlite:///{folder}/.penstock/penstock.db") as store:
        assert store.metadata.artifacts.list("last") == {}


def test_states_that_come_too_soon_are_left_out(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/p.db") as store, start_run("script", store=store):
        saved = ps.checkpoint(every="1h")
        saved.save(1)
        saved.save(2)
        assert saved.load() == 1
        with pytest.raises(ParameterError, match="no duration"):
            ps.checkpoint(every="often")


def test_several_checkpoints_are_told_apart_and_the_last_state_counts(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/p.db") as store:
        with start_run("script", store=store) as run:
            first, second = ps.checkpoint("first"), ps.checkpoint("second")
            assert first.load() is None
            first.save(1)
            second.save("x")
            first.save(2)
            assert (first.load(), second.load()) == (2, "x")
        with start_run(store=store, resume=run.run_id):
            assert ps.checkpoint("first").load() == 2


def test_the_generators_go_on_where_they_were(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/p.db") as store, start_run("script", store=store):
        saved = ps.checkpoint()
        random.seed(1)
        np.random.seed(1)
        np.random.normal()  # one of a pair is kept inside
        saved.save("state")
        expected = (random.random(), np.random.normal(), np.random.normal())
        saved.load()
        assert (random.random(), np.random.normal(), np.random.normal()) == expected


@ps.step
def fit(epochs: int, stop: int) -> float:
    import torch

    torch.manual_seed(0)
    model = torch.nn.Linear(3, 1)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.1)
    saved = ps.checkpoint()
    state = saved.load()
    first = 0
    if state is not None:
        first = state["epoch"]
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
    for epoch in range(first, epochs):
        loss = model(torch.randn(8, 3)).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        saved.save(
            {
                "epoch": epoch + 1,
                "model": model.state_dict(),
                "optimiser": optimiser.state_dict(),
            }
        )
        if epoch + 1 == stop and not STOPPED:
            STOPPED.append(epoch)
            raise OSError("stopped")
    return float(model.weight.detach().sum())


STOPPED: list[int] = []


def test_a_torch_optimiser_goes_on_bit_for_bit(tmp_path):
    pytest.importorskip("torch", reason="torch is not installed: pip install torch")
    with open_store(f"sqlite:///{tmp_path}/p.db") as store:

        @ps.pipeline
        def job(epochs: int = 6, stop: int = 0):
            return fit(epochs, stop)

        def go(**options):
            return ps.run(job, store=store, reporter=QuietReporter(), **options)

        STOPPED[:] = [0]
        undisturbed = go(stop=3).output()
        STOPPED.clear()
        broken = go(stop=4)  # another key: nothing is known of it
        assert not broken.ok
        assert go(resume=broken.run_id).output() == undisturbed
