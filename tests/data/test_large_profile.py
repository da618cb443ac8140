"""The profile of a table above the limit: exact counts, good estimates, whatever the chunks."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from penstock.data import _large_profile, profile_table
from penstock.data._large_profile import describe_table
from penstock.data._schema import infer_schema
from penstock.stores import ChunkedTable, TableChunk


@pytest.fixture(autouse=True)
def low_limits(monkeypatch):
    monkeypatch.setattr(_large_profile, "_WHOLE_ROWS", 1_000)
    monkeypatch.setattr(_large_profile, "_SAMPLE_ROWS", 5_000)
    monkeypatch.setattr(_large_profile, "_STRETCH", 2_000)
    monkeypatch.setattr(_large_profile, "_HASHES", 256)


def table(rows: int = 40_000) -> pl.DataFrame:
    random = np.random.default_rng(7)
    normal = random.normal(size=rows)
    floats = [None if i % 17 == 0 else float(x) for i, x in enumerate(normal)]
    floats[11], floats[rows - 3] = float("nan"), float("inf")
    return pl.DataFrame(
        {
            "id": range(rows),
            "x": floats,
            "code": random.integers(0, 9, rows),
            "walk": np.cumsum(random.normal(size=rows)),
            "word": [f"w{i}" for i in random.zipf(1.5, rows) % 300],
            "flag": random.random(rows) < 0.2,
            "at": [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=i) for i in range(rows)],
            "same": ["a"] * rows,
            "rare": ["a"] * (rows - 1) + ["b"],
            "none": pl.Series([None] * rows, dtype=pl.Float64),
            "list": [[1, 2]] * rows,
        }
    )


def chunked(frame: pl.DataFrame, size: int) -> ChunkedTable:
    return ChunkedTable([TableChunk.of(part) for part in frame.iter_slices(size)])


def test_chunks_change_nothing():
    frame = table()
    first, second = (describe_table(chunked(frame, size)) for size in (3_001, 40_000))
    assert first == second


def test_counts_are_exact_and_estimates_are_near():
    frame = table()
    schema, profile = describe_table(chunked(frame, 3_001))
    exact = profile_table(frame)
    assert profile.rows == exact.rows
    for name, column in profile.columns.items():
        known = exact.columns[name]
        assert (column.rows, column.missing, column.infinite) == (
            known.rows, known.missing, known.infinite,
        )  # fmt: skip
        assert (column.min, column.max) == (known.min, known.max)
        assert column.kind == known.kind
        assert column.sample > 0
        if column.edges:
            values = frame[name]
            values = values.to_physical() / 1e6 if values.dtype == pl.Datetime else values
            present = values.cast(float).fill_nan(None).drop_nulls().to_numpy()
            assert sum(column.counts) == len(present)
            assert column.counts[0] == (present <= column.edges[1]).sum()
        if column.top:
            levels = frame[name].drop_nulls().cast(pl.String)
            for level, rows in column.top:
                assert rows == (levels == level).sum()
            assert column.other == len(levels) - sum(rows for _, rows in column.top)
        if column.std:
            assert abs(column.mean - known.mean) < 0.05 * known.std
            assert abs(column.std - known.std) < 0.05 * known.std
        if known.unique:
            assert abs(column.unique - known.unique) <= 0.2 * known.unique
    assert [column.kind for column in schema] == [column.kind for column in infer_schema(frame)]
    assert [c.nullable for c in schema] == [c.nullable for c in infer_schema(frame)]


def test_rows_that_depend_on_their_neighbours_are_known_to():
    _, profile = describe_table(chunked(table(), 3_001))
    assert profile.columns["walk"].dependence.tau > 50
    assert profile.columns["x"].dependence.tau < 2


def test_a_value_that_only_one_row_has_is_no_constant():
    _, profile = describe_table(chunked(table(), 3_001))
    assert profile.columns["rare"].kind == "category"
    assert dict(profile.columns["rare"].top) == {"a": 39_999, "b": 1}
    assert profile.columns["same"].kind == "constant"


def test_tables_below_the_limit_have_exact_profiles():
    frame = table(900)
    assert describe_table(chunked(frame, 100)) == (infer_schema(frame), profile_table(frame))


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (True, pl.Boolean),
        ("a", pl.Enum(["a", "b"])),
        ("a", pl.Categorical),
        (timedelta(1), pl.Duration),
        ([1], pl.List(pl.Int64)),
    ],
)
def test_a_column_with_a_single_value_is_not_empty(value, dtype):
    values = [None] * 20_000
    values[1] = value  # not in the sample of every fourth row
    frame = pl.DataFrame({"a": pl.Series(values, dtype=dtype)})
    schema, profile = describe_table(chunked(frame, 3_001))
    exact = profile_table(frame).columns["a"]
    column = profile.columns["a"]
    assert schema["a"].kind == infer_schema(frame)["a"].kind
    assert (column.top, column.missing, column.unique) == (exact.top, 19_999, exact.unique)


def test_infinite_and_signed_zeros_are_as_in_an_exact_profile():
    zeros = [0.0, -0.0, float("nan"), float("-inf"), 1.5] * 4_000
    frame = pl.DataFrame({"zeros": zeros, "odd": [1.0] * 19_999 + [float("inf")]})
    first, second = (describe_table(chunked(frame, size)) for size in (37, 20_000))
    assert first == second
    exact = profile_table(frame).columns
    for name, column in first[1].columns.items():
        known = exact[name]
        assert (column.kind, column.unique, column.infinite) == (
            known.kind, known.unique, known.infinite,
        )  # fmt: skip
