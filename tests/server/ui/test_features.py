"""The pages of feature views: freshness, versions, who uses them; linked from models and lineage."""

from dataclasses import replace

import polars as pl
import pytest
from tests.features.feature_rows import CARD, HOUR, NOON
from tests.steps.test_join_features import RATIO, SPEND, fraud_of

import penstock as ps
from penstock.execution import QuietReporter
from penstock.features import FeatureStore


@pytest.fixture
def views(store):
    features = FeatureStore(store=store)
    features.apply(
        replace(SPEND, description="What a <i>card</i> spends."),
        ps.features.FeatureView("rating", CARD, {"stars": pl.Int64}, ttl="30d"),
    )
    rows = {"card_id": range(4), "event_time": [NOON] * 4, "usual": [10.0, 20.0, 30.0, 40.0]}
    features.write("spend", pl.DataFrame(rows))
    features.materialize("spend")
    return features


def test_no_view_says_how_to_define_one(client):
    assert "ps.features.FeatureStore().apply(view)" in client.get("/features").text


def test_views_are_listed_with_how_they_stand_online(client, views):
    page = client.get("/features").text
    assert 'href="/features/spend"' in page
    assert "not online" in page
    spend = {each["name"]: each for each in client.get("/features?format=json").json()["views"]}[
        "spend"
    ]
    assert (spend["version"], spend["online"], spend["rows_behind"]) == (1, 1, 0)
    late = pl.DataFrame({"card_id": [1], "event_time": [NOON + HOUR], "usual": [11.0]})
    views.write("spend", late)
    assert "behind" in client.get("/features").text


def test_a_view_shows_its_columns_versions_and_rules(client, views):
    page = client.get("/features/spend").text
    assert "<i>card" not in page
    for words in ("usual", "Float64", "Every row of version 1 is online.", "card_id=VALUE"):
        assert words in page
    assert "No registered model uses it." in page
    assert "30 days after the event" in client.get("/features/rating").text
    data = client.get("/features/spend?format=json").json()
    assert [each["operation"] for each in data["versions"]] == ["write", "create table"]
    assert client.get("/features/spends").status_code == 404


def test_models_and_lineage_are_linked_with_the_view(client, views, store):
    view = views.get_view("spend")
    ratio = replace(RATIO, views=[view])
    result = ps.run(fraud_of([ratio, "spend"]), store=store, reporter=QuietReporter())
    assert result.ok, result.error
    page = client.get("/features/spend").text
    assert 'href="/models/fraud?version=1"' in page
    assert "refused" in page
    assert client.get("/features?format=json").json()["views"][1]["models"] == ["fraud@1"]
    assert 'href="/features/spend"' in client.get("/models/fraud").text
    graph = client.get("/lineage?node=view:spend&direction=down").text
    assert "fraud@1" in graph
    assert 'href="/features/spend"' in client.get("/lineage?node=version:fraud@1").text
