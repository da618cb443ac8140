"""Rows come back as they were written, and what an earlier version has is not stored again."""

import random
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core import StoreError
from penstock.data import _table_writer, digest_rows, digest_table
from penstock.data._snapshot import Snapshot
from penstock.data._table_writer import TableWriter
from penstock.stores import ChunkedTable, Store, content_digest, open_store


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as store:
        yield store


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    """Chunks of 1,024 rows."""
    monkeypatch.setattr(_table_writer, "CHUNK_BYTES", 1)


def rows(first: int, last: int) -> pl.DataFrame:
    numbers = range(first, last)
    return pl.DataFrame({"id": numbers, "s": [f"text {n % 7}" for n in numbers]})


def write(store: Store | None, table: pl.DataFrame, known: ChunkedTable | None = None, batch=700):
    writer = TableWriter(store, () if known is None else known.chunks)
    for start in range(0, table.height, batch):
        writer.add(table[start : start + batch])
    written = writer.finish()
    assert written.table.read().equals(table)
    assert written.ordered_digest == digest_table(table)
    assert written.order_free_digest == digest_rows(table)
    return written.table


def kept(store: Store, table: ChunkedTable) -> ChunkedTable:
    """Store a table and load it."""
    record = store.put([table])
    loaded = store.load(record)[0]
    assert isinstance(loaded, ChunkedTable)
    return loaded


def stored_bytes(store: Store) -> int:
    return sum(len(store.artifacts.read(digest)) for digest in store.artifacts.list())


def new_rows(table: ChunkedTable) -> int:
    return sum(chunk.rows for chunk in table.chunks if chunk.stored is None)


@pytest.mark.parametrize("batch", [100, 1_024, 5_000, 20_000])
def test_chunks_hold_the_rows_in_order(batch):
    table = write(None, rows(0, 10_000), batch=batch)
    assert [chunk.rows for chunk in table.chunks] == [1_024] * 9 + [784]


@pytest.mark.parametrize(
    ("after", "most_new"),
    [
        (rows(0, 10_050), 50),
        (rows(0, 10_000), 0),
        (rows(100, 10_000), 924),
        (pl.concat([rows(-50, 0), rows(0, 10_000)]), 50),
        (pl.concat([rows(0, 4_000), rows(4_001, 10_000)]), 1_023),
        (pl.concat([rows(0, 4_000), rows(-9, 0), rows(4_000, 10_000)]), 1_033),
        (rows(0, 10_000).with_columns(s=pl.when(pl.col("id") == 5_000).then(None).otherwise("s")), 10_000),
        (rows(0, 6_000), 1_024),
        (rows(20_000, 21_000), 1_000),
    ],
    ids=["appended", "equal", "cut at the front", "prepended", "a row deleted", "rows inserted",
         "a column changed", "cut at the end", "all new"],
)  # fmt: skip
def test_only_rows_near_a_change_are_stored_again(store, after, most_new):
    before = kept(store, write(store, rows(0, 10_000)))
    table = write(store, after, before)
    assert new_rows(table) <= most_new
    again = kept(store, table)
    assert again.read().equals(after)
    assert new_rows(write(store, after, again)) == 0


def test_one_changed_value_costs_its_chunk(store):
    before = kept(store, write(store, rows(0, 10_000)))
    changed = rows(0, 10_000)
    changed[5_000, "s"] = "another"
    assert new_rows(write(store, changed, before)) == 1_024


def test_a_table_of_one_chunk_is_found_at_the_start(store):
    record = store.put(Snapshot.of(rows(0, 500)))
    before = store.load(record).chunks
    assert before.chunks[0].stored is not None
    table = write(store, rows(0, 800), before)
    assert [(chunk.rows, chunk.stored is None) for chunk in table.chunks] == [
        (500, False),
        (300, True),
    ]


def test_rows_that_all_look_like_a_chunk_s_first_row_cost_no_time(store):
    equal = pl.DataFrame({"a": [1] * 5_000})
    before = kept(store, write(store, equal))
    other = pl.DataFrame({"a": [2, *[1] * 900] * 20})
    assert write(store, other, before).rows == 20 * 901


@given(seed=st.integers(0, 10_000))
def test_any_edits_of_any_table_are_read_back(tmp_path_factory, seed):
    draw = random.Random(seed)
    folder = Path(tmp_path_factory.mktemp("store"))
    with open_store(f"sqlite:///{folder}/penstock.db") as store:
        table = pl.DataFrame({"a": [draw.randrange(50) for _ in range(draw.randrange(1, 6_000))]})
        known = None
        for _ in range(4):
            known = kept(store, write(store, table, known, batch=draw.choice([50, 999, 4_000])))
            assert known.read().equals(table)
            parts = []
            for _ in range(3):
                start = draw.randrange(table.height)
                parts.append(table[start : start + draw.randrange(1, 4_000)])
            table = pl.concat(parts)


def test_small_chunks_of_many_appends_are_merged(store, monkeypatch):
    monkeypatch.setattr(_table_writer, "_MANY", 20)
    known = kept(store, write(store, rows(0, 5_000)))
    for day in range(30):
        known = kept(store, write(store, rows(0, 5_000 + 10 * (day + 1)), known))
    assert len(known.chunks) < 22


def test_rows_beyond_the_held_bytes_are_stored_at_once(store, monkeypatch):
    monkeypatch.setattr(_table_writer, "_HELD_BYTES", 50_000)
    table = write(store, rows(0, 20_000))
    assert not table.is_in_memory
    assert kept(store, table).read().equals(rows(0, 20_000))


def test_rows_that_were_collected_meanwhile_are_an_error(store):
    before = kept(store, write(store, rows(0, 3_000)))
    table = write(store, rows(0, 3_100), before)
    assert before.chunks[0].stored is not None
    store.artifacts.delete(before.chunks[0].stored.record.digest)
    with pytest.raises(StoreError, match=r"rows of an earlier version, are gone.*collected"):
        store.put([table])


def test_another_store_gets_its_own_copy(store, tmp_path):
    before = kept(store, write(store, rows(0, 3_000)))
    with open_store(f"sqlite:///{tmp_path}/other.db") as other:
        copied = kept(other, before)
    store.close()
    assert copied.read().equals(rows(0, 3_000))


def test_rows_whose_record_was_removed_meanwhile_are_recorded_again(store):
    before = kept(store, write(store, rows(0, 3_000)))
    stored = before.chunks[0].stored
    assert stored is not None
    table = write(store, rows(0, 3_100), before)
    with store.metadata.database.write() as transaction:
        transaction.execute("DELETE FROM artifacts WHERE digest = ?", [stored.record.digest])
    store.put([table])
    assert store.metadata.artifacts.get(stored.record.digest).digest == stored.record.digest


def test_rows_of_another_store_are_recorded_here(store, tmp_path):
    before = kept(store, write(store, rows(0, 3_000)))
    with open_store(f"sqlite:///{tmp_path}/other.db") as other:
        other.put([before])
        for chunk in before.chunks:
            assert chunk.stored is not None
            other.metadata.artifacts.get(chunk.stored.record.digest)


def test_chunks_carry_the_digest_of_their_rows(store):
    """It comes from the running digest of the table and is not computed again when stored."""
    nested = pl.DataFrame(
        {
            "list": [[1], None, [2, 3]] * 1000,
            "struct": [{"a": 1}, {"a": None}, None] * 1000,
            "decimal": pl.Series([1, None, 3] * 1000).cast(pl.Decimal(10, 2)),
            "none": [None] * 3000,
            "late gap": ["x"] * 2500 + [None] * 500,
        }
    )
    for table in (rows(0, 3000), nested):
        chunks = write(None, table).chunks
        assert [chunk.digest for chunk in chunks] == [content_digest(c.read()) for c in chunks]
        loaded = kept(store, ChunkedTable(chunks))
        assert [c.digest for c in loaded.chunks] == [content_digest(c.read()) for c in chunks]
        assert loaded.read().equals(table)
