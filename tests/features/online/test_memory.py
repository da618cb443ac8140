"""MemoryOnlineStore and read_online: the reference of all online stores."""

from datetime import timedelta

import polars as pl
import pytest
from tests.features.feature_rows import CARD, HOUR, NOON

from penstock.features.online import MemoryOnlineStore, read_online
from penstock.features.views import FeatureView, RowCodec
from penstock.testing import OnlineStoreContract

VIEW = FeatureView("spend", CARD, {"amount": pl.Float64, "tags": pl.List(pl.String)}, ttl="2h")
KEYS = pl.DataFrame({"card_id": [1, 2]})


@pytest.fixture
def store():
    return MemoryOnlineStore()


class TestMemoryOnlineStore(OnlineStoreContract):
    """The contract."""


def put(store, *rows):
    """Put rows of (card, event, seq, is_deleted, amount)."""
    table = pl.DataFrame(
        [(card, NOON + at * HOUR, NOON + at * HOUR, seq, gone, amount, ["a"])
         for card, at, seq, gone, amount in rows],
        schema=VIEW.schema, orient="row",
    )  # fmt: skip
    return store.put("spend", RowCodec(VIEW).encode(table))


def amounts(store, hours, keys=KEYS):
    return read_online(store, RowCodec(VIEW), keys, NOON + hours * HOUR)["amount"].to_list()


def test_keys_without_an_entry_have_no_values(store):
    found = read_online(store, RowCodec(VIEW), KEYS, NOON)
    assert found.schema == VIEW.dtypes
    assert found.rows() == [(None, None)] * 2
    assert amounts(store, 0, KEYS.clear()) == []


def test_keys_are_answered_in_their_order_and_more_than_once(store):
    put(store, (1, 0, 1, False, 1.0), (2, 0, 2, False, 2.0))
    assert amounts(store, 0, KEYS[[1, 0, 1]]) == [2.0, 1.0, 2.0]


def test_an_older_row_never_replaces_a_newer_one(store):
    assert put(store, (1, 1, 5, False, 1.0)) == 1
    assert put(store, (1, 0, 9, False, 2.0), (1, 1, 4, False, 3.0)) == 0
    assert put(store, (1, 1, 5, False, 4.0)) == 0  # the same again
    assert amounts(store, 1) == [1.0, None]


def test_a_delete_stays_when_an_older_row_comes_late(store):
    put(store, (1, 1, 2, True, None))
    put(store, (1, 0, 1, False, 1.0))
    assert amounts(store, 1) == [None, None]


def test_values_expire_after_the_ttl(store):
    put(store, (1, 0, 1, False, 1.0))
    at = NOON + 2 * HOUR
    for later, expected in [(timedelta(0), 1.0), (timedelta(microseconds=1), None)]:
        found = read_online(store, RowCodec(VIEW), KEYS[:1], at + later)
        assert found["amount"].to_list() == [expected]
