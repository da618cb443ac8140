"""A project whose pipeline trains and registers a version, and proofs that take no process."""

import sys

import pytest

import penstock as ps
from penstock.core import ProofRecord, Verdict, now
from penstock.demo import simulate_day
from penstock.execution import QuietReporter
from penstock.release import _proving
from penstock.stores import open_store

JOB = """
import random

import penstock as ps
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

payments = ps.FileSource("payments.csv")


@ps.step
def train(split: ps.Split, strength: float) -> Pipeline:
    columns = ps.table_transformer(split.schema, scale=True)
    model = LogisticRegression(C=strength, max_iter=200)
    return make_pipeline(columns, model).fit(split.train.X, split.train.y)


@ps.pipeline
def fraud(gates: list[str], strength: float = 1.0) -> ps.ModelVersion:
    rows = ps.steps.ingest(payments)
    split = ps.steps.split(rows, target="fraud", test=0.4, drop=["payment_id", "merchant", "time"])
    report = ps.steps.evaluate(train(split, strength), split, resamples=20)
    return ps.steps.register("fraud", train(split, strength), report, gates=gates)
"""


@pytest.fixture
def train(tmp_path, monkeypatch):
    """Train a version with gates; ``train.store`` is where it is registered."""
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "job.py").write_text(JOB)
    simulate_day(0, rows=700).labelled().write_csv(tmp_path / "payments.csv")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    store = open_store(f"sqlite:///{tmp_path}/.penstock/penstock.db")

    def call(*gates, **params):
        pipeline = ps.execution.load_pipeline("job.py")
        result = ps.run(
            pipeline, gates=list(gates), store=store, reporter=QuietReporter(), **params
        )
        assert result.ok, result.error
        return store.metadata.models.list_versions("fraud")[-1]

    call.store = store  # type: ignore[attr-defined]
    yield call
    store.close()


@pytest.fixture
def proofs(train, monkeypatch):
    """Proofs that take no process: the verdict that is set here is recorded."""
    asked = []

    def verify(run_id, *, store):
        asked.append(run_id)
        store.metadata.artifacts.add_proof(
            ProofRecord(run_id, "verified", asked.verdict, now(), {})  # type: ignore[attr-defined]
        )

    class Asked(list):
        verdict = Verdict.BITWISE

    asked = Asked()
    monkeypatch.setattr(_proving, "verify", verify)
    return asked
