"""Defects between training and serving, planted in a served log: found within 10,000 rows, and why.

For each defect and draw, 10,000 requests are served from an online store and logged as the server
logs them. The defect is made where it happens in practice: in the code that makes the rows that
are put online, in the values on their way, or in a cache.

    off by one    windows end a tile earlier online than in the history
    local time    days of windows begin at local midnight (UTC+2) online
    float32       floats are cast on the way
    default 0     a null is served as 0
    stale cache   an answer is served for two days

usage: python benchmarks/feature_skew.py [DRAWS]
"""

import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from figures import tell

from penstock.core import PredictionRecord
from penstock.features import (
    Entity,
    FeatureStore,
    FeatureView,
    WindowFeature,
    Windows,
    recompute_served,
)
from penstock.models import FeatureInputs, ViewInputs
from penstock.monitoring import compare_served

DAYS, CARDS, REQUESTS = 30, 200, 10_000
START = datetime(2026, 1, 1, tzinfo=UTC)
CARD = Entity("card", {"card_id": pl.Int64})
FEATURES = {
    "spent_1d": WindowFeature("amount", "sum", "1d"),
    "spent_7d": WindowFeature("amount", "sum", "7d"),
    "count_7d": WindowFeature("amount", "count", "7d"),
    "mean_3d": WindowFeature("amount", "mean", "3d"),  # null without a payment in three days
}
CAUSES = {
    "off by one": "transform",
    "local time": "transform",
    "float32": "type",
    "default 0": "missing",
    "stale cache": "late data",
}
VIEW = FeatureView(
    "spend",
    CARD,
    {"spent_1d": pl.Float64, "spent_7d": pl.Float64, "count_7d": pl.Int64, "mean_3d": pl.Float64},
    available_at=timedelta(0),
)


def events(rng: np.random.Generator) -> pl.DataFrame:
    rows = CARDS * DAYS
    seconds = np.sort(rng.integers(0, DAYS * 86_400, rows))
    return pl.DataFrame(
        {
            "card_id": rng.integers(0, CARDS, rows),
            "event_time": [START + timedelta(seconds=int(each)) for each in seconds],
            "amount": np.round(rng.lognormal(3, 1, rows), 2),
        },
        schema_overrides={"event_time": pl.Datetime("us", "UTC")},
    )


def windows_of(rows: pl.DataFrame) -> pl.DataFrame:
    windows = Windows(CARD, FEATURES, every="1d")
    return windows.rows(windows.tiles(rows)).select("card_id", "event_time", *VIEW.feature_names)


def shifted(rows: pl.DataFrame, by: timedelta) -> pl.DataFrame:
    """Windows of events that are moved: what is made of the wrong events has the right time."""
    return windows_of(rows.with_columns(pl.col("event_time") + by))


def served_rows(defect: str, rows: pl.DataFrame, right: pl.DataFrame) -> pl.DataFrame:
    """Values that are online, by the keys and times of the right rows."""
    by = {"off by one": timedelta(days=1), "local time": timedelta(hours=2)}
    if defect not in by:
        return right
    return (
        right.select("card_id", "event_time")
        .join(shifted(rows, by[defect]), on=["card_id", "event_time"], how="left")
        .with_columns(pl.col("spent_1d", "spent_7d", "count_7d").fill_null(0))
    )


def requests(features: FeatureStore, defect: str, rng: np.random.Generator) -> list:
    keys = pl.DataFrame({"card_id": rng.integers(0, CARDS, REQUESTS)})
    seconds = rng.integers(8 * 86_400, (DAYS - 1) * 86_400, REQUESTS)
    at = pl.Series("at", [START + timedelta(seconds=int(each)) for each in seconds]).cast(
        pl.Datetime("us", "UTC")
    )
    asked = at
    if defect == "stale cache":  # the first request of a card in two days is cached
        asked = at - pl.Series([timedelta(seconds=int(each % (2 * 86_400))) for each in seconds])
    found = recompute_served(features, "online", keys, asked)
    values = found.values
    if defect == "float32":
        values = values.with_columns(pl.col(pl.Float64).cast(pl.Float32).cast(pl.Float64))
    if defect == "default 0":
        values = values.fill_null(0)
    records = []
    for place, row in enumerate(values.iter_rows(named=True)):
        event, known, version = found.origins.row(place)
        record = {
            "key": keys.row(place, named=True), "values": row,
            "status": "NOT_FOUND" if event is None else "PRESENT",
            **({} if event is None else {
                "event_time": event.isoformat(), "available_at": known.isoformat(),
                "version": version,
            }),
        }  # fmt: skip
        records.append(
            PredictionRecord(
                f"p{place}", "fraud", "fraud", 1, at[place], {}, 0, features={"spend": record}
            )
        )
    return records


def one_draw(defect: str, seed: int) -> list:
    rng = np.random.default_rng(seed)
    rows = events(rng)
    right = windows_of(rows).filter(pl.col("event_time") <= START + timedelta(days=DAYS))
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as folder:
        features = FeatureStore(folder)
        features.apply(VIEW, replace(VIEW, name="online"))
        features.write("spend", right)
        features.write("online", served_rows(defect, rows, right))
        inputs = ViewInputs(VIEW.describe(), VIEW.feature_names, "", 1, features.path)
        return list(compare_served(requests(features, defect, rng), FeatureInputs((inputs,))))


def touches(defect: str, feature: str) -> bool:
    """Whether a defect can change a feature: counts are no floats, and sums have no null."""
    if defect == "float32":
        return feature != "count_7d"
    return feature == "mean_3d" if defect == "default 0" else True


def main() -> None:
    draws = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    found = named = planted = 0
    for defect, cause in CAUSES.items():
        for seed in range(draws):
            for skew in one_draw(defect, seed):
                if touches(defect, skew.feature):
                    planted += 1
                    found += skew.is_alarm
                    named += skew.is_alarm and skew.cause == cause
                    if not skew.is_alarm or skew.cause != cause:
                        print(defect, seed, skew.describe(), file=sys.stderr)
                elif skew.mismatches:
                    raise SystemExit(f"{defect} changes {skew.feature}: {skew.describe()}")
    false = sum(skew.mismatches for seed in range(draws) for skew in one_draw("none", seed))
    what = f"feature skew, {planted} features with a defect in {REQUESTS:,} requests"
    tell("feature store", f"{what}: found", 100 * found / planted, "%", at_least=100)
    tell("feature store", f"{what}: cause named right", 100 * named / planted, "%", at_least=90)
    tell("feature store", f"feature skew, {draws} logs without a defect: mismatches", false, "", 0)


if __name__ == "__main__":
    main()
