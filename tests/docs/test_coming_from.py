"""The other system's half of the pages `coming-from`: it runs, and computes what our half of the page computes."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.exporters.engines import ROOT, engine
from tests.services import missing

PAGES = ROOT / "docs" / "coming-from"
_BLOCK = re.compile(
    r"^```(?P<kind>python|py)(?P<title>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
IMPORTS = """
import pandas as pd
from sklearn.datasets import load_iris
from sklearn.model_selection import cross_val_score
from sklearn.tree import DecisionTreeClassifier
"""
KEDRO = """
import sys
import types

# The page's decorators are penstock's; nodes of Kedro are the functions alone.
sys.modules["penstock"] = types.SimpleNamespace(
    step=lambda f=None, **_: f or (lambda g: g), pipeline=lambda f: f
)
from trees import best as best_of
from trees import load, score


def best(depths, *scores):
    return best_of(depths, list(scores))


{theirs}

from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

catalog = DataCatalog({{"params:depths": MemoryDataset([1, 2, 3])}})
found = SequentialRunner().run(create_pipeline(), catalog)["depth"]
print("depth:", found.load() if hasattr(found, "load") else found)
"""


def blocks(page):
    """Return the first block of the other system, and the first of ours."""
    found = list(_BLOCK.finditer((PAGES / page).read_text()))
    theirs = next(each["text"] for each in found if each["kind"] == "py")
    return theirs, next(each["text"] for each in found if each["kind"] == "python")


def executed(python, folder, *words, **env):
    done = subprocess.run(
        [python, *words],
        cwd=folder,
        env={**os.environ, "HOME": str(folder), "USER": "ann", **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def our_depth(folder, ours):
    (folder / "pyproject.toml").write_text("")
    (folder / "trees.py").write_text(ours)
    env = {"PENSTOCK_STORE": f"sqlite:///{folder}/.penstock/penstock.db"}
    code = "import penstock as ps, trees; print(ps.run(trees.trees).output())"
    return int(executed(sys.executable, folder, "-c", code, **env).split()[-1])


def test_kedro_finds_the_depth_that_we_find(tmp_path):
    python = engine("kedro") / "python"
    theirs, ours = blocks("kedro.md")
    depth = our_depth(tmp_path, ours)
    (tmp_path / "flow.py").write_text(KEDRO.format(theirs=theirs))
    assert f"depth: {depth}" in executed(python, tmp_path, "flow.py")


def test_metaflow_finds_the_depth_that_we_find(tmp_path):
    python = engine("metaflow") / "python"
    theirs, ours = blocks("metaflow.md")
    depth = our_depth(tmp_path, ours)
    (tmp_path / "flow.py").write_text(IMPORTS + theirs)
    printed = executed(
        python, tmp_path, "flow.py", "run", METAFLOW_HOME=str(tmp_path / ".metaflow")
    )
    [found] = re.findall(r"^.*/end/.*\] (\d+)$", printed, re.MULTILINE)
    assert int(found) == depth


def test_zenml_runs_the_page_s_pipeline(tmp_path):
    python = engine("zenml") / "python"
    theirs, ours = blocks("zenml.md")
    depth = our_depth(tmp_path, ours)
    last = (
        "\nfrom zenml.client import Client\n"
        "run = Client().get_pipeline('trees').last_run\n"
        "print('depth:', run.steps['best'].output.load())\n"
    )
    (tmp_path / "flow.py").write_text(theirs + last)
    settings = {
        "ZENML_CONFIG_PATH": str(tmp_path / "zenml"),
        "ZENML_ANALYTICS_OPT_IN": "false",
        "AUTO_OPEN_DASHBOARD": "false",
    }
    assert f"depth: {depth}" in executed(python, tmp_path, "flow.py", **settings)


def test_wandb_runs_the_page_s_script(tmp_path):
    python = os.environ.get("PENSTOCK_WANDB_PYTHON") or ROOT / ".venv-wandb" / "bin" / "python"
    if not Path(python).exists():
        missing("needs wandb in an interpreter that PENSTOCK_WANDB_PYTHON names: see .ci/run")
    theirs, _ = blocks("wandb.md")
    (tmp_path / "thresholds.json").write_text('{"accept": 0.4}')
    (tmp_path / "script.py").write_text(theirs)
    executed(python, tmp_path, "script.py", WANDB_MODE="offline", WANDB_SILENT="true")
    [written] = (tmp_path / "wandb").glob("offline-run-*/run-*.wandb")
    for part in (b"trees", b"base", b"loss", b"errors", b"thresholds"):
        assert part in written.read_bytes()
