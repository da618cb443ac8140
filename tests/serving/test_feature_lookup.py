"""Requests by key: features are looked up, values sent win, and each prediction says what it used."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from litestar.testing import TestClient
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from penstock.core import now
from penstock.features import Entity, FeatureStore, FeatureView, OnDemandView, ToNumber
from penstock.models import FeatureInputs, Model, OnDemandInputs, ViewInputs, infer_signature
from penstock.registry import Registry
from penstock.serving import create_app
from penstock.stores import open_store

CARD = Entity("card", {"card_id": pl.Int64})
SPEND = FeatureView("spend", CARD, {"usual": pl.Float64, "stars": pl.Int64}, ttl="30d")
RATIO = OnDemandView(
    "ratio",
    {"times_usual": pl.col("amount") / pl.col("usual")},
    features={"times_usual": pl.Float64},
    request={"amount": pl.Float64},
    views=[SPEND],
)
INPUTS = ["amount", "usual", "stars", "times_usual"]


def rows(*cards: tuple[int, float | None, int | None, int]) -> pl.DataFrame:
    """Card, usual, stars, age in days."""
    at = now()
    return pl.DataFrame(
        [
            {"card_id": card, "usual": usual, "stars": stars, "event_time": at - timedelta(days=age)}
            for card, usual, stars, age in cards
        ],
        schema={
            "card_id": pl.Int64, "usual": pl.Float64, "stars": pl.Int64,
            "event_time": pl.Datetime("us", "UTC"),
        },
    )  # fmt: skip


class World:
    def __init__(self, tmp_path: Any) -> None:
        self.store = open_store(f"sqlite:///{tmp_path}/penstock.db")
        self.features = FeatureStore(tmp_path / "features", store=self.store)
        self.features.apply(SPEND)
        self.features.write(
            "spend", rows((1, 10.0, 5, 1), (2, 20.0, 4, 1), (3, 30.0, 3, 40), (4, None, 1, 1))
        )
        self.features.materialize("spend")

    def register(self, *, missing: Any = "null", accepts_missing: bool = True) -> None:
        rng = np.random.default_rng(0)
        frame = pl.DataFrame({name: rng.normal(10, 3, 200) for name in INPUTS}).with_columns(
            pl.col("stars").cast(pl.Int64)
        )
        labels = np.where(frame["amount"] > 10, "fraud", "fine")
        model = make_pipeline(ToNumber(), SimpleImputer(), LogisticRegression()).fit(frame, labels)
        signature = infer_signature(model, frame, labels[:40].tolist())
        spend = ViewInputs(
            SPEND.describe(), ("usual", "stars"), "t", 1, self.features.path, missing
        )
        found = FeatureInputs((spend,), (OnDemandInputs(RATIO.describe(), ("times_usual",)),))
        signature = replace(signature, features=found, accepts_missing=accepts_missing)
        registry = Registry(store=self.store)
        version = registry.register("fraud", Model(model, signature), actor="ann")
        registry.promote("fraud", version.version, actor="ann", reason="good")


@pytest.fixture
def world(tmp_path: Any) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def client(world: World) -> Iterator[TestClient[Any]]:
    world.register()
    with TestClient(create_app(names=["fraud"], store=world.store)) as client:
        yield client


def predict(client: TestClient[Any], *asked: dict[str, Any]) -> Any:
    return client.post("/models/fraud/predict", json={"rows": list(asked)}).json()


def test_a_request_by_key_equals_one_with_all_values(client: TestClient[Any]) -> None:
    by_key = predict(client, {"amount": 30.0, "card_id": 1}, {"amount": 5, "card_id": 2})
    full = predict(
        client,
        {"amount": 30.0, "usual": 10.0, "stars": 5, "times_usual": 3.0},
        {"amount": 5.0, "usual": 20.0, "stars": 4, "times_usual": 0.25},
    )
    scores = [[each["score"] for each in found["predictions"]] for found in (by_key, full)]
    assert scores[0] == scores[1]
    assert "features" not in full["predictions"][0]
    assert all("not used" not in w for each in by_key["predictions"] for w in each["warnings"])


def test_the_log_says_which_values_were_looked_up(client: TestClient[Any]) -> None:
    answer = predict(client, {"amount": 30.0, "card_id": 1, "stars": 2})["predictions"][0]
    spend = answer["features"]["spend"]
    assert (spend["key"], spend["values"]) == ({"card_id": 1}, {"usual": 10.0})
    assert (spend["status"], spend["version"]) == ("PRESENT", 1)
    event = datetime.fromisoformat(spend["event_time"])
    assert timedelta(hours=23) < datetime.now(UTC) - event < timedelta(hours=25)
    assert answer["features"]["ratio"] == {"values": {"times_usual": 3.0}}


def test_values_in_the_request_win_and_the_record_has_all(
    client: TestClient[Any], world: World
) -> None:
    answer = predict(client, {"amount": 30.0, "card_id": 1, "usual": 15.0})["predictions"][0]
    assert answer["features"]["spend"]["values"] == {"stars": 5}
    assert answer["features"]["ratio"]["values"] == {"times_usual": 2.0}
    deadline = time.monotonic() + 10
    while not world.store.metadata.predictions.list("fraud") and time.monotonic() < deadline:
        time.sleep(0.05)
    (record,) = world.store.metadata.predictions.list("fraud")
    assert record.inputs == {"amount": 30.0, "usual": 15.0, "stars": 5, "times_usual": 2.0}
    assert record.features == answer["features"]


def test_a_key_beside_all_values_is_recorded_if_it_can_be_read(client: TestClient[Any]) -> None:
    full = {"amount": 30.0, "usual": 10.0, "stars": 5, "times_usual": 3.0}
    known, unknown = predict(client, {**full, "card_id": 1}, {**full, "card_id": "x"})[
        "predictions"
    ]
    assert known["features"] == {"spend": {"key": {"card_id": 1}, "values": {}}}
    assert "features" not in unknown
    assert known["score"] == unknown["score"]


@pytest.mark.parametrize(("card", "status"), [(9, "NOT_FOUND"), (3, "EXPIRED"), (4, "PRESENT")])
def test_a_missing_value_is_null_as_in_training(
    client: TestClient[Any], card: int, status: str
) -> None:
    (answer,) = predict(client, {"amount": 30.0, "card_id": card})["predictions"]
    found = answer["features"]["spend"]
    assert (found["status"], found["values"]["usual"]) == (status, None)


@pytest.mark.parametrize(
    ("card", "text"),
    [
        (9, "Row 1: feature view 'spend' knows no card_id=9."),
        (3, "Row 1: the values of card_id=3 in feature view 'spend' have expired: they are of "),
    ],
)
def test_a_missing_key_is_refused_where_that_was_declared(
    world: World, card: int, text: str
) -> None:
    world.register(missing="refuse")
    with TestClient(create_app(names=["fraud"], store=world.store)) as client:
        reply = predict(client, {"amount": 1.0, "card_id": 1}, {"amount": 1.0, "card_id": card})
    assert reply["error"]["what"].startswith(text)
    assert reply["error"]["why"] == 'The model was trained with missing="refuse".'
    assert reply["error"]["row"] == 1


def test_a_model_that_takes_no_missing_value_says_which_is_missing(world: World) -> None:
    world.register(accepts_missing=False)
    with TestClient(create_app(names=["fraud"], store=world.store)) as client:
        reply = predict(client, {"amount": 1.0, "card_id": 4})
    assert reply["error"]["what"] == "Row 0: feature view 'spend' has no usual of card_id=4."


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"amount": 1.0}, "Row 0 has neither 'usual' nor 'card_id'."),
        ({"amount": 1.0, "card_id": "x"}, "card_id"),
        ({"amount": 1.0, "card_id": 1.5}, "card_id"),
        ({"amount": "much", "card_id": 1}, "amount"),
        ({"amount": 1.0, "card_id": 1, "shop": 3}, "'shop' is not an input of this model"),
    ],
)
def test_a_wrong_request_is_a_sentence(client: TestClient[Any], row: Any, text: str) -> None:
    reply = client.post("/models/fraud/predict", json={"row": row})
    assert reply.status_code in {400, 422}
    assert text in reply.json()["error"]["what"]


def test_new_values_are_seen_by_the_next_request(client: TestClient[Any], world: World) -> None:
    world.features.push("spend", rows((1, 11.0, 5, 0)))
    answer = predict(client, {"amount": 22.0, "card_id": 1})["predictions"][0]
    assert answer["features"]["spend"]["values"]["usual"] == 11.0
    assert answer["features"]["spend"]["version"] == 2


def test_a_view_that_was_never_materialized_is_said_and_full_rows_are_answered(
    world: World, tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "features" / "online.db").unlink()
    world.register()
    with TestClient(create_app(names=["fraud"], store=world.store)) as client:
        assert "was never materialized" in caplog.text
        reply = client.post("/models/fraud/predict", json={"row": {"amount": 1.0, "card_id": 1}})
        assert reply.status_code == 503
        assert "penstock features materialize spend" in reply.json()["error"]["fix"]
        full = {"amount": 30.0, "usual": 10.0, "stars": 5, "times_usual": 3.0}
        assert client.post("/models/fraud/predict", json={"row": full}).status_code == 200


def test_tensors_may_have_the_key_only(client: TestClient[Any]) -> None:
    tensors = [
        {"name": "amount", "shape": [2], "datatype": "FP64", "data": [30.0, 5.0]},
        {"name": "card_id", "shape": [2], "datatype": "INT64", "data": [1, 2]},
    ]
    reply = client.post("/v2/models/fraud/infer", json={"inputs": tensors}).json()
    by_key = predict(client, {"amount": 30.0, "card_id": 1}, {"amount": 5.0, "card_id": 2})
    shares = reply["outputs"][1]["data"]
    assert [max(shares[:2]), max(shares[2:])] == [
        max(each["score"], 1 - each["score"]) for each in by_key["predictions"]
    ]


def test_a_further_feature_of_the_view_changes_nothing(
    client: TestClient[Any], world: World
) -> None:
    before = predict(client, {"amount": 30.0, "card_id": 1})["predictions"][0]["score"]
    wider = FeatureView("spend", CARD, {**SPEND.dtypes, "late": pl.Boolean}, ttl="30d")
    world.features.apply(wider)
    world.features.materialize("spend")
    assert predict(client, {"amount": 30.0, "card_id": 1})["predictions"][0]["score"] == before


def test_the_online_store_of_the_setting_is_asked(
    tmp_path: Any, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTOCK_ONLINE_STORE", redis_url)
    world = World(tmp_path)
    other = FeatureStore(tmp_path / "other", store=world.store)  # a view of the same name
    other.apply(SPEND)
    other.write("spend", rows((1, 99.0, 1, 0)))
    other.materialize("spend")
    world.register()
    with TestClient(create_app(store=world.store)) as client:
        reply = client.post("/models/fraud/predict", json={"row": {"amount": 12.0, "card_id": 1}})
    assert reply.status_code == 200
    (looked_up,) = world.store.metadata.predictions.list("fraud")
    assert looked_up.features["spend"]["values"]["usual"] == 10.0
    assert not list(tmp_path.rglob("online.db"))
    world.store.close()
