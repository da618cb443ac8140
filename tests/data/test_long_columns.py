"""Columns of long texts, lists and bytes have schema and profile of a column in memory, from passes."""

import numpy as np
import polars as pl
import pytest

from penstock.data import Snapshot, _long_columns, split_table
from penstock.data._large_profile import describe_table
from penstock.data._long_columns import long_columns
from penstock.data._profiling import describe_columns
from penstock.stores import ChunkedTable, TableChunk, content_digest

ROWS = 1_200


def columns():
    random = np.random.default_rng(9)
    words = [f"word{n}" for n in range(300)]
    prose = [" ".join(random.choice(words, 6)) for _ in range(ROWS)]
    some = random.random(ROWS) < 0.2
    return {
        "prose": prose,
        "gaps": [None if gone else text for text, gone in zip(prose, some, strict=True)],
        "ties": [f"t{n % 700:03}" for n in range(ROWS)],
        "skewed": [f"s{int(n)}" for n in random.geometric(0.05, ROWS)],
        "codes": [f"c{n:05}" for n in random.permutation(ROWS)],
        "few": list(random.choice(["yes", "no"], ROWS)),
        "same": ["x"] * ROWS,
        "mostly": ["x"] * (ROWS - 1) + [None],
        "blank": [""] * 5 + ["b"] * (ROWS - 5),
        "late": [None] * (ROWS - 3) + ["a", "b", "a"],
        "none": pl.Series([None] * ROWS, dtype=pl.String),
        "lists": [[n % 3, 1] for n in range(ROWS)],
        "no lists": pl.Series([None] * ROWS, dtype=pl.List(pl.Int64)),
        "bytes": [None, b"1"] * (ROWS // 2),
    }


def chunked(frame, chunks=7):
    at_once = -(-frame.height // chunks)
    return ChunkedTable([TableChunk.of(rows) for rows in frame.iter_slices(at_once)])


@pytest.mark.parametrize("stretch", [100_000, 50])
def test_a_column_in_passes_is_described_as_one_in_memory(monkeypatch, stretch):
    for module in ("penstock.data._dependence", "penstock.data._long_columns"):
        monkeypatch.setattr(f"{module}.STRETCH_ROWS", stretch)
    frame = pl.DataFrame(columns())
    whole = describe_columns(frame.columns, ROWS, frame.__getitem__)
    monkeypatch.setattr(_long_columns, "_LONG_BYTES", 0)
    table = chunked(frame)
    # Nothing but missing values takes no room.
    assert set(long_columns(table)) == set(frame.columns) - {"none"}
    assert describe_table(table) == whole


def test_a_split_with_long_texts_has_the_digest_of_one_in_memory(monkeypatch):
    random = np.random.default_rng(2)
    frame = pl.DataFrame(columns()).drop("lists", "no lists")
    frame = frame.with_columns(price=random.normal(size=ROWS))
    whole = content_digest(split_table(frame, target="price"))
    monkeypatch.setattr(_long_columns, "_LONG_BYTES", 0)
    snapshot = Snapshot.of(frame)
    object.__setattr__(snapshot, "_load_chunks", lambda: chunked(frame))
    assert content_digest(split_table(snapshot, target="price")) == whole


def test_columns_of_few_bytes_and_tables_of_one_chunk_are_read_whole(monkeypatch):
    frame = pl.DataFrame({"a": ["x" * 50] * 100, "b": [1] * 100})
    assert long_columns(chunked(frame)) == []
    monkeypatch.setattr(_long_columns, "_LONG_BYTES", 1_000)
    assert long_columns(chunked(frame)) == ["a"]
    assert long_columns(ChunkedTable.of(frame)) == []
