"""big_tips.py - will a taxi ride be tipped more than 20 %?

Data: chicago_taxi_trips.csv, from the Chicago taxi example of tensorflow/tfx. It is looked for
beside this file, in the working folder and where the path below points.
Run it: penstock run examples/big_tips.py --cutoff 2016-06-30
"""

from datetime import date

import polars as pl
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline, make_pipeline

import penstock as ps

rides = ps.FileSource("../../shared/data/chicago_taxi_trips.csv", time="trip_start_timestamp")

# The tip is the answer, and cash tips are not recorded: neither is known when the ride ends.
LEFT_OUT = ["tips", "payment_type", "pickup_census_tract"]


@ps.step
def label(rides: ps.Table) -> ps.Table:
    # A ride without a fare has no share to speak of.
    rides = rides.filter(pl.col("fare") > 0, pl.col("payment_type") == "Credit Card")
    return rides.with_columns(big_tip=pl.col("tips") > 0.2 * pl.col("fare"))


@ps.step(retries=1, timeout="10m", resources=ps.Resources(cpu=2))
def train(split: ps.Split, learning_rate: float) -> Pipeline:
    columns = ps.table_transformer(split.schema)
    model = HistGradientBoostingClassifier(learning_rate=learning_rate, random_state=0)
    return make_pipeline(columns, model).fit(split.train.X, split.train.y)


@ps.pipeline
def big_tips(
    since: date | None = None, cutoff: date | None = None, learning_rate: float = 0.1
) -> ps.ModelVersion:
    rows = ps.steps.ingest(rides, since=since, cutoff=cutoff)
    split = ps.steps.split(
        label(rows), target="big_tip", by_time="trip_start_timestamp", test=0.2, drop=LEFT_OUT
    )
    model = train(split, learning_rate)
    report = ps.steps.evaluate(model, split, slices=["company"])
    return ps.steps.register(
        "big-tips",
        model,
        report,
        gates=[
            "lower(roc_auc) > 0.5",
            "roc_auc >= champion.roc_auc - 0.005",
            "leakage == none",
            "verified",
        ],
    )
