"""Runs in W&B's form: its own viewer and its sync read them, and our reader finds the same again."""

import importlib.util
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.core import ParameterError
from penstock.exporters import export_wandb
from penstock.importers import import_wandb
from penstock.stores import open_store
from penstock.tracking import get_run, start_run


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as opened:
        yield opened


@pytest.fixture
def run_id(store):
    with start_run(experiment="churn", name="baseline", store=store) as run:
        run.log_params({"lr": 0.1, "layers": [1, 2], "text": "ä" * 40_000})
        run.set_tags({"first": "true", "team": "risk"})
        for step in range(3000):
            run.log_metrics({"loss": 1 / (step + 1), "val/auc": step / 3000}, step=step)
        run.log_metric("odd", math.nan, step=5)
        run.log_metric("odd", math.inf, step=6)
        run.log_dict("facts.json", {"rows": 3})
        return run.run_id


def log_in(folder):
    [log] = Path(folder).rglob("*.wandb")
    return log


def test_what_goes_out_comes_in_again(store, run_id, tmp_path):
    done = export_wandb([run_id], to=tmp_path / "wandb", store=store)
    assert done.points == 6002
    with open_store(f"sqlite:///{tmp_path}/second.db") as second:
        [imported] = import_wandb([tmp_path / "wandb"], store=second).runs
        again, first = get_run(imported.run_id, store=second), get_run(run_id, store=store)
        assert dict(again.record.params) == dict(first.record.params)
        assert (again.name, again.record.experiment) == ("baseline", "churn")
        assert again.record.state is first.record.state
        for key in ("loss", "val/auc"):
            ours, theirs = first.metric_history(key), again.metric_history(key)
            assert theirs.select("step", "value").equals(ours.select("step", "value"))
        odd = again.metric_history("odd")
        assert odd["step"].to_list() == [5, 6]
        assert math.isnan(odd["value"][0])
        assert odd["value"][1] == math.inf
        assert "wandb/files/facts.json" in again.artifacts()
        assert again.record.tags["first"] == "true"


def test_a_run_is_written_once_and_anew_when_it_has_changed(store, run_id, tmp_path):
    export_wandb([run_id], to=tmp_path / "wandb", store=store)
    log = log_in(tmp_path / "wandb")
    before = log.stat().st_mtime_ns
    assert export_wandb([run_id], to=tmp_path / "wandb", store=store).unchanged == 1
    assert log.stat().st_mtime_ns == before
    store.metadata.runs.set_tags(run_id, {"late": "yes"})
    assert export_wandb([run_id], to=tmp_path / "wandb", store=store).unchanged == 0
    assert log_in(tmp_path / "wandb").stat().st_mtime_ns != before
    assert [path.name for path in (tmp_path / "wandb").iterdir()] == [log.parent.name]


def test_a_run_of_wandbs_own_is_never_overwritten(store, run_id, tmp_path):
    export_wandb([run_id], to=tmp_path / "wandb", store=store)
    (log_in(tmp_path / "wandb").parent / "penstock.json").unlink()
    with pytest.raises(ParameterError, match="penstock did not write it"):
        export_wandb([run_id], to=tmp_path / "wandb", store=store)


def test_what_has_no_place_there_is_listed(store, tmp_path):
    with start_run(experiment="churn", store=store) as run:
        run.log_metric("loss", 1.0, step=0.5)
        run.log_metric("loss", 2.0, step=-1)
        run.log_metric("loss", 3.0, step=1)
        run.log_metric("loss", 4.0, step=1)
    done = export_wandb([run.run_id], to=tmp_path / "wandb", store=store)
    assert done.points == 1
    assert any("2 points of 'loss' at negative" in sentence for sentence in done.lost)
    assert any("1 points of 'loss' at a step that has a later" in each for each in done.lost)


@pytest.fixture
def wandb_python():
    if given := os.environ.get("PENSTOCK_WANDB_PYTHON"):
        return given
    if importlib.util.find_spec("wandb") is None:
        pytest.skip("needs wandb in an interpreter that PENSTOCK_WANDB_PYTHON names: see .ci/run")
    return sys.executable


def wandb(python, folder, *words):
    environment = {**os.environ, "HOME": str(folder), "WANDB_SILENT": "false"}
    return subprocess.run(
        [python, "-m", "wandb", *words], cwd=folder, env=environment, capture_output=True,
        text=True, timeout=120, check=False,
    )  # fmt: skip


def test_wandbs_own_viewer_and_sync_read_it(store, run_id, tmp_path, wandb_python):
    export_wandb([run_id], to=tmp_path / "wandb", store=store)
    log = log_in(tmp_path / "wandb")
    shown = wandb(wandb_python, tmp_path, "leet", "inspect", "--json", str(log))
    records = [json.loads(line) for line in shown.stdout.splitlines() if line.startswith("{")]
    told = json.dumps(records)
    assert sum('"history"' in json.dumps(each) for each in records) == 3000, shown.stderr[-500:]
    assert '"baseline"' in told
    assert '"churn"' in told
    dry = wandb(wandb_python, tmp_path, "sync", "--dry-run", str(log.parent))
    assert dry.returncode == 0, dry.stderr[-1000:]
    assert log.parent.name in dry.stdout + dry.stderr
