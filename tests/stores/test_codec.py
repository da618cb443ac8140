"""Long JSON texts are packed in the database, and read as before."""

import json
import sqlite3
from datetime import UTC, datetime

import pytest

from penstock.core import SnapshotRecord
from penstock.stores import open_store
from penstock.stores.metadata._codec import pack_json, unpack_json

FILES = [{"key": f"/rides/{n:03}.parquet", "size": n, "mtime_ns": n * 7919} for n in range(365)]


def snapshot(read):
    return SnapshotRecord(
        source="rides",
        run_id=None,
        at=datetime(2026, 1, 1, tzinfo=UTC),
        schema={},
        ordered_digest="a",
        order_free_digest="b",
        rows=1,
        read=read,
    )


@pytest.mark.parametrize(
    "value", [{}, [1.5, None], {"a": float("inf")}, {"files": FILES, "é": "ü" * 5000}]
)
def test_what_is_packed_is_read_unchanged(value):
    assert unpack_json(pack_json(value)) == value


def test_a_list_of_many_files_takes_a_part_of_its_text(tmp_path):
    path = tmp_path / "store.db"
    with open_store(f"sqlite:///{path}") as store:
        store.metadata.artifacts.add_snapshot(snapshot({"files": FILES}))
        store.metadata.artifacts.add_snapshot(snapshot({"files": FILES[:2]}))
        first, second = store.metadata.artifacts.list_snapshots("rides")
        assert (first.read, second.read) == ({"files": FILES}, {"files": FILES[:2]})
    with sqlite3.connect(path) as raw:
        long, short = [row[0] for row in raw.execute('SELECT "read" FROM snapshots ORDER BY id')]
    assert len(long) < len(str(FILES)) / 3
    assert short.startswith('{"files":')


def test_a_text_of_before_is_read_as_it_is(tmp_path):
    path = tmp_path / "store.db"
    with open_store(f"sqlite:///{path}") as store:
        store.metadata.artifacts.add_snapshot(snapshot({}))
    with sqlite3.connect(path) as raw:
        raw.execute('UPDATE snapshots SET "read" = ?', (json.dumps({"files": FILES}),))
    with open_store(f"sqlite:///{path}") as store:
        assert store.metadata.artifacts.last_snapshot("rides").read == {"files": FILES}
