"""payments.py - is a card payment fraud? The pipeline of `penstock demo`, copied beside the data."""

from datetime import date
from typing import Literal

from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

import penstock as ps

payments = ps.FileSource("payments", time="time")


@ps.step
def keep_features(rows: ps.Snapshot) -> ps.Table:
    """Leave the payment's own number out: the number says nothing about later payments."""
    return rows.table.drop("payment_id")


@ps.step
def train(split: ps.Split, encoder: str, learning_rate: float) -> Pipeline:
    """Fit on train rows only; the features travel inside the model."""
    columns = ps.table_transformer(split.schema.without(["time"]))
    if encoder == "strict":  # planted mistake: raises on a country that it has not seen
        columns.transformers.append(("strict", OneHotEncoder(handle_unknown="error"), ["country"]))
    model = HistGradientBoostingClassifier(learning_rate=learning_rate, max_iter=80, random_state=0)
    return make_pipeline(columns, model).fit(split.train.X, split.train.y)


@ps.pipeline
def payments_fraud(
    since: date | None = None,
    cutoff: date | None = None,
    encoder: Literal["robust", "strict"] = "robust",
    learning_rate: float = 0.1,
) -> ps.ModelVersion:
    """From the day files to a registered version that has passed all gates."""
    rows = ps.steps.ingest(payments, since=since, cutoff=cutoff)
    split = ps.steps.split(keep_features(rows), target="fraud", by_time="time", test=0.05)
    model = train(split, encoder, learning_rate)
    report = ps.steps.evaluate(model, split, slices=["country", "kind"])
    return ps.steps.register(
        "payments",
        model,
        report,
        gates=[
            "roc_auc >= 0.80",
            "average_precision >= champion.average_precision - 0.05",
            "gap(accuracy, country) <= 0.15",
            "leakage == none",
            "verified",
        ],
    )
