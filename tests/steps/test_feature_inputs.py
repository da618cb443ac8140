"""Which inputs of a model are looked up: those whose view is known without doubt."""

from datetime import UTC, datetime

import polars as pl

from penstock.data import Snapshot
from penstock.features import Entity, FeatureView
from penstock.models import FeatureInputs, ViewInputs
from penstock.steps._feature_inputs import describe_join, find_feature_inputs

TIME = datetime(2026, 1, 5, tzinfo=UTC)
SPEND = FeatureView(
    "spend", Entity("card", {"card_id": pl.Int64}), {"usual": pl.Float64, "most": pl.Float64}
)


def joined(feature, path):
    table = pl.DataFrame({"card_id": [1, 2], "time": [TIME, TIME], feature: [1.0, 2.0]})
    inputs = FeatureInputs((ViewInputs(SPEND.describe(), (feature,), "table", 1, path),))
    return Snapshot.of(table, source=describe_join(inputs), time="time")


def found(*snapshots):
    rows = pl.DataFrame({"card_id": [1], "time": [TIME], "usual": [1.0], "most": [1.0]})
    return find_feature_inputs(snapshots, ["usual", "most"], rows)


def test_features_of_a_view_that_is_joined_twice_are_looked_up_together():
    inputs = found(joined("usual", "/mine"), joined("most", "/mine"))
    assert inputs.changed == ()
    assert [(each.path, each.features) for each in inputs.features.views] == [
        ("/mine", ("usual", "most"))
    ]


def test_views_of_one_name_in_two_feature_stores_are_not_looked_up():
    inputs = found(joined("usual", "/mine"), joined("most", "/yours"))
    assert (inputs.features, inputs.changed) == (None, ("most", "usual"))
