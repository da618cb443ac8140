"""Every bit of a chunk that is not what was written is found, and nobody is given its points."""

import sqlite3
from contextlib import closing

import numpy as np
import pytest
from tests.hunting import SEED, length

from penstock.core import StoreError
from penstock.stores import check_store, open_store
from penstock.stores.metadata._soundness import metric_damage
from penstock.testing._records import a_run
from penstock.tracking import get_run

FLIPS = length(60, 1000, name="PENSTOCK_FLIPS")


@pytest.fixture
def store(tmp_path):
    random = np.random.default_rng(1)
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as opened:
        opened.metadata.runs.create(a_run(run_id="r"))
        run = get_run("r", store=opened)
        run.log_history("loss", np.cumsum(random.normal(size=8000)))
        run.log_history("few", [0.5, 0.25])
        opened.flush()
        assert check_store(store=opened) == []
        yield opened


def chunks(store) -> list[tuple]:
    with store.metadata.database.read() as transaction:
        sql = 'SELECT "key", chunk_id, points, outline FROM metric_chunks'
        return transaction.execute(sql).fetchall()


def put(store, key: str, chunk_id: int, **columns: bytes) -> None:
    with closing(sqlite3.connect(store.url.removeprefix("sqlite:///"))) as raw:
        for name, data in columns.items():
            raw.execute(
                f'UPDATE metric_chunks SET {name} = ? WHERE "key" = ? AND chunk_id = ?',
                (data, key, chunk_id),
            )
        raw.commit()


@pytest.mark.hunt
def test_every_flipped_bit_is_found_and_reading_raises(store):
    random = np.random.default_rng(SEED)
    rows = chunks(store)
    for _ in range(FLIPS):
        key, chunk_id, points, outline = rows[random.integers(len(rows))]
        column = "outline" if outline and random.random() < 0.3 else "points"
        whole = outline if column == "outline" else points
        data = bytearray(whole)
        data[random.integers(len(data))] ^= 1 << int(random.integers(8))
        put(store, key, chunk_id, **{column: bytes(data)})
        [(run_id, text)] = metric_damage(store.metadata.database)
        assert run_id == "r"
        assert key in text
        if column == "points":
            with pytest.raises(StoreError, match="is damaged"):
                get_run("r", store=store).metric_history(key)
        put(store, key, chunk_id, **{column: whole})
    assert check_store(store=store) == []


def test_a_damaged_chart_is_not_drawn(store):
    [(key, chunk_id, _, outline)] = [row for row in chunks(store) if row[3]]
    put(store, key, chunk_id, outline=outline[:-1])
    with pytest.raises(StoreError, match="is damaged"):
        get_run("r", store=store).metric_history(key, most=20)


def test_logging_goes_on_beside_a_damaged_chunk(store):
    key, chunk_id, points, _ = next(row for row in chunks(store) if row[0] == "few")
    put(store, key, chunk_id, points=points[:-1] + bytes([points[-1] ^ 1]))
    run = get_run("r", store=store)
    for _ in range(40):
        run.log_metric("few", 1.0)
        store.flush()
    run.log_metric("other", 1.0)
    run.finish()
    assert get_run("r", store=store).metrics["other"] == 1.0


def test_an_artifact_is_checked_when_it_is_loaded(store):
    run = get_run("r", store=store)
    run.log_artifact(np.arange(5000), name="numbers")
    place = store.artifacts.path(run.artifact_record("numbers").digest)
    data = bytearray(place.read_bytes())
    data[-1] ^= 1
    place.write_bytes(data)
    with pytest.raises(StoreError, match="damaged"):
        run.artifact("numbers")
    with pytest.raises(StoreError, match="damaged"):
        store.get(run.artifact_record("numbers").digest)
