"""The card-payments and taxi pipelines give the same snapshot and model from every source."""

import importlib
import io
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import penstock as ps
from penstock.data import FileSource, Snapshot, ingest
from penstock.demo import write_days
from penstock.demo.payments_pipeline import keep_features
from penstock.demo.payments_pipeline import train as train_payments
from penstock.execution import QuietReporter
from penstock.stores import open_store

pytestmark = pytest.mark.slow
big_tips: Any = importlib.import_module("examples.big_tips")


@dataclass(frozen=True)
class Example:
    """An example of the package, and rows for it."""

    folder: Path
    time: str
    key: str
    since: date
    cutoff: date  # rows before since and after the cutoff are there too
    train: Callable[[Any], Any]

    @property
    def files(self) -> FileSource:
        return FileSource(self.folder, time=self.time, name="rows")

    @property
    def rows(self) -> pl.DataFrame:
        """All rows, typed as the files are read; what the other systems are filled with."""
        return self.files.read()

    def outcome(self, source, folder):
        """Return the digests of the snapshot and of the model that the example's steps make of it."""

        @ps.pipeline
        def job():
            return self.train(ps.steps.ingest(source, since=self.since, cutoff=self.cutoff))

        with open_store(f"sqlite:///{folder}/s.db") as store:
            result = ps.run(job, store=store, reporter=QuietReporter())
            assert result.ok, [step.error for step in result.steps]
            steps = {step.step: step for step in result.steps}
            snapshot = ingest(source, since=self.since, cutoff=self.cutoff)
            assert isinstance(snapshot, Snapshot)
            return snapshot.ordered_digest, steps["train"].outputs["result"]


def payments(folder, _real_table):
    write_days(folder, range(6))

    def train(rows):
        split = ps.steps.split(keep_features(rows), target="fraud", by_time="time", test=0.05)
        return train_payments(split, "robust", 0.1)

    return Example(folder, "time", "payment_id", date(2026, 1, 2), date(2026, 1, 5), train)


def taxi(folder, real_table):
    time = "trip_start_timestamp"
    rides = FileSource(real_table("chicago_taxi_trips.csv"), time=time).read()
    # A table of a database has a key, and no order without one. Half of the rides: the mock broker
    # keeps 5 MB of a topic.
    rides = rides.sort(time, maintain_order=True).gather_every(2).with_row_index("ride")
    rides[[column.name for column in rides if column.null_count() < rides.height]].write_csv(
        folder / "rides.csv"
    )

    def train(rows):
        split = ps.steps.split(
            big_tips.label(rows),
            target="big_tip",
            by_time=time,
            test=0.2,
            drop=[*(name for name in big_tips.LEFT_OUT if name in rides.columns), "ride"],
        )
        return big_tips.train(split, 0.1)

    return Example(folder, time, "ride", date(2013, 3, 1), date(2016, 1, 1), train)


@pytest.fixture(scope="module", params=[payments, taxi])
def case(request, tmp_path_factory, real_table):
    return request.param(tmp_path_factory.mktemp("rows"), real_table)


@pytest.fixture(scope="module")
def expected(case, tmp_path_factory):
    return case.outcome(case.files, tmp_path_factory.mktemp("expected"))


def from_parquet_in_a_bucket(case, tmp_path, request):
    import obstore

    bucket = request.getfixturevalue("bucket")
    store = obstore.store.from_url(f"s3://{bucket}", client_options={"allow_http": True})
    for place, part in enumerate(case.rows.iter_slices(1500)):
        buffer = io.BytesIO()
        part.write_parquet(buffer)
        obstore.put(store, f"payments/{place}.parquet", buffer.getvalue())
    return FileSource(f"s3://{bucket}/payments", time=case.time)


def from_postgres(case, tmp_path, request):
    url = request.getfixturevalue("postgres_url")
    import psycopg

    types = {
        pl.String: "text",
        pl.Int64: "bigint",
        pl.Float64: "double precision",
        pl.Boolean: "boolean",
    }
    rows = case.rows
    columns = [f'"{n}" {types.get(t.base_type(), "timestamptz")}' for n, t in rows.schema.items()]
    with psycopg.connect(url) as connection:
        connection.execute(
            f"CREATE TABLE payments ({', '.join(columns)}, PRIMARY KEY ({case.key}))"
        )
        with connection.cursor().copy("COPY payments FROM STDIN") as copy:
            for row in rows.sample(fraction=1, shuffle=True, seed=1).iter_rows():
                copy.write_row(row)
    return ps.data.SqlSource(url, table="payments", time=case.time, order_by=[case.time, case.key])


def from_delta(case, tmp_path, request):
    deltalake = pytest.importorskip(
        "deltalake", reason="needs deltalake: pip install 'penstock[delta]'"
    )
    for part in case.rows.iter_slices(1500):
        deltalake.write_deltalake(tmp_path / "payments", part, mode="append")
    return ps.data.DeltaSource(tmp_path / "payments", time=case.time)


def from_kafka(case, tmp_path, request):
    server = request.getfixturevalue("kafka_server")
    topic = f"payments-{uuid.uuid4().hex}"
    messages = [json.dumps(row, default=str).encode() for row in case.rows.iter_rows(named=True)]
    server.send(topic, *messages, partition=0)
    return ps.data.KafkaSource(server.address, topic=topic, time=case.time)


@pytest.mark.parametrize("fill", [from_parquet_in_a_bucket, from_postgres, from_delta, from_kafka])
def test_snapshot_and_model_are_those_of_the_files(fill, case, expected, tmp_path, request):
    assert case.outcome(fill(case, tmp_path, request), tmp_path) == expected
