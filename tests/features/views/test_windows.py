"""Windows against brute force, and a stream with late events against a batch; bit-equal."""

import math
import struct
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from tests.features.feature_rows import CARD, NOON
from tests.hunting import SEED, length

from penstock.core import DataError, DefinitionError, SchemaError
from penstock.features.views import FeatureView, WindowFeature, Windows, fold

SECOND = timedelta(seconds=1)
CASES = length(120, 10_000)
FLOATS = [0.0, -0.0, 0.1, -0.1, 1e16, -1e16, 1.0, 1e308, -1e308, 5e-324, 2.5]
ODD = [math.inf, -math.inf, math.nan]


def windows_of(rng):
    """Windows of every aggregate, with one to three lengths."""
    every = timedelta(seconds=int(rng.integers(1, 4)))
    lengths = [every * int(each) for each in rng.integers(1, 5, rng.integers(1, 4))]
    features = {
        f"{column}_{kind}_{i}": WindowFeature(column, kind, each)
        for i, each in enumerate(lengths)
        for column in ("amount", "items")
        for kind in ("count", "sum", "mean", "min", "max")
    }
    return Windows(CARD, features, every=every)


def events_of(rng, rows=12, cards=2):
    """Events in a few seconds, at and beside the edges of windows; floats that round, nulls."""
    pool = FLOATS + (ODD if rng.random() < 0.2 else []) + [None]
    at = rng.integers(-6, 12, rows) * 1_000_000 + rng.choice([0, 0, 1, -1, 500_000], rows)
    return pl.DataFrame(
        {
            "card_id": rng.integers(0, cards, rows),
            "event_time": pl.Series(at).cast(pl.Datetime("us", "UTC")),
            "amount": pl.Series(
                [pool[i] for i in rng.integers(len(pool), size=rows)], dtype=pl.Float64
            ),
            "items": pl.Series([*rng.integers(-5, 5, rows - 1), None], dtype=pl.Int64),
        }
    ).with_row_index("arrival")


def brute_force(events, windows, card, end):
    """The features of a card's windows that end at a time, from the events (dicts) themselves."""
    own = [each for each in events if each["card_id"] == card and each["event_time"] < end]
    found = {}
    for name, each in windows.features.items():
        inside = [row[each.column] for row in own if row["event_time"] >= end - each.length]
        found[name] = aggregate([each for each in inside if each is not None], each.aggregate)
    return found


def aggregate(values, kind):
    if kind == "count":
        return len(values)
    if kind == "sum" and not values:
        return 0.0
    if not values:
        return None
    if kind in {"min", "max"}:
        if any(math.isnan(each) for each in values):
            return math.nan
        return min(values) if kind == "min" else max(values)
    if not all(math.isfinite(each) for each in values):
        return sum(each for each in values if not math.isfinite(each))
    exact = sum(map(Fraction, values))
    try:
        return float(exact / len(values) if kind == "mean" else exact)
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


def same(found, expected):
    """Equal values; of floats, equal bits (0.0 for -0.0, one NaN)."""
    if found is None or expected is None:
        return found is expected
    return struct.pack("<d", _plain(found)) == struct.pack("<d", _plain(expected))


def _plain(number):
    return math.nan if math.isnan(number) else float(number) + 0.0


@pytest.mark.hunt
def test_every_window_is_what_brute_force_finds():
    rng = np.random.default_rng(SEED)
    for case in range(CASES):
        windows, events = windows_of(rng), events_of(rng, int(rng.integers(1, 12)))
        rows, dicts = windows.rows(windows.tiles(events)), events.to_dicts()
        for row in rows.to_dicts():
            expected = brute_force(dicts, windows, row["card_id"], row["event_time"])
            wrong = [name for name, value in expected.items() if not same(row[name], value)]
            assert not wrong, (case, row, expected, wrong)


def test_between_rows_no_window_changes():
    """As features hold until the next row, each time at which windows are read has its values."""
    rng = np.random.default_rng(SEED)
    for _ in range(30):
        windows, events = windows_of(rng), events_of(rng, 5, cards=1)
        rows = windows.rows(windows.tiles(events))
        card, dicts = rows["card_id"][0], events.to_dicts()
        longest = max(each.length for each in windows.features.values())
        end = rows["event_time"].min()
        while end <= rows["event_time"].max() + longest:
            last = rows.filter(pl.col("event_time") <= end).tail(1).to_dicts()[0]
            expected = brute_force(dicts, windows, card, end)
            assert all(same(last[name], value) for name, value in expected.items())
            end += windows.every


@pytest.mark.hunt
def test_a_stream_with_late_events_ends_as_the_batch():
    rng = np.random.default_rng(SEED)
    for _ in range(length(20, 1_000)):
        windows, events = windows_of(rng), events_of(rng, int(rng.integers(2, 20)))
        streamed = stream(windows, events, rng)
        batch = windows.rows(windows.tiles(events))
        names = ["card_id", "event_time"]
        found = batch.select(names).join(streamed, on=names, how="left", maintain_order="left")
        assert found.height == batch.height
        for row, expected in zip(found.to_dicts(), batch.to_dicts(), strict=True):
            assert all(same(row[name], expected[name]) for name in windows.features), (
                row,
                expected,
            )


def stream(windows, events, rng):
    """Write rows while events arrive in any order, in batches; return the newest of each window."""
    events = events.sample(fraction=1.0, shuffle=True, seed=int(rng.integers(2**31)))
    cuts = np.sort(rng.integers(1, events.height, 2)).tolist()
    tiles, after, written = None, None, []
    for number, (start, end) in enumerate(zip([0, *cuts], [*cuts, events.height], strict=True)):
        arrived = windows.tiles(events[start:end])
        tiles = arrived if tiles is None else windows.merge(tiles, arrived)
        last = number == 2
        until = (
            None if last else datetime(1970, 1, 1, tzinfo=UTC) + SECOND * int(rng.integers(-6, 12))
        )
        if after is not None and until is not None:
            until = max(until, after)
        rows = windows.rows(tiles, after=after, until=until, changed=arrived if number else None)
        known = NOON + number * SECOND
        written.append(rows.with_columns(available_at=known, seq=number))
        after = until
    return fold(pl.concat(written), ["card_id", "event_time"]).drop("available_at", "seq")


def test_tiles_merge_in_any_order_to_the_same_bits():
    rng = np.random.default_rng(SEED)
    for _ in range(30):
        windows, events = windows_of(rng), events_of(rng, 16)
        whole = windows.rows(windows.tiles(events))
        parts = [windows.tiles(each) for each in events.iter_slices(3)]
        rng.shuffle(parts)
        merged = parts[0]
        for each in parts[1:]:
            merged = windows.merge(merged, each)
        found = windows.rows(merged)
        keys = ["card_id", "event_time"]
        for row, expected in zip(
            found.sort(keys).to_dicts(), whole.sort(keys).to_dicts(), strict=True
        ):
            assert all(same(row[name], expected[name]) for name in expected if name not in keys)


def test_the_edges_of_a_window():
    windows = Windows(CARD, {"n": WindowFeature("amount", "count", "2s")}, every="1s")
    at = [NOON, NOON + SECOND]
    events = pl.DataFrame({"card_id": 1, "event_time": at, "amount": 1.0})
    found = {
        row["event_time"] - NOON: row["n"] for row in windows.rows(windows.tiles(events)).to_dicts()
    }
    # An event at the end of a window is not in it, one at its beginning is.
    assert found == {SECOND: 1, 2 * SECOND: 2, 3 * SECOND: 1, 4 * SECOND: 0}


def test_the_rows_fit_into_a_feature_view():
    windows = Windows(CARD, {"spent": WindowFeature("amount", "sum", "1d")}, every="1d")
    events = pl.DataFrame({"card_id": [1], "event_time": [NOON], "amount": [2.0]})
    rows = windows.rows(windows.tiles(events))
    view = FeatureView("spent", CARD, {"spent": pl.Float64})
    assert {**CARD.dtypes, **view.dtypes}.items() <= rows.schema.items()
    assert rows["event_time"].to_list() == [
        NOON.replace(hour=0) + timedelta(days=d) for d in (1, 2)
    ]


def test_a_sum_of_integers_beyond_64_bits_is_refused():
    windows = Windows(CARD, {"n": WindowFeature("items", "sum", "1s")}, every="1s")
    events = pl.DataFrame({"card_id": 1, "event_time": [NOON] * 2, "items": [2**62] * 2})
    with pytest.raises(DataError, match="does not fit into 64 bits"):
        windows.rows(windows.tiles(events))


def test_a_length_that_tiles_do_not_fill_is_refused():
    with pytest.raises(DefinitionError, match="windows of 0:00:03, read every 0:00:02"):
        Windows(CARD, {"n": WindowFeature("items", "sum", "3s")}, every="2s")
    with pytest.raises(DefinitionError):
        Windows(CARD, {"n": WindowFeature("items", "sum", "3s")}, every="0s")


@pytest.mark.parametrize("values", [["1"], [True], None])
def test_a_column_that_is_no_number_is_refused(values):
    windows = Windows(CARD, {"n": WindowFeature("items", "sum", "1s")}, every="1s")
    events = pl.DataFrame({"card_id": 1, "event_time": [NOON]})
    if values:
        events = events.with_columns(items=pl.Series(values))
    with pytest.raises(SchemaError, match="Column 'items' of the events is"):
        windows.tiles(events)
