"""The point-in-time join against a brute-force oracle and DuckDB, and what it refuses."""

from dataclasses import replace
from datetime import timedelta

import duckdb
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.io.plugins import register_io_source
from tests.features.feature_rows import CARD, NOON, SHOP_ITEM, SPEND, labels
from tests.features.views.oracle import answer

from penstock.core import DataError, NotFoundError, SchemaError, StoreError
from penstock.features.views import FeatureView, as_of, plan_join, read_labels, select

TICK = timedelta(microseconds=1)
ROWS = st.lists(
    st.tuples(
        st.integers(0, 2),  # key
        st.integers(0, 9),  # event
        st.integers(0, 4),  # delay
        st.booleans() | st.just(value=False),  # is_deleted
    ),
    max_size=30,
)
LABELS = st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 15)), max_size=20)


def history(rows):
    """Rows of (key, event, delay, is_deleted) in microseconds after noon; the amount is the place."""
    return pl.DataFrame(
        [
            (key, NOON + event * TICK, NOON + (event + delay) * TICK, place, gone,
             None if gone else float(place))
            for place, (key, event, delay, gone) in enumerate(rows)
        ],
        schema=SPEND.schema,
        orient="row",
    )  # fmt: skip


def asked(rows):
    return pl.DataFrame(
        [(key, NOON + at * TICK) for key, at in rows],
        schema={"card_id": pl.Int64, "time": pl.Datetime("us", "UTC")},
        orient="row",
    )


def joined(view, label_rows, rows, *, event_time_only=False):
    chosen = select(view)
    read = read_labels(label_rows, "time", [chosen])
    return as_of(read, rows.lazy(), chosen, event_time_only=event_time_only)["amount"].to_list()


@given(
    ROWS,
    LABELS,
    st.none() | st.integers(0, 5),
    st.sampled_from(["<=", "<"]),
    st.booleans(),
)
def test_each_label_gets_what_brute_force_finds(rows, label_rows, ttl, edge, event_time_only):
    view = replace(SPEND, ttl=None if ttl is None else ttl * TICK, as_of=edge)
    table = history(rows)
    dicts = [row | {"key": row["card_id"]} for row in table.to_dicts()]
    expected = [
        answer(
            dicts, key, NOON + at * TICK, ttl=view.ttl, as_of=edge, event_time_only=event_time_only
        )
        for key, at in label_rows
    ]
    found = joined(view, asked(label_rows), table, event_time_only=event_time_only)
    assert found == [None if row is None else row["amount"] for row in expected]


@given(ROWS, LABELS)
def test_duckdb_finds_the_same(rows, label_rows):
    table, label_table = history(rows), asked(label_rows).with_row_index("place")
    found = duckdb.sql("""
        SELECT (SELECT CASE WHEN h.is_deleted THEN NULL ELSE h.amount END FROM "table" h
                WHERE h.card_id = l.card_id AND h.event_time <= l.time AND h.available_at <= l.time
                ORDER BY h.event_time DESC, h.available_at DESC, h.seq DESC LIMIT 1) AS amount
        FROM label_table l ORDER BY place
    """).pl()  # fmt: skip
    assert table.height >= 0
    assert joined(SPEND, label_table, table) == found["amount"].to_list()


@given(ROWS, LABELS)
def test_no_row_that_is_known_later_changes_an_answer(rows, label_rows):
    """The answer at a time is the same whether later rows are there or not."""
    table = history(rows)
    whole = joined(SPEND, asked(label_rows), table)
    for value, (key, at) in zip(whole, label_rows, strict=True):
        known = table.filter(pl.col("available_at") <= NOON + at * TICK)
        assert joined(SPEND, asked([(key, at)]), known) == [value]


def test_a_value_that_is_back_filled_later_is_not_seen_before():
    rows = history([(1, 0, 0, False), (1, 2, 7, False)])
    label_rows = asked([(1, 1), (1, 5), (1, 9)])
    assert joined(SPEND, label_rows, rows) == [0.0, 0.0, 1.0]
    assert joined(SPEND, label_rows, rows, event_time_only=True) == [0.0, 1.0, 1.0]


def test_a_late_row_of_an_older_event_never_wins():
    rows = history([(1, 5, 0, False), (1, 1, 8, False)])
    assert joined(SPEND, asked([(1, 4), (1, 6), (1, 9)]), rows) == [None, 0.0, 0.0]


def test_a_late_delete_of_an_older_event_deletes_nothing():
    rows = history([(1, 5, 0, False), (1, 1, 8, True)])
    assert joined(SPEND, asked([(1, 9)]), rows) == [0.0]


def test_labels_keep_order_columns_and_zone():
    label_rows = labels((2, 5), (1, 0), (2, 1)).with_columns(
        pl.col("time").dt.convert_time_zone("Europe/Berlin"), y=pl.Series([1, 0, 1])
    )
    read = read_labels(label_rows, "time", [select(SPEND)])
    assert read.drop("__at").equals(label_rows)


def test_keys_of_several_columns():
    view = FeatureView("stock", SHOP_ITEM, {"left": pl.Int64})
    day = NOON.date()
    keys = [("a", 1, day), ("a", 2, day), ("b", 1, day)]
    rows = pl.DataFrame(
        [(*key, NOON, NOON, i, False, i) for i, key in enumerate(keys)],
        schema=view.schema,
        orient="row",
    )
    asked_for = pl.DataFrame(
        [(*key, NOON) for key in [keys[2], ("b", 2, day), keys[0]]],
        schema={**SHOP_ITEM.dtypes, "time": pl.Datetime("us", "UTC")},
        orient="row",
    )
    read = read_labels(asked_for, "time", [select(view)])
    assert as_of(read, rows.lazy(), select(view), event_time_only=False)["left"].to_list() == [
        2,
        None,
        0,
    ]


def test_a_label_without_a_key_has_no_values():
    label_rows = labels((1, 5)).with_columns(card_id=pl.lit(None, dtype=pl.Int64))
    assert joined(SPEND, label_rows, history([(1, 0, 0, False)])) == [None]


@pytest.mark.parametrize("rows", [0, 1])
def test_no_labels_and_no_rows(rows):
    table = history([(1, 0, 0, False)] * rows)
    assert joined(SPEND, labels(), table) == []
    assert joined(SPEND, labels((1, 0)), table.clear()) == [None]


def test_a_label_time_without_a_zone_is_refused():
    naive = labels((1, 0)).with_columns(pl.col("time").dt.replace_time_zone(None))
    with pytest.raises(SchemaError, match="has no time zone"):
        read_labels(naive, "time", [select(SPEND)])


def test_a_label_without_a_time_is_refused():
    label_rows = labels((1, 0)).with_columns(time=pl.lit(None, dtype=pl.Datetime("us", "UTC")))
    with pytest.raises(DataError, match="1 of 1 rows for labels have no 'time'"):
        read_labels(label_rows, "time", [select(SPEND)])


def test_labels_without_the_key_are_refused():
    with pytest.raises(SchemaError, match="labels have no column 'card_id'") as refused:
        read_labels(labels((1, 0)).rename({"card_id": "card"}), "time", [select(SPEND)])
    assert "card" in refused.value.fix


def test_a_key_of_another_dtype_is_refused():
    with pytest.raises(SchemaError, match="labels of entity 'card' is String"):
        read_labels(labels((1, 0)).cast({"card_id": pl.String}), "time", [select(SPEND)])


def test_two_columns_of_a_name_are_refused():
    other = FeatureView("other", CARD, {"amount": pl.Float64})
    with pytest.raises(
        DataError, match="'amount' of feature view 'other' is in feature view 'spend'"
    ):
        plan_join([select(SPEND), select(other)])
    with pytest.raises(DataError, match="'amount' of feature view 'spend' is in the labels"):
        read_labels(labels((1, 0)).with_columns(amount=1.0), "time", [select(SPEND)])


def test_an_unknown_feature_is_refused_with_a_proposal():
    with pytest.raises(NotFoundError, match=r"no feature 'amuont'.*Did you mean 'amount'"):
        select(SPEND, ["amuont"])


def test_a_history_that_is_read_in_two_orders_is_refused():
    """More features than one block has are read twice: a table compacted between may turn around."""
    view = FeatureView("wide", CARD, {f"f{i:02}": pl.Int64 for i in range(25)})
    rows = pl.DataFrame(
        [(key, NOON, NOON, key, False, *[key] * 25) for key in range(3)],
        schema=view.schema,
        orient="row",
    )
    readings = []

    def read_turned(columns, predicate, n_rows, batch_size):
        readings.append(columns)
        yield (rows if len(readings) % 2 else rows.reverse()).select(columns or rows.columns)

    turned = register_io_source(read_turned, schema=rows.schema)
    read = read_labels(labels((0, 1), (2, 1)), "time", [select(view)])
    kept = as_of(read, rows.lazy(), select(view), event_time_only=False)
    assert kept["f24"].to_list() == [0, 2]
    with pytest.raises(StoreError, match="'wide' gave its rows in another order"):
        as_of(read, turned, select(view), event_time_only=False)
