"""A model of several targets predicts a column for each, with the server's answers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from litestar.testing import TestClient
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from tests.serving.test_feature_lookup import World

from penstock.core import DataError
from penstock.lineage import get_lineage
from penstock.models import Model, infer_signature
from penstock.registry import Registry
from penstock.serving import create_app, predict
from penstock.stores import open_store

DRAW = np.random.default_rng(0)
X = pl.DataFrame({"age": DRAW.normal(40, 9, 300), "size": DRAW.normal(size=300)})
NUMBERS = pl.DataFrame({"height": X["age"] * 2, "weight": X["size"] * 3 + 1})
LABELS = pl.DataFrame(
    {"old": (X["age"] > 40).cast(int), "group": np.where(X["size"] > 0, "big", "small")}
)
MODELS = {
    "linear": (LinearRegression(), NUMBERS),
    "forest": (RandomForestRegressor(8, random_state=0), NUMBERS),
    "tags": (MultiOutputClassifier(LogisticRegression()), LABELS),
}


@pytest.mark.parametrize("name", MODELS)
def test_each_target_has_a_column_with_the_servers_answers(name: str, tmp_path: Path) -> None:
    estimator, y = MODELS[name]
    fitted = estimator.fit(
        X.to_numpy(), y.to_numpy() if name != "tags" else y.to_numpy().astype(str)
    )
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as store:
        registry = Registry(store=store)
        registry.register("two", Model(fitted, infer_signature(fitted, X, y)), actor="ann")
        registry.promote("two", 1, actor="ann", reason="Good.")
        rows = X.head(50).with_columns(
            key=pl.int_range(50), age=pl.when(pl.col("age") < 55).then("age")
        )
        out = tmp_path / "out.parquet"
        done = predict("two", data=rows, out=out, part_rows=20, store=store)
        found = pl.read_parquet(out)
        first, second = y.columns
        assert found.columns == [
            "key", "prediction_id", f"prediction_{first}", f"prediction_{second}", "warnings"
        ]  # fmt: skip
        assert (done.predicted, done.refused) == (found.height, 50 - found.height)
        with TestClient(create_app(store=store)) as client:
            for row in found.head(12).iter_rows(named=True):
                sent: dict[str, Any] = rows.select("age", "size").row(row["key"], named=True)
                reply = client.post("/models/two/predict", content=json.dumps({"row": sent})).json()
                assert reply["predictions"][0]["prediction"] == {
                    first: row[f"prediction_{first}"],
                    second: row[f"prediction_{second}"],
                }
        one = found.row(3, named=True)
        traced = get_lineage(one["prediction_id"], store=store).prediction
        assert traced is not None
        assert traced.prediction == {
            first: one[f"prediction_{first}"], second: one[f"prediction_{second}"]
        }  # fmt: skip
        assert traced.inputs == {"key": one["key"]}
        for ending in ("csv", "jsonl"):
            predict("two", data=rows, out=tmp_path / f"out.{ending}", store=store)
        again = pl.read_csv(tmp_path / "out.csv")
        assert again[f"prediction_{first}"].cast(str).to_list() == (
            found[f"prediction_{first}"].cast(str).to_list()
        )
        taken = rows.with_columns(pl.lit(1).alias(f"prediction_{first}"))
        with pytest.raises(DataError, match="a name that the predictions use"):
            predict("two", data=taken, out=tmp_path / "taken.csv", store=store)


def test_features_are_looked_up_by_key_as_in_a_request(tmp_path: Path) -> None:
    """Rows have keys instead of features; one has values of its own, one a key without values."""
    world = World(tmp_path)
    world.register()
    rows = pl.DataFrame(
        {"amount": [30.0, 5.0, 12.0, 9.0], "card_id": [1, 2, 3, 77], "note": ["a", "b", "c", "d"]}
    )
    rows.write_parquet(tmp_path / "rows.parquet")
    out = tmp_path / "out.parquet"
    done = predict(
        "fraud", data=f"{tmp_path}/rows.parquet", out=out, part_rows=3, store=world.store
    )
    found = pl.read_parquet(out)
    assert done.predicted + done.refused == 4
    with TestClient(create_app(names=["fraud"], store=world.store)) as client:
        for row in found.iter_rows(named=True):
            place = int(row["prediction_id"].rpartition("-")[2])
            sent = rows.row(place, named=True)
            body = {"rows": [{"amount": sent["amount"], "card_id": sent["card_id"]}]}
            [one] = client.post("/models/fraud/predict", json=body).json()["predictions"]
            assert (one["prediction"], one["score"]) == (row["prediction"], row["score"])
            assert list(one["warnings"]) == row["warnings"]
            assert row["note"] == sent["note"]
    world.store.close()
