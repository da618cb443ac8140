"""The digest of a table does not depend on the slices it is built from."""

from datetime import UTC
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from penstock.stores import TableDigest
from penstock.stores.artifacts._polars import digest_polars

_NUMBER = st.none() | st.integers(-3, 3)
_TEXT = st.none() | st.sampled_from(["", "a", "é", "日本", "x" * 300])
_SCHEMA: dict[str, Any] = {
    "i": pl.Int64,
    "f": pl.Float64,
    "b": pl.Boolean,
    "s": pl.String,
    "x": pl.Binary,
    "c": pl.Categorical,
    "e": pl.Enum(["a", "b"]),
    "d": pl.Decimal(10, 2),
    "t": pl.Datetime("us", "UTC"),
    "l": pl.List(pl.Int32),
    "ls": pl.List(pl.String),
    "st": pl.Struct({"n": pl.Int64, "s": pl.String}),
    "a": pl.Array(pl.Int64, 2),
    "n": pl.Null,
}
_ROW = st.fixed_dictionaries(
    {
        "i": _NUMBER,
        "f": st.none() | st.floats(),
        "b": st.none() | st.booleans(),
        "s": _TEXT,
        "x": st.none() | st.binary(max_size=4),
        "c": _TEXT,
        "e": st.sampled_from([None, "a", "b"]),
        "d": st.none() | st.decimals(-9, 9, places=2),
        "t": st.none() | st.datetimes(timezones=st.just(UTC)),
        "l": st.none() | st.lists(_NUMBER, max_size=3),
        "ls": st.none() | st.lists(_TEXT, max_size=3),
        "st": st.fixed_dictionaries({"n": _NUMBER, "s": _TEXT}),
        "a": st.none() | st.just([1, 2]),
        "n": st.none(),
    }
)


@given(rows=st.lists(_ROW, max_size=12), sizes=st.lists(st.integers(1, 5), min_size=12))
def test_slices_have_the_digest_of_the_whole(rows, sizes):
    table = pl.DataFrame(rows, schema=_SCHEMA)
    state, start = TableDigest(), 0
    for size in sizes:
        state.update(table[start : start + size])
        start += size
    assert state.digest() == digest_polars(table)


def test_threads_change_nothing():
    table = pl.DataFrame({f"c{i}": range(20_000) for i in range(8)})
    one_by_one = TableDigest()
    for start in range(0, table.height, 1_000):
        one_by_one.update(table[start : start + 1_000])
    assert one_by_one.digest() == digest_polars(table)
