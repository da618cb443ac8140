"""Views and rows for the tests of feature views: every dtype, and values that are easily changed."""

import struct
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl
from hypothesis import strategies as st

from penstock.features.views import Entity, FeatureView

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
CARD = Entity("card", {"card_id": pl.Int64})
SHOP_ITEM = Entity("shop_item", {"shop": pl.String, "item": pl.Int16, "day": pl.Date})
SPEND = FeatureView("spend", CARD, {"amount": pl.Float64}, available_at="known_at")
PLAIN = {
    "i8": pl.Int8(),
    "i16": pl.Int16(),
    "i32": pl.Int32(),
    "i64": pl.Int64(),
    "f32": pl.Float32(),
    "f64": pl.Float64(),
    "flag": pl.Boolean(),
    "text": pl.String(),
    "raw": pl.Binary(),
    "day": pl.Date(),
    "at": pl.Datetime("us", "UTC"),
    "money": pl.Decimal(38, 4),
}
EVERY = {**PLAIN, **{f"{name}s": pl.List(kind) for name, kind in PLAIN.items()}}
EVERY_VIEW = FeatureView("every", CARD, EVERY, available_at="known_at")


def spend(*rows):
    """Rows of SPEND: card, hours after noon of the event, of knowledge, amount."""
    return pl.DataFrame(
        [
            {"card_id": card, "event_time": NOON + event * HOUR, "known_at": NOON + known * HOUR,
             "amount": amount}
            for card, event, known, amount in rows
        ],
        schema={"card_id": pl.Int64, "event_time": pl.Datetime("us", "UTC"),
                "known_at": pl.Datetime("us", "UTC"), "amount": pl.Float64},
    )  # fmt: skip


def labels(*rows):
    """Labels: card, hours after noon."""
    return pl.DataFrame(
        [{"card_id": card, "time": NOON + hours * HOUR} for card, hours in rows],
        schema={"card_id": pl.Int64, "time": pl.Datetime("us", "UTC")},
    )


def bits(frame):
    """Return a frame's values so that equal means bit-equal: floats as their bytes."""
    return {column.name: [_bits(each) for each in column.to_list()] for column in frame}


def _bits(value):
    if isinstance(value, float):
        return struct.pack("<d", value)
    return [_bits(each) for each in value] if isinstance(value, list) else value


def _float(pattern):
    return struct.unpack("<d", pattern.to_bytes(8, "little"))[0]


# Every pattern of bits: payloads of NaN, -0.0, the smallest numbers.
FLOATS = st.integers(0, 2**64 - 1).map(_float) | st.sampled_from(
    [-0.0, float("nan"), _float(0x7FF8000000001234), float("inf"), 5e-324]
)
SINGLES = st.integers(0, 2**32 - 1).map(
    lambda pattern: struct.unpack("<f", pattern.to_bytes(4, "little"))[0]
)
TEXTS = st.text() | st.sampled_from(["", "é", "e\u0301", "\x00", "null", "NaN", " a "])
VALUES = {
    "i8": st.integers(-(2**7), 2**7 - 1),
    "i16": st.integers(-(2**15), 2**15 - 1),
    "i32": st.integers(-(2**31), 2**31 - 1),
    "i64": st.integers(-(2**63), 2**63 - 1),
    "f32": SINGLES,
    "f64": FLOATS,
    "flag": st.booleans(),
    "text": TEXTS,
    "raw": st.binary(max_size=9),
    "day": st.dates(date(1, 1, 1), date(9999, 12, 31)),
    "at": st.datetimes(timezones=st.just(UTC)),
    "money": st.integers(-(10**38) + 1, 10**38 - 1).map(lambda n: Decimal(n).scaleb(-4)),
}
VALUES |= {f"{name}s": st.lists(st.none() | each, max_size=4) for name, each in VALUES.items()}
EVERY_ROW = st.fixed_dictionaries({name: st.none() | each for name, each in VALUES.items()})
