"""The card-payments pipeline gives the same snapshot and the same model from every source."""

import io
import json
import uuid
from datetime import date

import polars as pl
import pytest

import penstock as ps
from penstock.data import FileSource, Snapshot, ingest
from penstock.demo import write_days
from penstock.demo.payments_pipeline import keep_features, train
from penstock.execution import QuietReporter
from penstock.stores import open_store

pytestmark = pytest.mark.slow
SINCE, CUTOFF = date(2026, 1, 2), date(2026, 1, 5)


@pytest.fixture(scope="module")
def days(tmp_path_factory):
    folder = tmp_path_factory.mktemp("payments")
    write_days(folder, range(6))  # rows before since and after the cutoff too
    return folder


@pytest.fixture(scope="module")
def rows(days):
    """All rows, typed as the files are read; what the other systems are filled with."""
    return FileSource(days, time="time").read()


@pytest.fixture(scope="module")
def expected(days, tmp_path_factory):
    return outcome(FileSource(days, time="time"), tmp_path_factory.mktemp("expected"))


def outcome(source, folder):
    """Return the digests of the snapshot and of the model that the demo's steps make of it."""

    @ps.pipeline
    def job():
        found = ps.steps.ingest(source, since=SINCE, cutoff=CUTOFF)
        split = ps.steps.split(keep_features(found), target="fraud", by_time="time", test=0.05)
        return train(split, "robust", 0.1)

    with open_store(f"sqlite:///{folder}/s.db") as store:
        result = ps.run(job, store=store, reporter=QuietReporter())
        assert result.ok, [step.error for step in result.steps]
        steps = {step.step: step for step in result.steps}
        snapshot = ingest(source, since=SINCE, cutoff=CUTOFF)
        assert isinstance(snapshot, Snapshot)
        return snapshot.ordered_digest, steps["train"].outputs["result"]


def from_parquet_in_a_bucket(rows, tmp_path, request):
    import obstore

    bucket = request.getfixturevalue("bucket")
    store = obstore.store.from_url(f"s3://{bucket}", client_options={"allow_http": True})
    for place, part in enumerate(rows.iter_slices(1500)):
        buffer = io.BytesIO()
        part.write_parquet(buffer)
        obstore.put(store, f"payments/{place}.parquet", buffer.getvalue())
    return FileSource(f"s3://{bucket}/payments", time="time")


def from_postgres(rows, tmp_path, request):
    url = request.getfixturevalue("postgres_url")
    import psycopg

    types = {
        pl.String: "text",
        pl.Int64: "bigint",
        pl.Float64: "double precision",
        pl.Boolean: "boolean",
    }
    columns = [f'"{n}" {types.get(t.base_type(), "timestamptz")}' for n, t in rows.schema.items()]
    with psycopg.connect(url) as connection:
        connection.execute(
            f"CREATE TABLE payments ({', '.join(columns)}, PRIMARY KEY (payment_id))"
        )
        with connection.cursor().copy("COPY payments FROM STDIN") as copy:
            for row in rows.sample(fraction=1, shuffle=True, seed=1).iter_rows():
                copy.write_row(row)
    return ps.data.SqlSource(url, table="payments", time="time", order_by=["time", "payment_id"])


def from_delta(rows, tmp_path, request):
    deltalake = pytest.importorskip(
        "deltalake", reason="needs deltalake: pip install 'penstock[delta]'"
    )
    for part in rows.iter_slices(1500):
        deltalake.write_deltalake(tmp_path / "payments", part, mode="append")
    return ps.data.DeltaSource(tmp_path / "payments", time="time")


def from_kafka(rows, tmp_path, request):
    server = request.getfixturevalue("kafka_server")
    topic = f"payments-{uuid.uuid4().hex}"
    messages = [json.dumps(row, default=str).encode() for row in rows.iter_rows(named=True)]
    server.send(topic, *messages, partition=0)
    return ps.data.KafkaSource(server.address, topic=topic, time="time")


@pytest.mark.parametrize("fill", [from_parquet_in_a_bucket, from_postgres, from_delta, from_kafka])
def test_snapshot_and_model_are_those_of_the_files(fill, rows, expected, tmp_path, request):
    assert outcome(fill(rows, tmp_path, request), tmp_path) == expected
