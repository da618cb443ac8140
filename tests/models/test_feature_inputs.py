"""Inputs from feature views: kept with the signature, and what they change for callers."""

from dataclasses import replace

from penstock.models import (
    FeatureInputs,
    OnDemandInputs,
    Signature,
    ViewInputs,
    compare_signatures,
)
from penstock.tables import Column

SPEND = ViewInputs(
    {"name": "spend", "entity": {"name": "card", "keys": {"card_id": "Int64"}}},
    ("usual",),
    "table",
    3,
    "/features",
    "refuse",
)
RATIO = OnDemandInputs({"name": "ratio", "request": {"amount": "Float64"}}, ("times_usual",))
AMOUNT = Column("amount", "number", "Float64")
USUAL = Column("usual", "number", "Float64", minimum=1, maximum=9)
PLAIN = Signature((AMOUNT,))
JOINED = Signature((AMOUNT, USUAL), features=FeatureInputs((SPEND,), (RATIO,)))


def test_they_return_from_json_and_others_are_stored_as_before():
    assert Signature.from_json(JOINED.to_json()) == JOINED
    assert "features" not in PLAIN.to_json()


def test_options_of_a_bucket_are_stored_by_reference_and_only_if_there_are_any():
    options = {"aws_region": "eu-west-1", "aws_secret_access_key": "${SHOP_KEY}"}
    there = replace(JOINED, features=FeatureInputs((replace(SPEND, options=options),)))
    assert Signature.from_json(there.to_json()) == there
    assert "options" not in JOINED.to_json()["features"]["views"][0]


def test_a_request_may_leave_features_out_and_have_keys():
    schema = JOINED.to_json_schema()
    assert schema["required"] == ["amount"]
    assert schema["properties"]["usual"]["description"] == (
        "Training values: 1 to 9. From feature view 'spend' when left out."
    )
    assert schema["properties"]["card_id"] == {
        "type": "integer",
        "description": "Key of feature view 'spend'.",
    }
    assert JOINED.is_unused("card_id")
    assert not JOINED.is_unused("card")


def test_a_new_key_breaks_requests_and_a_new_feature_does_not():
    changes = compare_signatures(PLAIN, JOINED)
    assert changes.breaking == ("The field 'card_id' is new: features are looked up by it.",)
    assert changes.notes == (
        "The column 'usual' is new and looked up when a request leaves it out.",
    )
    more = replace(
        JOINED,
        inputs=(AMOUNT, USUAL, Column("stars", "integer", "Int64")),
        features=FeatureInputs((replace(SPEND, features=("usual", "stars")),), (RATIO,)),
    )
    assert compare_signatures(JOINED, more).breaking == ()
    without = replace(JOINED, features=None)
    assert compare_signatures(JOINED, without).breaking == (
        "The column 'usual' is no longer looked up: requests must have it.",
        "The field 'card_id' is gone; requests that send it are refused.",
    )
