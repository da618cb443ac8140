"""PredictionFeatureLog: predictions that used a key's features are erased with the key."""

from datetime import date

import polars as pl
import pytest

import penstock as ps
from penstock.features.online import PredictionFeatureLog
from penstock.testing._records import a_prediction


def looked_up(**key):
    return {"spend": {"key": key, "values": {"amount": 9.5}, "status": "PRESENT", "version": 3}}


@pytest.fixture(params=["sqlite", "postgres"])
def store(request, tmp_path):
    url = f"sqlite:///{tmp_path}/penstock.db"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
    with ps.open_store(url, artifacts=str(tmp_path / "artifacts")) as store:
        yield store


def left(store):
    return [each.prediction_id for each in store.metadata.predictions.list("big-tips")]


def test_predictions_with_features_of_the_key_are_removed(store, tmp_path):
    store.metadata.predictions.add(
        [
            a_prediction("p1", features=looked_up(shop="Zorro & Söhne", day="2026-03-01")),
            a_prediction("p2", features=looked_up(shop="b", day="2026-03-01")),
            a_prediction("p3", features=looked_up(shop="Zorro & Söhne", day="2026-03-02")),
            a_prediction("p4"),
            a_prediction("p5", features={}),
        ]
    )
    log = PredictionFeatureLog(store=store)
    day = pl.DataFrame({"shop": ["Zorro & Söhne"], "day": [date(2026, 3, 2)]})
    assert log.erase(day).rows == 1
    assert left(store) == ["p1", "p2", "p4", "p5"]
    place = log.erase(day.select("shop"))
    assert (place.kind, place.rows, place.place) == ("log", 1, store.url)
    assert left(store) == ["p2", "p4", "p5"]
    if store.url.startswith("sqlite"):
        files = [file.read_bytes() for file in tmp_path.glob("penstock.db*")]
        assert not any(b"Zorro" in each for each in files)


def test_predictions_that_were_sent_the_key_are_removed(store):
    store.metadata.predictions.add(
        [
            a_prediction("p1", inputs={"card": 7, "day": "2026-03-01", "amount": 2.0}),
            a_prediction("p2", inputs={"card": "7", "day": "2026-03-02"}, error="refused"),
            a_prediction("p3", inputs={"card": 70, "day": "2026-03-01"}),
            a_prediction("p4", inputs={"amount": 7}),
            a_prediction("p5", inputs={"card": 7}),
        ]
    )
    log = PredictionFeatureLog(store=store)
    assert log.erase(pl.DataFrame({"card": [7], "day": [date(2026, 3, 2)]})).rows == 1
    assert left(store) == ["p1", "p3", "p4", "p5"]
    assert log.erase(pl.DataFrame({"card": [7, 8]})).rows == 2
    assert left(store) == ["p3", "p4"]


def test_an_erasure_takes_the_log_along(store, tmp_path):
    card = ps.features.Entity("card", {"card_id": pl.Int64})
    features = ps.features.FeatureStore(tmp_path / "features")
    features.apply(ps.features.FeatureView("spend", card, {"amount": pl.Float64}))
    store.metadata.predictions.add([a_prediction("p1", features=looked_up(card_id=7))])
    report = features.erase({"card_id": 7}, logs=[PredictionFeatureLog(store=store)])
    assert [(each.kind, each.rows) for each in report.places] == [("history", 0), ("online", 0), ("log", 1)]  # fmt: skip
