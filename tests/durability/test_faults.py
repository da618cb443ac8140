"""Every n-th write, sync and rename fails, or the process dies at it: nothing is damaged or lost.

The pattern is SQLite's: n = 1, 2, … until the work is done without a fault. In the suite a few n
are tried, the same each time; a hunt and PENSTOCK_ALL_FAULTS=1 try all.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests import services
from tests.hunting import HUNTING

from penstock.core import RunState, Stage
from penstock.stores import check_store, open_store

HERE = Path(__file__).parent
EIO_ONCE, ENOSPC_FROM, KILL_BEFORE, KILL_AFTER = 1, 2, 3, 4
STRIDE = 1 if HUNTING or os.environ.get("PENSTOCK_ALL_FAULTS") else 149
pytestmark = pytest.mark.hunt


@pytest.fixture(scope="module")
def workload(tmp_path_factory):
    """The workload with the failing layer under it, waiting for numbers."""
    if shutil.which("gcc") is None:
        services.missing(
            "needs gcc to build the failing file layer; get it with: apt-get install gcc"
        )
    shim = tmp_path_factory.mktemp("shim") / "faults.so"
    build = ["gcc", "-O1", "-shared", "-fPIC", "-o", shim, HERE / "faults.c", "-ldl"]
    subprocess.run([*map(str, build)], check=True)
    process = subprocess.Popen(
        [sys.executable, str(HERE / "workload.py")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, "LD_PRELOAD": str(shim), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip

    def ask(mode: int, number: int, folder: Path) -> tuple[int, dict]:
        process.stdin.write(f"{mode} {number} {folder}\n")
        process.stdin.flush()
        status, _, said = process.stdout.readline().partition(" ")
        return int(status), json.loads(said)

    yield ask
    process.stdin.close()
    process.wait(timeout=20)


def require_whole(folder: Path, said: dict) -> None:
    """What was acknowledged is there, and nothing is damaged or half there."""
    started = time.monotonic()
    with open_store(f"sqlite:///{folder}/penstock.db") as store:
        assert time.monotonic() - started < 20
        assert [finding for finding in check_store(store=store) if not finding.harmless] == []
        if "run" not in said:
            return
        run = store.metadata.runs.get(said["run"])
        assert run.state is not RunState.RUNNING or "error" in said
        assert run.params == ({"lr": 0.1} if "params" in said else run.params)
        points = store.metadata.metrics.history(run.run_id, "loss").values.tolist()
        assert points == [float(step) for step in range(len(points))]
        assert len(points) >= said.get("points", 0)
        kept = store.metadata.artifacts.list(run.run_id)
        for name in ("small", "rows"):
            if name in said:
                assert store.load(kept[name], check=True) is not None
        if "finished" in said:
            assert run.state is RunState.FINISHED
        models = store.metadata.models.list()
        assert models or "registered" not in said
        for version in [v for model in models for v in store.metadata.models.list_versions(model)]:
            store.get(version.artifact, check=True)
            assert version.stage is Stage.PRODUCTION or "promoted" not in said


def test_the_layer_sees_the_calls_of_python_and_of_sqlite(workload, tmp_path):
    status, said = workload(0, 0, tmp_path / "count")
    assert status == 0
    assert said["closed"] == 1
    assert said["calls"] > 60
    require_whole(tmp_path / "count", said)


@pytest.mark.slow
@pytest.mark.parametrize(
    "mode",
    [EIO_ONCE, ENOSPC_FROM, KILL_BEFORE, KILL_AFTER],
    ids=["a call fails", "the disk is full from then on", "killed before", "killed after"],
)
def test_a_fault_at_any_call_damages_nothing_and_loses_nothing(workload, tmp_path, mode):
    _, whole = workload(0, 0, tmp_path / "count")
    hit = 0
    for number in range(1 + mode * STRIDE // 5, whole["calls"] + 30, STRIDE):
        folder = tmp_path / f"n{number}"
        status, said = workload(mode, number, folder)
        ends = {-9, 0} if mode >= KILL_BEFORE else {0}
        assert status in ends, (number, status, said.get("crash", said))
        hit += status == -9 or "error" in said
        require_whole(folder, said)
        shutil.rmtree(folder)
    assert hit >= (whole["calls"] // STRIDE) // 4
