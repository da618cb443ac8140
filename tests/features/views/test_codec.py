"""RowCodec: what comes back is bit-equal, and sort keys compare as the order of rows does."""

from decimal import Context

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.features.feature_rows import CARD, EVERY, EVERY_ROW, EVERY_VIEW, NOON, SHOP_ITEM, bits

from penstock.core import DataError
from penstock.features.views import FeatureView, RowCodec
from penstock.features.views._codec import decode_sort_keys, encode_sort_keys

SYSTEM = {"card_id": 7, "event_time": NOON, "available_at": NOON, "seq": 1, "is_deleted": False}
MOMENTS = st.datetimes(timezones=st.just(NOON.tzinfo))


def rows_of(values, view=EVERY_VIEW):
    return pl.DataFrame([SYSTEM | each for each in values], schema=view.schema, orient="row")


@given(st.lists(EVERY_ROW, min_size=1, max_size=4))
def test_every_value_comes_back_bit_equal(values):
    rows = rows_of(values)
    found = RowCodec(EVERY_VIEW).decode(RowCodec(EVERY_VIEW).encode(rows))
    assert found.schema == rows.schema
    assert bits(found) == bits(rows)


@pytest.mark.parametrize("name", EVERY)
def test_nulls_of_each_dtype_come_back_beside_values(name):
    view = FeatureView("one", CARD, {name: EVERY[name]}, available_at="known_at")
    rows = rows_of([{name: None}], view)
    found = RowCodec(view).decode(RowCodec(view).encode(rows))
    assert found.equals(rows)


@given(st.lists(st.tuples(MOMENTS, MOMENTS, st.integers(-(2**63), 2**63 - 1)), min_size=2))
def test_sort_keys_compare_as_bytes_as_the_tuples_do(order):
    rows = pl.DataFrame(
        order,
        schema={**{n: EVERY_VIEW.schema[n] for n in ("event_time", "available_at", "seq")}},
        orient="row",
    )
    keys = encode_sort_keys(rows)
    assert decode_sort_keys(keys).rows() == order
    by_bytes = sorted(range(len(order)), key=keys.__getitem__)
    assert [order[i] for i in by_bytes] == sorted(order)


@given(st.lists(st.tuples(st.text(), st.integers(-(2**15), 2**15 - 1), st.dates()), unique=True))
def test_keys_are_equal_only_if_all_columns_are(keys):
    view = FeatureView("stock", SHOP_ITEM, {"left": pl.Int64})
    frame = pl.DataFrame(keys, schema=SHOP_ITEM.dtypes, orient="row")
    assert len(set(RowCodec(view).encode_keys(frame))) == len(keys)


def test_a_value_of_another_definition_is_refused():
    before = FeatureView("one", CARD, {"a": pl.Int64, "b": pl.Float64})
    after = FeatureView("one", CARD, {"b": pl.Float64, "a": pl.Int64})
    entries = RowCodec(before).encode(rows_of([{"a": 1, "b": 2.0}], before))
    with pytest.raises(DataError, match="written for different columns"):
        RowCodec(after).decode(entries)


def test_a_ttl_that_changes_leaves_values_readable():
    before, after = (FeatureView("one", CARD, {"a": pl.Int64}, ttl=ttl) for ttl in ("1d", "2d"))
    entries = RowCodec(before).encode(rows_of([{"a": 1}], before))
    assert RowCodec(after).decode(entries)["a"].item() == 1


def test_decimals_of_38_digits_are_exact_whatever_the_context_of_the_process():
    view = FeatureView("money", CARD, {"money": pl.Decimal(38, 4)})
    largest = Context(prec=50).create_decimal("9999999999999999999999999999999999.9999")
    rows = rows_of([{"money": largest}, {"money": -largest}], view)
    assert RowCodec(view).decode(RowCodec(view).encode(rows)).equals(rows)
