"""A model of texts, dates, categories and numbers with missing values, trained on a CSV file."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from litestar.testing import TestClient
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline

from penstock.data import FileSource, ingest
from penstock.features import table_transformer
from penstock.models import Model, infer_signature
from penstock.registry import Registry
from penstock.serving import create_app
from penstock.stores import Store, open_store

NAMES = ("size", "share", "count", "city", "day")


def write_rows(path: Path, rows: int, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    size = rng.normal(3, 1, rows)
    frame = pl.DataFrame(
        {
            "key": [f"k{number:05}" for number in range(rows)],
            "size": [None if value > 5 else round(float(value), 3) for value in size],
            "share": [f"{value} %" for value in rng.integers(0, 100, rows)],
            "count": rng.integers(0, 24, rows),
            "city": rng.choice(["Bonn", "Köln", "Ulm"], rows),
            "day": [f"2024-03-{1 + value % 28:02}" for value in range(rows)],
        }
    )
    frame.write_csv(path)
    return frame


@dataclass
class Batches:
    """A store with models in production, and a server for them."""

    store: Store
    client: Any
    training: Path


@pytest.fixture(scope="session")
def batches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Batches]:
    folder = tmp_path_factory.mktemp("batches")
    store = open_store(f"sqlite:///{folder}/penstock.db")
    write_rows(folder / "rows.csv", 300)
    snapshot = ingest(FileSource(folder / "rows.csv"))
    table = snapshot.table
    labels = np.where(table["share"].to_numpy() + 9 * table["count"].to_numpy() > 150, "yes", "no")
    columns = [column for column in snapshot.schema.columns if column.name in NAMES]
    schema = replace(snapshot.schema, columns=tuple(columns))
    registry = Registry(store=store)
    for name, last in {
        "linear": LogisticRegression(max_iter=500),
        "boosted": HistGradientBoostingClassifier(max_iter=8),
        "network": MLPClassifier((8,), tol=1.0, n_iter_no_change=2, random_state=0),
    }.items():
        features = table.select(NAMES)
        model = make_pipeline(table_transformer(schema, scale=True), last).fit(features, labels)
        signature = infer_signature(
            model,
            features.head(40),
            labels[:40].tolist(),
            columns=columns,
            reading=snapshot.reading,
        )
        registry.register(name, Model(model, signature), actor="ann")
        registry.promote(name, 1, actor="ann", reason="It is good.")
    with TestClient(create_app(store=store)) as client:
        yield Batches(store, client, folder / "rows.csv")
    store.close()
