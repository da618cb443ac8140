"""Splits in passes over chunks: the subsets and findings of a split in memory, bit for bit."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from penstock.core import DataError, LeakageError
from penstock.data import (
    Snapshot,
    Split,
    _large_split,
    _room,
    _shared_keys,
    _splitting,
    _table_writer,
    split_rows,
    split_table,
)
from penstock.data._table_writer import TableWriter
from penstock.stores import (
    ChunkedTable,
    Positions,
    Store,
    TableChunk,
    content_digest,
    open_store,
)
from penstock.stores.artifacts import _positions

ROWS = 3_000
CHUNKS = 7


def table() -> pl.DataFrame:
    random = np.random.default_rng(3)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    minutes = random.permutation(ROWS) // 2
    shops = [
        None if n % 97 == 0 else " " if n % 89 == 0 else f"s{n % 61 % 40}" for n in range(ROWS)
    ]
    return pl.DataFrame(
        {
            "row": range(ROWS),
            "at": [
                None if n % 101 == 0 else start + timedelta(minutes=int(m))
                for n, m in enumerate(minutes)
            ],
            "shop": shops,
            "size": random.normal(size=ROWS),
            "few": random.integers(0, 3, ROWS).astype(float),
            "color": pl.Series(random.choice(["red", "blue", "green"], ROWS), dtype=pl.Categorical),
            "paid": [None if n % 53 == 0 else n % 3 == 0 for n in range(ROWS)],
            "price": random.normal(size=ROWS).round(1),
            "text": random.choice(["yes", "no", "maybe"], ROWS),
        }
    )


def snapshot(frame: pl.DataFrame, store: Store | None = None) -> Snapshot:
    """A snapshot in several chunks, as a large table has."""
    at_once = -(-frame.height // CHUNKS)
    chunks = ChunkedTable([TableChunk.of(rows) for rows in frame.iter_slices(at_once)])
    made = replace(Snapshot.of(frame), _load_chunks=lambda: chunks)
    return made if store is None else store.get(store.put(made).digest)


def in_passes(monkeypatch):
    monkeypatch.setattr(_large_split, "LARGE_ROWS", 100)
    monkeypatch.setattr(_shared_keys, "_FILE_BYTES", 1 << 12)
    monkeypatch.setattr(_positions, "_FEW", 100)
    monkeypatch.setattr(_positions, "_BLOCK", 512)


PLANS = {
    "regression": {"target": "price"},
    "binary": {"target": "paid", "validation": 0.2},
    "texts": {"target": "text", "test": 0.35},
    "stratified": {"target": "price", "stratify": "color", "validation": 0.1},
    "strata of floats": {"target": "price", "stratify": "few"},
    "time": {"target": "price", "by_time": "at", "validation": 0.15, "gap": "30m"},
    "group": {"target": "text", "by_group": "shop", "validation": 0.2},
    "categories": {"target": "price", "by_group": "color", "validation": 0.3, "test": 0.3},
    "both": {"target": "paid", "by_time": "at", "by_group": "shop", "gap": "10m", "test": 0.3},
    "dropped": {"target": "price", "drop": ["row"], "seed": 5},
}


# Of the last version that loaded and stored every table as a whole.
DIGESTS = {
    "texts": "sha256:71212a9d0cd8b0badb1da29a3df8a1176f28f684b014d4b1424bdcaa737751ca",
    "stratified": "sha256:65cefc749604d87cb9a1c8dd61ef8a62dcd5c97ccf6023f496a95ec10d27d630",
    "both": "sha256:cd61a099943c015f7a66fd35e54be48ea287df359948477b45cef8cc1b4364d2",
}


@pytest.mark.parametrize("name", DIGESTS)
def test_a_split_has_the_digest_that_it_had_as_a_whole_table(name):
    for rows in (table(), snapshot(table())):
        assert content_digest(split_table(rows, **PLANS[name])) == DIGESTS[name]


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_a_split_in_passes_has_the_subsets_and_findings_of_one_in_memory(plan, monkeypatch):
    frame = table()
    whole = split_table(frame, **plan)
    in_passes(monkeypatch)
    passes = split_table(snapshot(frame), **plan)
    for name in ("train_rows", "validation_rows", "test_rows"):
        assert np.array_equal(getattr(whole, name), getattr(passes, name))
    assert passes.findings == whole.findings
    assert passes.leakage == whole.leakage
    assert (passes.task, passes.classes) == (whole.task, whole.classes)
    assert [(c.name, c.kind, c.dtype, c.nullable) for c in passes.schema] == [
        (c.name, c.kind, c.dtype, c.nullable) for c in whole.schema
    ]
    assert passes.test.table.equals(whole.test.table)


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
@pytest.mark.parametrize("most", [1 << 20, 3])
def test_columns_of_many_bytes_are_read_in_passes_with_the_digest_of_one_in_memory(
    plan, most, monkeypatch
):
    whole = content_digest(split_table(snapshot(table()), **plan))
    monkeypatch.setattr(_large_split, "_MANY_BYTES", 0)
    # With more values than are counted, the column is loaded after all.
    monkeypatch.setattr(_large_split, "_MOST_VALUES", most)
    monkeypatch.setattr(_splitting, "_draw", None)
    monkeypatch.setattr(_splitting, "_describe", None)
    assert content_digest(split_table(snapshot(table()), **plan)) == whole


def test_groups_that_do_not_fit_in_memory_are_refused_while_they_are_read(monkeypatch):
    in_passes(monkeypatch)
    monkeypatch.setattr(_room, "available_memory", lambda: 5_000)
    with pytest.raises(DataError, match="A split by the groups of 'shop' takes"):
        split_table(snapshot(table()), target="text", by_group="shop")


def test_a_split_of_stored_chunks_has_the_digest_of_one_in_memory_and_writes_no_row(tmp_path):
    frame = table()
    whole = split_table(frame, target="text", by_group="shop")
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as store:
        stored = snapshot(frame, store)
        split = split_table(stored, target="text", by_group="shop")
        assert content_digest(split) == content_digest(whole)
        records = store.pack(split)
        store.metadata.artifacts.add(records)
        assert records[0].content_digest == content_digest(whole)
        again: Split = store.get(records[0].digest)
        assert content_digest(again) == content_digest(whole)
        assert again.train.table.equals(whole.train.table)
        assert not [each for each in records if each.format == "parquet"]


def test_a_frame_is_found_by_its_digest_beside_a_snapshot_of_the_same_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(_table_writer, "CHUNK_BYTES", 1 << 14)
    writer = TableWriter()
    writer.add(pl.DataFrame({"a": range(9_000)}))
    written = writer.finish().table
    assert len(written.chunks) > 1
    frame = written.read()
    assert written.digest == content_digest(frame)
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as store:
        store.put(frame)
        assert store.put(written).content_digest == written.digest
        assert store.get(written.digest).equals(frame)


def test_positions_of_a_large_table_have_the_digest_of_the_integers(monkeypatch):
    monkeypatch.setattr(_positions, "_FEW", 100)
    monkeypatch.setattr(_positions, "_BLOCK", 64)
    rows = np.sort(np.random.default_rng(1).choice(1_000, 300, replace=False))
    positions = Positions.of(rows, 1_000)
    part = positions.to_part()
    assert isinstance(part, Positions)
    assert content_digest(part) == content_digest(rows)
    written = part.write("")
    assert np.array_equal(_positions.read_positions(written.data, written.metadata), rows)
    assert np.array_equal(positions.every(7), rows[::7])
    assert np.array_equal(positions.between(13, 777), rows[(rows >= 13) & (rows < 777)])


def test_a_large_split_is_read_back_as_it_was(tmp_path, monkeypatch):
    in_passes(monkeypatch)
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as store:
        split = split_table(snapshot(table(), store), target="price", by_time="at")
        record = store.put(split)
        parts = store.parts(record)
        assert parts["train_rows"].format == "positions"
        assert parts["train_rows"].size_bytes < len(split.train)
        again = store.get(record.digest)
    assert np.array_equal(again.train_rows, split.train_rows)
    assert np.array_equal(again.validation_rows, split.validation_rows)
    assert record.content_digest == content_digest(again)


def copies() -> pl.DataFrame:
    return pl.concat([table().drop("row", "at"), table()[:400].drop("row", "at")])


def test_copies_among_very_many_rows_are_found_as_among_few(monkeypatch):
    rows = {"train": range(ROWS), "test": range(ROWS, ROWS + 400), "target": "price"}
    whole = split_rows(copies(), **rows)
    in_passes(monkeypatch)
    passes = split_rows(snapshot(copies()), **rows)
    assert [f.message.split(";")[0] for f in passes.leakage] == [
        f.message.split(";")[0] for f in whole.leakage
    ]
    assert whole.leakage[0].rule == "L1"


def test_expected_copies_of_a_random_split_are_near_the_drawn_ones(monkeypatch):
    frame = pl.concat([table().select("size", "text", "price")] * 3)
    drawn = split_table(frame, target="price").leakage[0]
    in_passes(monkeypatch)
    computed = split_table(snapshot(frame), target="price").leakage[0]
    assert (computed.level, computed.rule) == (drawn.level, drawn.rule) == ("warn", "L1")
    assert computed.message == drawn.message


def test_rows_that_look_alike_are_noted(monkeypatch):
    frame = copies().with_row_index("row_id")
    rows = {"train": range(ROWS), "test": range(ROWS, ROWS + 400), "target": "price"}
    whole = split_rows(frame, **rows)
    in_passes(monkeypatch)
    assert split_rows(snapshot(frame), **rows).findings == whole.findings
    assert "alike" in {finding.rule for finding in whole.findings}


def test_groups_and_times_in_two_subsets_are_refused(monkeypatch):
    in_passes(monkeypatch)
    even = {"train": range(0, ROWS, 2), "test": range(1, ROWS, 2), "target": "price"}
    with pytest.raises(LeakageError, match=r"40 groups of 'shop' \('s"):
        split_rows(snapshot(table()), by_group="shop", **even)
    with pytest.raises(LeakageError, match="are not newer than the newest train row"):
        split_rows(snapshot(table()), by_time="at", **even)


def test_too_many_strata_are_refused(monkeypatch):
    in_passes(monkeypatch)
    monkeypatch.setattr(_large_split, "_MOST_VALUES", 50)
    with pytest.raises(DataError, match="'size' has more than 50 different values"):
        split_table(snapshot(table()), target="price", stratify="size")


def test_a_subset_is_read_in_batches():
    split = split_table(snapshot(table()), target="price", validation=0.0)
    batches = list(split.test.batches(["size"]))
    assert len(batches) == CHUNKS
    assert pl.concat(batches).equals(split.test.table.select("size"))
    assert split.validation.read(["size"]).height == 0


def test_what_the_memory_cannot_hold_is_refused_before_it_starts(monkeypatch):
    in_passes(monkeypatch)
    monkeypatch.setattr(_room, "available_memory", lambda: 5 * ROWS)
    rows = snapshot(table())
    with pytest.raises(DataError, match=r"A split of 3,000 rows takes 0 MiB .* by time"):
        split_table(rows, target="price")
    assert len(split_table(rows, target="price", by_time="at").test)
    flags = pl.DataFrame({"a": [0, 1] * 9_000, "b": [1, 0] * 9_000, "x": range(18_000)})
    with pytest.raises(DataError, match="To make one target of the columns 'a', 'b'"):
        split_table(flags, target=["a", "b"])
    lists = pl.DataFrame({"x": range(ROWS), "tags": [["a"], ["b", "a"]] * (ROWS // 2)})
    with pytest.raises(DataError, match="rows by lists takes"):
        split_table(lists, target="tags")
