"""``penstock features``: list, show, get, materialize, backfill, erase; as text and as JSON."""

from typing import Any

import pytest

from penstock.features import FeatureStore

VIEWS = """
from datetime import UTC, datetime, timedelta

import penstock as ps
import polars as pl

card = ps.features.Entity("card", {"card_id": pl.Int64})
spend = ps.features.FeatureView(
    "spend", card, {"usual": pl.Float64}, ttl="3650d", available_at=timedelta(0),
    description="What a card spends.",
)


def compute(start, end):
    return pl.DataFrame({"card_id": [1, 2], "event_time": [start, start], "usual": [1.5, 2.5]})
"""


@pytest.fixture
def views(shell):
    """A shell in whose project a view with three days of rows is."""
    (shell.folder / "views.py").write_text(VIEWS)
    module: dict[str, Any] = {}
    exec(VIEWS, module)
    FeatureStore(shell.folder / ".penstock" / "features").apply(module["spend"])
    days = ("--start", "2026-01-01", "--end", "2026-01-04")
    shell("features", "backfill", "spend", "views.py:compute", *days)
    return shell


def test_views_are_listed_and_shown(views):
    assert "spend" in views("features", "list").out
    [listed] = views("features", "list", "--json").json
    assert (listed["name"], listed["keys"], listed["version"]) == ("spend", ["card_id"], 3)
    assert (listed["online"], listed["rows_behind"]) == (None, 6)
    shown = views("features", "show", "spend").out
    for words in ("What a card spends.", "card_id", "usual", "Float64", "write", "online nothing"):
        assert words in shown
    document = views("features", "show", "spend", "--json").json
    assert [each["rows"] for each in document["versions"][:3]] == [2, 2, 2]
    assert document["models"] == []
    assert "Did you mean 'spend'?" in views("features", "show", "spends", code=2).err


def test_values_are_brought_online_and_read_by_key(views):
    assert "never materialized" in views("features", "get", "spend", "card_id=1", code=2).err
    assert "version 3: 6 rows" in views("features", "materialize").out
    [again] = views("features", "materialize", "spend", "--json").json
    assert (again["version"], again["rows"]) == (3, 0)
    assert "1.5" in views("features", "get", "spend", "card_id=1").out
    found = views("features", "get", "spend", "card_id=2", "--json").json
    assert (found["values"], found["status"], found["version"]) == ({"usual": 2.5}, "PRESENT", 3)
    assert views("features", "get", "spend", "card_id=9", "--json").json["status"] == "NOT_FOUND"
    before = ("features", "get", "spend", "card_id=1", "--at", "2025-12-31", "--json")
    assert views(*before).json["values"] == {"usual": None}
    assert views("features", "list", "--json").json[0]["rows_behind"] == 0


def test_a_wrong_key_or_time_is_a_sentence(views):
    for key in ("card=1", "card_id"):
        told = views("features", "get", "spend", key, code=2).err
        assert "Write card_id=VALUE." in told
    assert "'x' is no Int64" in views("features", "get", "spend", "card_id=x", code=2).err
    wrong = views("features", "get", "spend", "card_id=1", "--at", "noon", code=2).err
    assert "Write for example 2026-03-01T12:00Z." in wrong


def test_a_backfill_computes_what_is_not_there(views):
    days = ("--start", "2026-01-01", "--end", "2026-01-06")
    done = views("features", "backfill", "spend", "views.py:compute", *days)
    assert "2 of 5 intervals" in done.out
    assert "2026-01-05 00:00 to" in done.err
    assert "2026-01-02 00:00 to" not in done.err
    told = views("features", "backfill", "spend", "views.py:computed", *days, code=2).err
    assert "has no function 'computed'" in told


def test_a_key_is_erased_for_good_when_that_is_confirmed(views):
    views("features", "materialize")
    assert "Nothing was erased" in views("features", "erase", "card_id=1").out
    assert views("features", "erase", "card_id=1", "--json").json["rows"] == {"spend": 3}
    erased = views("features", "erase", "card_id=1", "--yes", "--json").json
    found = {each["kind"]: each["rows"] for each in erased["places"]}
    assert found == {"history": 3, "online": 1, "log": 0}
    assert views("features", "erase", "card_id=1", "--json").json["rows"] == {"spend": 0}
    assert views("features", "get", "spend", "card_id=1", "--json").json["status"] == "NOT_FOUND"
    assert "No feature view has the key" in views("features", "erase", "card=1", code=2).err
