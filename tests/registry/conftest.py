"""A store in a temporary folder, a tiny model, and a registry over them."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from sklearn.dummy import DummyRegressor

from penstock.core import set_clock
from penstock.models import Model, infer_signature
from penstock.registry import Registry
from penstock.stores import open_store

X = pl.DataFrame({"age": [20, 30, 40]})
START = datetime(2026, 5, 1, 12, tzinfo=UTC)


class Clock:
    """A clock that moves one minute each time it is asked."""

    def __init__(self):
        self.time = START

    def __call__(self):
        self.time += timedelta(minutes=1)
        return self.time


@pytest.fixture
def clock():
    ticking = Clock()
    set_clock(ticking)
    yield ticking
    set_clock(None)


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as opened:
        yield opened


@pytest.fixture
def registry(store):
    return Registry(store=store)


@pytest.fixture
def team(store):
    store.metadata.settings.set("single_user", "false")
    return Registry(store=store)


@pytest.fixture
def estimator():
    return DummyRegressor(strategy="constant", constant=1.0).fit(X, [1.0, 2.0, 3.0])


@pytest.fixture
def signature(estimator):
    return infer_signature(estimator, X, target="y")


@pytest.fixture
def add(store, estimator, signature):
    """Register a version: ``add(gates=…)``."""

    def register(model="tips", **options):
        options = {"trained_by": "ada", "actor": "ada"} | options
        return Registry(store=store).register(model, Model(estimator, signature), **options)

    return register
