"""A served model whose prediction log can be filled with any rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from penstock.core import PredictionRecord
from penstock.data import profile_table, split_table
from penstock.evaluation import evaluate
from penstock.features import table_transformer
from penstock.models import Model, infer_signature
from penstock.registry import Registry
from penstock.serving import deploy
from penstock.stores import Store, open_store

MODEL = "fraud"
START = datetime(2026, 3, 1, tzinfo=UTC)


def make_table(rows: int, seed: int, *, shift: float = 0.0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    amount = rng.lognormal(3 + shift, 0.6, rows)
    age = rng.normal(40, 10, rows)
    score = (np.log(amount) - 3) + (age - 40) / 20 + rng.normal(0, 0.7, rows)
    return pl.DataFrame(
        {
            "amount": amount,
            "age": age,
            "country": rng.choice(["de", "fr", "it"], rows, p=[0.5, 0.3, 0.2]),
            "bad": np.where(score > 0.5, "yes", "no"),
        }
    )


@dataclass
class Watched:
    store: Store
    model: Model
    table = staticmethod(make_table)

    def answer(
        self,
        table: pl.DataFrame,
        *,
        at: datetime = START,
        truth: bool = False,
        errors: int = 0,
        scores: bool = True,
        change: dict[str, Any] | None = None,
        version: int = 1,
        features: list[Any] | None = None,
    ) -> None:
        """Log the model's own answers to rows, a second apart."""
        inputs = table.drop("bad")
        if change:
            inputs = inputs.with_columns(**change)
        found = self.model.predict_rows(inputs.to_dicts())
        labels = table["bad"].to_list()
        records = [
            PredictionRecord(
                prediction_id=f"{at:%j%H%M}-{place:06}",
                deployment=MODEL,
                model=MODEL,
                version=version,
                features=None if features is None else features[place],
                at=at + timedelta(seconds=place),
                inputs=row,
                prediction=None if place < errors else found.values[place],
                score=found.scores[place] if scores else None,
                truth=labels[place] if truth else None,
                truth_at=at if truth else None,
                error="ValueError: no" if place < errors else None,
            )
            for place, row in enumerate(inputs.to_dicts())
        ]
        self.store.metadata.predictions.add(records)


@pytest.fixture(scope="session")
def trained() -> Any:
    split = split_table(make_table(4_000, 1), target="bad")
    model = make_pipeline(table_transformer(split.schema, scale=True), LogisticRegression())
    model.fit(split.train.X, split.train.y)
    profile = profile_table(split.train.X)
    signature = infer_signature(
        model,
        split.test.X.head(50),
        split.test.y.head(50).to_list(),
        columns=profile.describe(split.schema),
    )
    return model, signature, profile, evaluate(model, split, resamples=100)


@pytest.fixture
def watched(tmp_path: Path, trained: Any) -> Iterator[Watched]:
    model, signature, profile, report = trained
    store = open_store(f"sqlite:///{tmp_path}/penstock.db")
    registry = Registry(store=store)
    registry.register(MODEL, Model(model, signature), report=report, profile=profile, actor="ann")
    registry.promote(MODEL, 1, actor="ann", reason="It is good.")
    deploy(MODEL, actor="ann", store=store)
    yield Watched(store, Model(model, signature))
    store.close()
