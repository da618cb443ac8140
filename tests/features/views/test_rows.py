"""Rows before a write: dtypes and times as declared, nothing known before it happens or after now."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pandas as pd
import polars as pl
import pytest
from tests.features.feature_rows import HOUR, NOON, SPEND, spend

from penstock.core import DataError, SchemaError, set_clock
from penstock.features.views import FeatureView, to_rows


@pytest.fixture(autouse=True)
def clock():
    set_clock(lambda: NOON + 10 * HOUR)
    yield
    set_clock(None)


def test_rows_have_the_columns_of_the_history_but_seq():
    rows = to_rows(SPEND, spend((1, 0, 2, 5.0)).with_columns(other=pl.lit("ignored")))
    assert rows.columns == [name for name in SPEND.schema if name != "seq"]
    assert rows.row(0) == (1, NOON, NOON + 2 * HOUR, False, 5.0)


def test_a_pandas_frame_is_the_same_rows():
    frame = spend((1, 0, 2, 5.0), (2, 1, 1, None))
    pandas = pd.DataFrame(frame.to_dicts())
    assert (
        to_rows(SPEND, pandas)
        .with_columns(pl.col("amount").fill_nan(None))
        .equals(to_rows(SPEND, frame))
    )


def test_deletes_need_no_values():
    rows = to_rows(SPEND, spend((1, 0, 2, 5.0)).drop("amount"), is_deleted=True)
    assert rows["is_deleted"].to_list() == [True]
    assert rows["amount"].to_list() == [None]


def test_by_default_rows_are_known_when_they_are_written():
    view = replace(SPEND, available_at=None)
    rows = to_rows(view, spend((1, 0, 0, 5.0), (1, 3, 3, 5.0)).drop("known_at"))
    assert rows["available_at"].to_list() == [NOON + 10 * HOUR] * 2


def test_a_delay_counts_from_the_event_but_never_beyond_the_write():
    view = replace(SPEND, available_at=timedelta(hours=4))
    rows = to_rows(view, spend((1, 0, 0, 5.0), (1, 9, 9, 5.0)))
    assert rows["available_at"].to_list() == [NOON + 4 * HOUR, NOON + 10 * HOUR]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC"])
def test_times_of_any_zone_are_the_same_moments(zone):
    # The day on which clocks in Berlin go back: 02:30 is there twice.
    twice = [datetime(2025, 10, 26, 0, 30, tzinfo=UTC), datetime(2025, 10, 26, 1, 30, tzinfo=UTC)]
    frame = pl.DataFrame(
        {"card_id": [1, 1], "event_time": twice, "known_at": twice, "amount": [1.0, 2.0]}
    )
    moved = frame.with_columns(pl.col("event_time", "known_at").dt.convert_time_zone(zone))
    assert to_rows(SPEND, moved)["event_time"].to_list() == twice


@pytest.mark.parametrize(
    "column",
    [
        pl.lit("2026-01-05T12:00:00Z"),
        pl.lit(NOON.date()),
        pl.lit(NOON).dt.replace_time_zone(None),
        pl.lit(1767614400),
    ],
)
@pytest.mark.parametrize("name", ["event_time", "known_at"])
def test_a_time_without_a_zone_is_refused(name, column):
    with pytest.raises(SchemaError, match=f"'{name}' .* has no time zone") as refused:
        to_rows(SPEND, spend((1, 0, 0, 1.0)).with_columns(column.alias(name)))
    assert "replace_time_zone" in refused.value.fix


@pytest.mark.parametrize("name", ["card_id", "event_time", "known_at", "amount"])
def test_a_missing_column_is_named(name):
    with pytest.raises(SchemaError, match=f"no column '{name}'"):
        to_rows(SPEND, spend((1, 0, 0, 1.0)).drop(name))


@pytest.mark.parametrize("name", ["card_id", "event_time", "known_at"])
def test_a_row_without_key_or_time_is_refused(name):
    frame = pl.concat([spend((1, 0, 0, 1.0)), spend((1, 0, 0, 1.0)).with_columns(pl.lit(None).alias(name))],
                      how="vertical_relaxed")  # fmt: skip
    with pytest.raises(DataError, match=f"1 of 2 rows .* have no '{name}'"):
        to_rows(SPEND, frame)


def test_an_event_after_its_knowledge_is_refused():
    with pytest.raises(
        DataError, match=r"2 of 3 rows .* happen after they are known; the first is row 1"
    ):
        to_rows(SPEND, spend((1, 0, 0, 1.0), (1, 2, 1, 1.0), (1, 3, 1, 1.0)))


def test_what_is_written_is_known():
    with pytest.raises(DataError, match="known only after now; the first is row 0"):
        to_rows(SPEND, spend((1, 0, 11, 1.0)))


def test_an_event_in_the_future_is_refused_whatever_the_rule():
    for rule in (None, timedelta(0), timedelta(hours=1)):
        with pytest.raises(DataError):
            to_rows(replace(SPEND, available_at=rule), spend((1, 11, 11, 1.0)))


@pytest.mark.parametrize(
    ("declared", "given", "fits"),
    [
        (pl.Int64, pl.Int8, True),
        (pl.Int64, pl.Null, True),
        (pl.Int8, pl.Int64, False),
        (pl.Float64, pl.Float32, False),
        (pl.Float64, pl.Int64, False),
        (pl.Int64, pl.Float64, False),
        (pl.Int64, pl.UInt8, False),
        (pl.String, pl.Categorical, False),
        (pl.Boolean, pl.Int8, False),
        (pl.Decimal(9, 2), pl.Decimal(9, 3), False),
        (pl.List(pl.Int64), pl.List(pl.Int32), False),
        (pl.Datetime("us", "UTC"), pl.Datetime("ms", "Europe/Berlin"), True),
        (pl.Datetime("us", "UTC"), pl.Datetime("us"), False),
    ],
)
def test_only_what_changes_no_value_is_converted(declared, given, fits):
    view = FeatureView("v", SPEND.entity, {"a": declared}, available_at="known_at")
    frame = spend((1, 0, 0, 1.0)).with_columns(a=pl.lit(None, dtype=given))
    if fits:
        assert to_rows(view, frame)["a"].dtype == declared
    else:
        with pytest.raises(SchemaError, match="declared is") as refused:
            to_rows(view, frame)
        assert "cast" in refused.value.fix


def test_an_empty_frame_is_no_rows():
    assert to_rows(SPEND, spend()).height == 0


def test_a_part_of_a_microsecond_counts_as_a_whole_one():
    at = pl.Series([0, 1, 999, 1_000, -1]).cast(pl.Datetime("ns", "UTC"))
    frame = pl.DataFrame({"card_id": 1, "event_time": at, "known_at": at, "amount": 1.0})
    found = to_rows(SPEND, frame)["event_time"].to_physical().to_list()
    assert found == [0, 1, 1, 1, 0]
