"""FeatureView and Entity: what can be defined, what a digest covers, and the way through JSON."""

from dataclasses import replace
from datetime import timedelta

import polars as pl
import pytest
from tests.features.feature_rows import CARD, EVERY_VIEW, SHOP_ITEM, SPEND

from penstock.core import DefinitionError, ParameterError, SchemaError
from penstock.features.views import Entity, FeatureView
from penstock.features.views._dtypes import read_dtype


@pytest.mark.parametrize("view", [SPEND, EVERY_VIEW, FeatureView("x", SHOP_ITEM, {"a": pl.Date})])
def test_a_view_comes_back_from_json(view):
    assert FeatureView.from_json(view.describe()) == view
    assert FeatureView.from_json(view.describe()).digest == view.digest


@pytest.mark.parametrize(
    "change",
    [
        {"ttl": "1d"},
        {"available_at": None},
        {"available_at": timedelta(0)},
        {"as_of": "<"},
        {"event_time": "at"},
        {"features": {"amount": pl.Float32}},
        {"features": {"amount": pl.Float64, "b": pl.Int8}},
        {"name": "other"},
        {"entity": Entity("card", {"card_id": pl.String})},
        {"entity": Entity("account", {"card_id": pl.Int64})},
    ],
)
def test_whatever_changes_the_meaning_changes_the_digest(change):
    assert replace(SPEND, **change).digest != SPEND.digest


def test_a_description_is_for_people():
    assert replace(SPEND, description="Spending of a card.").digest == SPEND.digest


def test_views_are_equal_and_hash_by_their_definition():
    assert hash(replace(SPEND)) == hash(SPEND)
    assert FeatureView("a", CARD, {"t": pl.Datetime}).dtypes == {"t": pl.Datetime("us", "UTC")}


@pytest.mark.parametrize(
    ("dtype", "instead"),
    [
        (pl.UInt32, "pl.Int64"),
        (pl.Categorical, "pl.String"),
        (pl.Datetime("ms", "UTC"), 'Datetime("us", "UTC")'),
        (pl.Datetime("us"), 'Datetime("us", "UTC")'),
        (pl.Struct({"a": pl.Int64}), "plain dtype"),
        (pl.List(pl.List(pl.Int64)), "plain dtype"),
        (pl.Array(pl.Int64, 2), "pl.List"),
        (pl.Duration, "pl.Int64"),
    ],
)
def test_a_dtype_that_stores_would_change_is_refused(dtype, instead):
    with pytest.raises(DefinitionError) as refused:
        FeatureView("v", CARD, {"a": dtype})
    assert instead in refused.value.fix


@pytest.mark.parametrize("dtype", [pl.Float64, pl.Datetime("us", "UTC"), pl.List(pl.Int64)])
def test_a_key_that_is_not_equal_to_itself_is_refused(dtype):
    with pytest.raises(DefinitionError, match="Key 'id'"):
        Entity("card", {"id": dtype})


@pytest.mark.parametrize("features", [{}, None, ["a"]])
def test_a_view_has_features_with_dtypes(features):
    with pytest.raises(DefinitionError, match="has features"):
        FeatureView("v", CARD, features)


@pytest.mark.parametrize("keys", [{}, None, "card_id"])
def test_an_entity_has_keys_with_dtypes(keys):
    with pytest.raises(DefinitionError, match="has keys"):
        Entity("card", keys)


@pytest.mark.parametrize("dtype", ["Int64", float, None])
def test_a_dtype_is_a_polars_type(dtype):
    with pytest.raises(DefinitionError, match="declared as a polars type"):
        FeatureView("v", CARD, {"a": dtype})


@pytest.mark.parametrize("name", ["card_id", "event_time", "available_at", "seq", "is_deleted"])
def test_a_feature_has_no_name_of_a_key_or_system_column(name):
    with pytest.raises(DefinitionError, match=f"a feature named '{name}'"):
        FeatureView("v", CARD, {name: pl.Int64})


@pytest.mark.parametrize(
    "options",
    [{"ttl": "soon"}, {"ttl": timedelta(-1)}, {"as_of": "="}, {"available_at": timedelta(-1)}],
)
def test_options_that_mean_nothing_are_refused(options):
    with pytest.raises(ParameterError):
        FeatureView("v", CARD, {"a": pl.Int64}, **options)


@pytest.mark.parametrize("text", ["List(Struct({}))", "__import__('os')", "Object", ""])
def test_a_damaged_dtype_is_refused_and_never_run(text):
    with pytest.raises(SchemaError, match="no dtype of a feature"):
        read_dtype(text)
