"""Versions of a data set share their chunks, and none is collected while a version needs it."""

import os
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

import penstock as ps
from penstock.data import _table_writer, get_dataset, load_snapshot
from penstock.execution import QuietReporter
from penstock.stores import (
    DigestedFrame,
    PackedJson,
    StoredPart,
    check_store,
    collect_garbage,
)
from penstock.stores.metadata._codec import to_micros

START = datetime(2026, 1, 1, tzinfo=UTC)


@ps.pipeline
def daily(source, cutoff):
    ps.steps.ingest(source, cutoff=cutoff)


@pytest.fixture
def grown(tmp_path, monkeypatch):
    """A store with eight versions of a data set that grew by a day each, and the runs."""
    monkeypatch.setattr(_table_writer, "CHUNK_BYTES", 1)
    folder = tmp_path / "rides"
    folder.mkdir()
    source = ps.FileSource(folder, time="at", name="rides")
    with ps.open_store(f"sqlite:///{tmp_path}/penstock.db") as store:
        runs = []
        for day in range(8):
            at = START + timedelta(days=day)
            pl.DataFrame({"at": [at] * 1_500, "n": range(day * 1_500, day * 1_500 + 1_500)}).write_parquet(
                folder / f"{day}.parquet"
            )  # fmt: skip
            cutoff = at + timedelta(days=1)
            runs.append(
                ps.run(daily, store=store, reporter=QuietReporter(), source=source, cutoff=cutoff)
            )
        yield store, [run.run_id for run in runs]


def test_every_version_has_its_rows(grown):
    store, _ = grown
    versions = get_dataset("rides", store=store).versions
    for number, version in enumerate(versions, 1):
        rows = load_snapshot(version, store=store).table
        assert rows["n"].to_list() == list(range(number * 1_500))


def test_a_day_costs_a_day(grown):
    store, _ = grown
    last = get_dataset("rides", store=store).latest
    chunks = load_snapshot(last, store=store).chunks.chunks
    assert [chunk.rows for chunk in chunks] == [1_024, 476] * 8
    stored = {chunk.stored.record.digest for chunk in chunks}
    large = {one for one in store.artifacts.list() if store.artifacts.read(one)[:4] == b"PAR1"}
    assert large == stored


@pytest.mark.parametrize("kept", [7, 3])
def test_chunks_of_removed_runs_stay_while_a_version_needs_them(grown, kept):
    store, runs = grown
    for number, run_id in enumerate(runs):
        if number != kept:
            ps.get_run(run_id, store=store).delete()
    report = collect_garbage(older_than=timedelta(0), grace=timedelta(0), delete=True, store=store)
    assert len(report.runs) == 7
    version = get_dataset("rides", store=store).version(kept + 1)
    assert load_snapshot(version, store=store).table["n"].to_list() == list(
        range((kept + 1) * 1_500)
    )
    assert (report.by_format.get("parquet", 0) > 0) is (kept == 3)


def test_garbage_that_is_collected_before_a_value_is_recorded_leaves_its_chunks(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(_table_writer, "_LEAST_ROWS", 50)
    monkeypatch.setattr(_table_writer, "CHUNK_BYTES", 1)
    frame = pl.DataFrame({"a": range(1_000), "b": [n * 0.1 for n in range(1_000)]})
    with ps.open_store(f"sqlite:///{tmp_path}/penstock.db") as store:
        writer = _table_writer.TableWriter(store)
        writer.add(frame)
        first = store.get(store.put({"table": writer.finish().table}).digest)["table"]
        long_ago = datetime.now(UTC) - timedelta(days=2)
        with store.metadata.database.write() as transaction:
            transaction.execute("UPDATE artifacts SET created_at = ?", (to_micros(long_ago),))
        for file in (tmp_path / "artifacts").rglob("*"):
            if file.is_file():
                os.utime(file, (long_ago.timestamp(), long_ago.timestamp()))
        writer = _table_writer.TableWriter(store, first.chunks)
        writer.add(frame[:500])
        records = store.pack({"table": writer.finish().table})
        assert collect_garbage(delete=True, store=store).artifacts
        store.metadata.artifacts.add(records)
        assert check_store(store=store) == []
        assert store.get(records[0].digest)["table"].read().equals(frame[:500])


def test_a_list_of_chunks_names_the_chunks_of_a_group_once(grown):
    """The group's own manifest has them; repeated above, they grew with the square of the days."""
    store, _ = grown
    last = get_dataset("rides", store=store).latest
    snapshot = load_snapshot(last, store=store)
    whole = store.pack(snapshot)[0]
    table = store.parts(whole)["table"]
    for group in store.parts(table).values():
        assert group.type_name == "penstock.ChunkGroup"
        assert "parts" not in group.metadata
        assert len(store.parts(group)) > 1
    # What is recorded still has them, or garbage collection would not reach the chunks.
    assert "parts" in store.metadata.artifacts.get(table.digest).metadata
    assert check_store(store=store) == []


def test_a_profile_is_packed_and_an_older_plain_one_is_read(grown):
    store, _ = grown
    snapshot = load_snapshot("rides", store=store)
    parts = snapshot.to_bundle()
    packed = store.pack(snapshot)[0]
    plain = {name: store.pack(_loaded(part))[0] for name, part in parts.items()}
    older = store.pack_parts(
        type(snapshot).bundle_type, "penstock.Snapshot", plain, type(snapshot).digested_parts
    )
    assert older.content_digest == packed.content_digest
    assert store.parts(older)["profile"].format == "json"
    assert store.parts(packed)["profile"].format == "json.zlib"
    assert store.parts(packed)["profile"].size_bytes * 2 < store.parts(older)["profile"].size_bytes
    for record in (older, packed):
        assert store.load(record).profile == snapshot.profile


def _loaded(part):
    return part.load() if isinstance(part, PackedJson | StoredPart | DigestedFrame) else part
