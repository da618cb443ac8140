"""A store of its own, and small parts of a pipeline made once."""

import sys

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import penstock as ps
from penstock.demo import simulate_day
from penstock.stores import open_store


@pytest.fixture
def store(tmp_path, monkeypatch):
    for name in ("PENSTOCK_STORE", "PENSTOCK_ARTIFACTS", "PENSTOCK_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    opened = open_store()
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def table():
    return simulate_day(0, rows=700).labelled().drop("merchant", "payment_id")


@pytest.fixture(scope="session")
def split(table):
    return ps.steps.split(table, target="fraud", by_time="time", test=0.4, drop=["time"])


@pytest.fixture(scope="session")
def model(split):
    columns = ps.table_transformer(split.schema, scale=True)
    return make_pipeline(columns, LogisticRegression(max_iter=200)).fit(
        split.train.X, split.train.y
    )


@pytest.fixture(scope="session")
def report(model, split):
    return ps.steps.evaluate(model, split, slices=["kind"], resamples=20)
