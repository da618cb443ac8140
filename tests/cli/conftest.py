"""A small project with three versions of a model, made once and copied for each test."""

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from penstock.cli import cli
from penstock.core import PredictionRecord, now
from penstock.demo import simulate_day, write_days
from penstock.stores import Store, open_store

JOB = """
import penstock as ps
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

payments = ps.FileSource("payments", time="time")


@ps.step
def train(split: ps.Split, strength: float) -> Pipeline:
    print("fitting with", strength)
    columns = ps.table_transformer(split.schema, scale=True)
    model = LogisticRegression(C=strength, max_iter=200)
    return make_pipeline(columns, model).fit(split.train.X, split.train.y)


@ps.pipeline
def fraud(strength: float = 1.0, bar: float = 0.5, proof: bool = False) -> ps.ModelVersion:
    rows = ps.steps.ingest(payments)
    split = ps.steps.split(
        rows, target="fraud", test=0.3, drop=["payment_id", "merchant", "time"]
    )
    model = train(split, strength)
    report = ps.steps.evaluate(model, split, slices=["kind"], resamples=20)
    gates = [f"roc_auc >= {bar}", "verified"] if proof else [f"roc_auc >= {bar}"]
    return ps.steps.register("fraud", model, report, gates=gates)
"""


@dataclass
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class World:
    """The project's folder, and the command called in it."""

    folder: Path

    def __call__(self, *words: object, code: int = 0) -> Answer:
        done = CliRunner().invoke(cli, [str(word) for word in words], prog_name="penstock")
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == code, f"{words}: {done.exit_code}\n{done.stdout}\n{done.stderr}"
        return Answer(done.exit_code, done.stdout, done.stderr)

    @cached_property
    def store(self) -> Store:
        return open_store()

    def answer_rows(
        self, day: int = 0, *, rows: int = 300, factor: float = 1.0, version: int = 1
    ) -> Sequence[PredictionRecord]:
        """Put answered rows into the log, their amounts times ``factor``."""
        payments = simulate_day(day, rows=rows).payments.drop("payment_id", "merchant", "time")
        payments = payments.sample(fraction=1, shuffle=True, seed=day)  # all hours at any time
        first = now() - timedelta(hours=1)
        records = [
            PredictionRecord(
                prediction_id=f"p{day}-{index:04d}",
                deployment="fraud",
                model="fraud",
                version=version,
                at=first + timedelta(seconds=index),
                inputs={**row, "amount": row["amount"] * factor},
                prediction=index % 100 == 0,
                score=None,  # made-up scores would not be distributed as the model's
            )
            for index, row in enumerate(payments.iter_rows(named=True))
        ]
        self.store.metadata.predictions.add(records)
        return records

    def fail_once(self) -> str:
        """Run a pipeline whose last step fails; gives the run."""
        broken = JOB.replace('print("fitting with", strength)', 'raise KeyError("[b]column[/x]")')
        (self.folder / "broken.py").write_text(broken.replace("def fraud(", "def fraud_broken("))
        return self("run", "broken.py", "--json", code=3).json["run_id"]


@pytest.fixture(autouse=True)
def _nobody_elses_settings(monkeypatch):
    """The settings of whoever runs the tests do not count."""
    for name in ("PENSTOCK_STORE", "PENSTOCK_ARTIFACTS", "PENSTOCK_PROJECT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def template(tmp_path_factory) -> Path:
    """Version 1 in production, 2 good, 3 with a gate that failed."""
    folder = tmp_path_factory.mktemp("template")
    (folder / "pyproject.toml").write_text("")
    (folder / "job.py").write_text(JOB)
    write_days(folder / "payments", range(1))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "path", list(sys.path))
        world = World(folder)
        world("run", "job.py", "-q", "--tag", "team=risk")
        world("run", "job.py", "-q", "--strength", "0.5", "--name", "weaker")
        world("run", "job.py", "-q", "--set", "bar=0.999", code=1)
        world("promote", "fraud@1", "--reason", "the first")
        world.store.close()
    return folder


@pytest.fixture
def world(template, tmp_path, monkeypatch) -> World:  # type: ignore[misc]
    folder = tmp_path / "project"
    shutil.copytree(template, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    made = World(folder)
    yield made
    made.store.close()


@pytest.fixture
def live(world) -> World:
    """The project with its production version deployed."""
    world("deploy", "fraud")
    return world


@pytest.fixture
def drifted(live) -> World:
    """Deployed, and what comes in is no longer what it was trained on."""
    live.answer_rows(factor=30.0)
    return live


@pytest.fixture
def canary(live) -> World:
    """Deployed, with version 2 as a canary."""
    live("deploy", "fraud", "--canary", "20,100", "--version", "2", "--step-requests", "50")
    return live
