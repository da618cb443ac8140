"""A small registered model and a client for its server."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from litestar.testing import TestClient
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from penstock.core import ModelVersionRecord, PredictionRecord, new_id, now
from penstock.data import infer_schema, profile_table
from penstock.models import Model, infer_signature
from penstock.registry import Registry
from penstock.serving import create_app
from penstock.stores import Store, open_store

MODEL = "big-tips"


def make_rows(rows: int = 400, seed: int = 0) -> tuple[pl.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame({"miles": rng.normal(3, 1, rows), "hour": rng.integers(0, 24, rows)})
    labels = np.where(frame["miles"].to_numpy() + rng.normal(0, 0.5, rows) > 3, "yes", "no")
    return frame, labels


@dataclass
class World:
    """A store with one model; new versions are a call away."""

    store: Store
    registry: Registry

    def register(self, strength: float = 1.0) -> ModelVersionRecord:
        frame, labels = make_rows()
        model = make_pipeline(StandardScaler(), LogisticRegression(C=strength))
        model.fit(frame.to_numpy(), labels)
        signature = infer_signature(
            model,
            frame.head(40),
            labels[:40].tolist(),
            columns=profile_table(frame).describe(infer_schema(frame)),
        )
        return self.registry.register(
            MODEL, Model(model, signature), profile=profile_table(frame), actor="ann"
        )

    def promote(self, version: int) -> None:
        self.registry.promote(MODEL, version, actor="ann", reason="It is good.")

    def add_predictions(
        self,
        version: int,
        rows: int,
        *,
        errors: int = 0,
        deployment: str = MODEL,
        truth: Callable[[int], tuple[Any, Any]] | None = None,
    ) -> None:
        at = now()
        records = []
        for place in range(rows):
            prediction, true = truth(place) if truth else ("yes", None)
            records.append(
                PredictionRecord(
                    prediction_id=new_id(),
                    deployment=deployment,
                    model=MODEL,
                    version=version,
                    at=at,
                    inputs={"miles": 3.0, "hour": 7},
                    prediction=None if place < errors else prediction,
                    score=0.7 if prediction == "yes" else 0.3,
                    truth=true,
                    truth_at=at if true is not None else None,
                    error="ValueError: broken" if place < errors else None,
                )
            )
        self.store.metadata.predictions.add(records)

    def events(self, name: str = MODEL) -> list[str]:
        return [event.kind for event in self.store.metadata.deployments.list_events(name)]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    store = open_store(f"sqlite:///{tmp_path}/penstock.db")
    yield World(store, Registry(store=store))
    store.close()


@pytest.fixture
def served(world: World) -> World:
    world.register()
    world.promote(1)
    return world


@pytest.fixture
def client(served: World) -> Iterator[TestClient[Any]]:
    with TestClient(create_app(names=[MODEL], poll_s=0.02, store=served.store)) as client:
        yield client


@pytest.fixture(scope="module")
def module_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient[Any]]:
    """One server for the tests of a module that change nothing."""
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('served')}/penstock.db")
    world = World(store, Registry(store=store))
    world.register()
    world.promote(1)
    with TestClient(create_app(names=[MODEL], store=store)) as client:
        yield client
    store.close()


@pytest.fixture
def row() -> dict[str, Any]:
    return {"miles": 3.2, "hour": 7}
