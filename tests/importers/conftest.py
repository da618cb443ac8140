"""A store, and the interpreter with the real wandb: its pins are not ours.

PENSTOCK_WANDB_PYTHON names it, as `.ci/run` makes it; a `wandb` beside penstock does as well.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.stores import open_store

RUN = """
import os, wandb
run = wandb.init(
    project="churn", name="baseline", group="folds", job_type="train", tags=["first", "risk"],
    notes="A note", config={"lr": 0.1, "layers": [1, 2], "nested": {"a": 1, "b": "x"}, "none": None},
)
for i in range(20000):
    run.log({"loss": 1 / (i + 1), "val/auc": 0.5 + i / 100_000})
run.log({"odd": float("nan"), "high": float("inf"), "text": "hello", "won": True}, step=30_000)
run.log({"deep": {"er": 2.5}, "counts": wandb.Histogram([1, 2, 3])})
run.config.update({"late": 5})
run.summary["best"] = 0.9
run.define_metric("custom", step_metric="epoch")
run.log({"custom": 1.5, "epoch": 2})
with open("model.txt", "w") as file:
    file.write("weights")
artifact = wandb.Artifact("data", "dataset", metadata={"rows": 3})
artifact.add_file("model.txt")
run.log_artifact(artifact)
print("a printed line")
run.finish(exit_code=int(os.environ.get("EXIT", "0")))
"""


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as opened:
        yield opened


@pytest.fixture(scope="session")
def wandb_python():
    if given := os.environ.get("PENSTOCK_WANDB_PYTHON"):
        return given
    if importlib.util.find_spec("wandb") is None:
        pytest.skip("needs wandb in an interpreter that PENSTOCK_WANDB_PYTHON names: see .ci/run")
    return sys.executable


@pytest.fixture(scope="session")
def wandb_folder(wandb_python, tmp_path_factory) -> Path:
    """The folder of a real run: 20,000 steps, so that records cross the log's blocks."""
    folder = tmp_path_factory.mktemp("wandb-run")
    environment = {
        **os.environ,
        "WANDB_MODE": "offline",
        "WANDB_SILENT": "true",
        "WANDB_DATA_DIR": str(folder / "data"),
        "HOME": str(folder),
    }
    done = subprocess.run(
        [wandb_python, "-c", RUN], cwd=folder, env=environment, capture_output=True, text=True,
        timeout=240, check=False,
    )  # fmt: skip
    assert not done.returncode, done.stderr[-3000:]
    return folder
