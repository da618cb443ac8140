"""Skew of features: each difference between served and right value is counted, with its cause."""

from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.features.feature_rows import CARD, HOUR, NOON

from penstock.core import PredictionRecord
from penstock.features import FeatureStore, FeatureView, OnDemandView, recompute_served
from penstock.models import FeatureInputs, OnDemandInputs, ViewInputs
from penstock.monitoring import FeatureSkew, compare_served

SPEND = FeatureView(
    "spend", CARD, {"usual": pl.Float64, "stars": pl.Int64}, ttl="5h", available_at=timedelta(0)
)
RATIO = OnDemandView(
    "ratio",
    {"times_usual": pl.col("amount") / pl.col("usual")},
    features={"times_usual": pl.Float64},
    request={"amount": pl.Float64},
    views=[SPEND],
)
REQUESTS = 400


@pytest.fixture
def features(tmp_path: Any) -> FeatureStore:
    opened = FeatureStore(tmp_path)
    opened.apply(SPEND)
    rng = np.random.default_rng(0)
    rows = pl.DataFrame(
        [
            {"card_id": card, "event_time": NOON + hour * HOUR, "usual": float(rng.normal(20, 5)),
             "stars": None if (card + hour) % 4 == 0 else card}
            for card in range(10)
            for hour in range(0, 24, 1 + card % 3)
        ],
        schema_overrides={"stars": pl.Int64, "event_time": pl.Datetime("us", "UTC")},
    )  # fmt: skip
    opened.write("spend", rows)
    return opened


def log(features: FeatureStore, change: Any = None, delay: timedelta = timedelta(0)) -> Any:
    """A log of requests; ``change`` is made to the values that were served."""
    rng = np.random.default_rng(1)
    keys = pl.DataFrame({"card_id": rng.integers(0, 12, REQUESTS)})  # two of them are unknown
    seconds = rng.integers(0, 40 * 3600, REQUESTS)
    at = pl.Series([NOON + timedelta(seconds=int(each)) for each in seconds]).cast(
        pl.Datetime("us", "UTC")
    )
    found = recompute_served(features, "spend", keys, at - delay)
    records = []
    for place, row in enumerate(found.values.iter_rows(named=True)):
        event, _, version = found.origins.row(place)
        status = "NOT_FOUND" if event is None else "EXPIRED" if found.expired[place] else "PRESENT"
        values = change(dict(row), found.unexpired.row(place, named=True)) if change else row
        origin = {} if event is None else {"event_time": event.isoformat(), "version": version}
        looked = {"key": keys.row(place, named=True), "values": values, "status": status, **origin}
        amount = 1.0 + place % 50
        usual = values["usual"]
        ratio = None if usual is None else amount / usual if usual else float("inf")
        records.append(
            PredictionRecord(
                f"p{place}", "fraud", "fraud", 1, at[place], {"amount": amount}, 0,
                features={"spend": looked, "ratio": {"values": {"times_usual": ratio}}},
            )
        )  # fmt: skip
    inputs = FeatureInputs(
        (ViewInputs(SPEND.describe(), ("usual", "stars"), "", 1, features.path),),
        (OnDemandInputs(RATIO.describe(), ("times_usual",)),),
    )
    return {each.feature: each for each in compare_served(records, inputs)}


def test_what_was_served_right_has_no_mismatch(features):
    found = log(features)
    assert {name: (each.rows, each.mismatches) for name, each in found.items()} == {
        "usual": (REQUESTS, 0), "stars": (REQUESTS, 0), "times_usual": (REQUESTS, 0),
    }  # fmt: skip
    assert not any(each.is_alarm for each in found.values())
    assert found["usual"].low == 0 < found["usual"].high < 0.02


def cast(values: Any, _: Any) -> Any:
    usual = values["usual"]
    return {**values, "usual": None if usual is None else float(np.float32(usual))}


def filled(values: Any, _: Any) -> Any:
    return {name: 0 if value is None else value for name, value in values.items()}


def raised(values: Any, _: Any) -> Any:
    usual = values["usual"]
    return {**values, "usual": None if usual is None else usual * 1.01}


def kept(_: Any, unexpired: Any) -> Any:
    return unexpired


@pytest.mark.parametrize(
    ("change", "cause"),
    [(cast, "type"), (filled, "missing"), (raised, "transform"), (kept, "ttl")],
)
def test_a_defect_is_found_and_named(features, change, cause):
    usual = log(features, change)["usual"]
    assert usual.is_alarm
    assert usual.cause == cause
    assert sum(usual.causes.values()) == usual.mismatches
    assert usual.low < usual.share < usual.high
    assert f"{cause} {usual.causes[cause]:,}" in usual.describe()
    assert len(usual.examples) == 3


def test_an_older_row_is_late_data(features):
    found = log(features, delay=timedelta(hours=2))["usual"]
    assert found.cause == "late data"
    assert found.to_json()["is_alarm"] is True


def test_values_that_came_with_requests_are_compared_where_the_key_came_too(features):
    at = NOON + timedelta(hours=30)
    right = recompute_served(
        features, "spend", pl.DataFrame({"card_id": [1, 2]}), pl.Series([at, at])
    ).unexpired["usual"].to_list()  # fmt: skip
    sent = [right[0], right[1] + 1, 5.0, None]
    records = [
        PredictionRecord(
            f"p{place}", "fraud", "fraud", 1, at - 7 * HOUR * (place < 2), {"usual": usual}, 0,
            features={"spend": {"key": {"card_id": card}, "values": {}}} if card else None,
        )
        for place, (card, usual) in enumerate(zip([1, 2, None, 9], sent, strict=True))
    ]  # fmt: skip
    inputs = FeatureInputs((ViewInputs(SPEND.describe(), ("usual",), "", 1, features.path),))
    assert list(compare_served(records, inputs)) == []
    (found,) = compare_served(records, inputs, sent=pl.DataFrame({"usual": sent}), limit=0.4)
    assert (found.subject, found.rows, found.causes) == ("spend:usual", 3, {"request": 1})
    assert found.examples[0]["prediction_id"] == "p1"
    assert not found.is_alarm
    assert FeatureSkew.from_json(found.to_json()) == found


def test_an_on_demand_feature_is_compared_with_its_served_inputs(features):
    """A wrong input is the skew of its view, not of what is computed from it."""
    assert log(features, raised)["times_usual"].mismatches == 0
