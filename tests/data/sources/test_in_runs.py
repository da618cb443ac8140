"""Sources with versions in runs: reused while the state is the same, and nothing of a killed run."""

import json
import random
import signal
import subprocess
import sys
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from tests.hunting import length

import penstock as ps
from penstock.core import PenstockError

CANARY = uuid.uuid4().hex  # not a literal: the code of a run is recorded
DAY = [datetime(2026, 3, day, tzinfo=UTC) for day in range(1, 20)]

CHILD = """
import json, sys
import penstock as ps

kind, options, store = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
source = getattr(ps.data, kind)(**options)


@ps.pipeline
def rides() -> ps.Snapshot:
    return ps.steps.ingest(source, cutoff="2026-03-09")


print("begins", flush=True)
result = ps.run(rides, store=store, reporter=ps.execution.QuietReporter())
print(result.output().ordered_digest, flush=True)
"""


class Delta:
    kind = "DeltaSource"

    def __init__(self, folder):
        self.path = folder / "delta"
        self.options = {
            "path": str(self.path),
            "options": {"aws_secret_access_key": "${LAKE_SECRET}"},
        }

    def add(self, rows):
        from deltalake import write_deltalake

        write_deltalake(self.path, rows, mode="append")


class Iceberg:
    kind = "IcebergSource"

    def __init__(self, folder):
        self.known = {
            "type": "sql",
            "uri": f"sqlite:///{folder}/catalog.db",
            "warehouse": f"file://{folder}/lake",
        }
        secret = {"s3.secret-access-key": "${LAKE_SECRET}"}
        self.options = {"table": "shop.rides", "catalog": "lake", "options": self.known | secret}

    def add(self, rows):
        from pyiceberg.catalog import load_catalog

        table = rows.to_arrow()
        with load_catalog("lake", **self.known) as catalog:
            catalog.create_namespace_if_not_exists("shop")
            catalog.create_table_if_not_exists("shop.rides", schema=table.schema).append(table)


class Topic:
    kind = "KafkaSource"

    def __init__(self, server):
        self.server, self.topic = server, server.topic()
        self.options = {
            "servers": server.address,
            "topic": self.topic,
            "options": {"ssl.key.password": "${LAKE_SECRET}"},
        }

    def add(self, rows):
        for row in rows.iter_rows(named=True):
            value = json.dumps(row, default=lambda moment: moment.isoformat()).encode()
            self.server.send(self.topic, value, partition=row.get("id", 0) % 4)


@pytest.fixture(params=["delta", "iceberg", "kafka"])
def empty(request, tmp_path, monkeypatch):
    monkeypatch.setenv("LAKE_SECRET", CANARY)
    made: Delta | Iceberg | Topic
    if request.param == "kafka":
        made = Topic(request.getfixturevalue("kafka_server"))
    else:
        made = Delta(tmp_path) if request.param == "delta" else Iceberg(tmp_path)
    return made


@pytest.fixture
def system(empty):
    empty.add(rows(0, 12))
    return empty


def rows(first, count, of_day=None):
    ids = range(first, first + count)
    return pl.DataFrame({"id": ids, "at": [DAY[of_day if of_day is not None else n] for n in ids]})


def pipeline_of(source):
    @ps.step
    def ids(snapshot: ps.Snapshot) -> list:
        return sorted(snapshot.table["id"].to_list())

    @ps.pipeline
    def rides():
        return ids(ps.steps.ingest(source, cutoff=DAY[9]))

    return rides


def ran(source, store):
    result = ps.run(pipeline_of(source), store=store)
    assert result.ok, result.error
    return [step.state.value for step in result.steps], result.output()


@pytest.fixture
def store(tmp_path):
    return ps.open_store(f"sqlite:///{tmp_path}/store/store.db")


def test_a_run_reuses_the_rows_while_the_state_is_the_same(system, store):
    source = getattr(ps.data, system.kind)(time="at", **system.options)
    assert ran(source, store) == (["finished", "finished"], list(range(9)))
    assert ran(source, store) == (["cached", "cached"], list(range(9)))
    system.add(rows(12, 2, of_day=3))
    assert ran(source, store) == (["finished", "finished"], [*range(9), 12, 13])
    system.add(rows(14, 2, of_day=15))  # outside of the window: read again, and the same rows
    assert ran(source, store) == (["finished", "cached"], [*range(9), 12, 13])


def test_what_comes_during_the_reading_is_not_reused(system, store, monkeypatch):
    kind = getattr(ps.data, system.kind)
    source = kind(time="at", **system.options)
    scan = kind.scan

    def late(self, since=None, cutoff=None):
        monkeypatch.setattr(kind, "scan", scan)
        reading = scan(self, since, cutoff)
        system.add(rows(12, 1, of_day=3))
        return reading

    monkeypatch.setattr(kind, "scan", late)
    assert ran(source, store)[1] == list(range(9))
    assert ran(source, store) == (["finished", "finished"], [*range(9), 12])
    assert ran(source, store) == (["cached", "cached"], [*range(9), 12])


def test_a_real_table_has_the_digest_of_its_file(empty, real_table, tmp_path):
    lines = real_table("chicago_taxi_trips.csv").read_text().splitlines()[:2001]
    (tmp_path / "taxi.csv").write_text("\n".join(lines))
    of_file = ps.data.ingest(ps.FileSource(tmp_path / "taxi.csv"))
    empty.add(of_file.table)
    there = ps.data.ingest(getattr(ps.data, empty.kind)(**empty.options))
    assert there.ordered_digest == of_file.ordered_digest
    assert there.rows == 2000


def test_a_recorded_reading_is_read_again_with_the_same_digest(system, store):
    source = getattr(ps.data, system.kind)(time="at", **system.options)
    ran(source, store)
    record = store.metadata.artifacts.last_snapshot(source.name)
    system.add(rows(12, 3, of_day=2))
    again = ps.data.ingest(source.pinned(record.read), cutoff=DAY[9])
    assert again.ordered_digest == record.ordered_digest
    assert again.rows == 9


def test_the_secret_is_nowhere(system, store, tmp_path, capfd, caplog):
    source = getattr(ps.data, system.kind)(time="at", **system.options)
    with caplog.at_level("DEBUG"):
        ran(source, store)
        with pytest.raises(PenstockError) as told:
            ps.data.ingest(source, since="2030-01-01")
    said = "".join(capfd.readouterr()) + caplog.text + str(told.value) + repr(source)
    assert CANARY not in said
    written = [path for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert written
    assert not [path for path in written if CANARY.encode() in path.read_bytes()]


def test_a_killed_run_leaves_nothing_half_written(system, tmp_path):
    script, url = tmp_path / "child.py", f"sqlite:///{tmp_path}/killed/store.db"
    script.write_text(CHILD)
    options = json.dumps({"time": "at", **system.options})
    command = [sys.executable, str(script), system.kind, options]

    def start(place):
        child = subprocess.Popen([*command, place], stdout=subprocess.PIPE, text=True, cwd=tmp_path)
        assert child.stdout is not None
        assert child.stdout.readline() == "begins\n"
        return child

    begun = time.monotonic()
    whole = start(f"sqlite:///{tmp_path}/whole/store.db")
    expected, _ = whole.communicate(timeout=120)
    lasts = time.monotonic() - begun
    draw = random.Random(12)
    for _ in range(length(6, 200, name="PENSTOCK_KILLS")):
        child = start(url)
        time.sleep(draw.uniform(0, 0.8 * lasts))
        child.send_signal(signal.SIGKILL)
        child.communicate(timeout=30)
        if (Path(tmp_path) / "killed" / "store.db").exists():
            require_whole(url, expected.strip())
    child = start(url)
    assert child.communicate(timeout=120)[0] == expected


def require_whole(url, digest):
    """Check that every recorded snapshot is of all rows, and can be read."""
    store = ps.open_store(url)
    record = store.metadata.artifacts.last_snapshot(
        "delta"
    ) or store.metadata.artifacts.last_snapshot("rides")
    assert record is None or (record.ordered_digest, record.rows) == (digest, 8)
    for run in ps.search_runs(store=store):
        for step in store.metadata.steps.list(run.run_id):
            for output in step.outputs.values():
                assert store.get(output).ordered_digest == digest
