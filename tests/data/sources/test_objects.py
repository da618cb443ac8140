"""Rows in a bucket: the objects that were listed, in that state, and again by version."""

import datetime as dt
import io
import os
import uuid

import httpx
import numpy as np
import polars as pl
import pytest

from penstock.core import DataError, NotFoundError, ParameterError
from penstock.data import FileSource, ingest
from penstock.stores import open_store
from penstock.testing import SourceContract

obstore = pytest.importorskip("obstore", reason="needs obstore: pip install 'penstock[s3]'")
pytest.importorskip("obstore.store")

ROWS = pl.DataFrame({"id": [1, 2, 3], "day": ["2026-01-01", "2026-01-02", "2026-01-03"]})


def url_of(bucket, key=""):
    return f"{os.environ['AWS_ENDPOINT_URL']}/{bucket}/{key}"


def put(bucket, key, frame=ROWS):
    buffer = io.BytesIO()
    {"csv": frame.write_csv, "parquet": frame.write_parquet, "jsonl": frame.write_ndjson}[
        key.rpartition(".")[2]
    ](buffer)
    obstore.put(store_of(bucket), key, buffer.getvalue())


def store_of(bucket):
    return obstore.store.from_url(f"s3://{bucket}", client_options={"allow_http": True})


class Prefix:
    def __init__(self, bucket, ending):
        self.bucket, self.ending, self.prefix = bucket, ending, uuid.uuid4().hex
        self.parts = 0

    def add(self, rows):
        put(self.bucket, f"{self.prefix}/{self.parts}.{self.ending}", rows)
        self.parts += 1

    def source(self, **options):
        return FileSource(f"s3://{self.bucket}/{self.prefix}", name="rows", **options)


class TestBucket(SourceContract):
    @pytest.fixture(params=["parquet", "csv", "jsonl"])
    def system(self, request, bucket):
        return Prefix(bucket, request.param)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("a/one.csv", 3),
        ("a", 9),
        ("a/", 9),
        ("a/*.csv", 3),
        ("a/**/*.csv", 9),
        ("a/b/t[wx]?.csv", 3),
        ("", 12),
    ],
)
def test_a_url_names_an_object_a_folder_or_a_glob(bucket, key, expected):
    for name in ("a/one.csv", "a/b/two.csv", "a/b/c/three.csv", "other.csv"):
        put(bucket, name)
    for name in ("a/_SUCCESS.csv", "a/_temporary/0.csv", "a/.hidden.csv"):
        put(bucket, name)
    assert FileSource(f"s3://{bucket}/{key}").read().height == expected


def test_keys_are_read_in_order(bucket):
    for name in ("b", "a", "c/d"):
        put(bucket, f"r/{name}.csv", pl.DataFrame({"from": [name]}))
    assert FileSource(f"s3://{bucket}/r").read()["from"].to_list() == ["a", "b", "c/d"]


def test_what_is_not_there_is_named_with_its_like(bucket):
    put(bucket, "rides/2026.csv")
    with pytest.raises(NotFoundError, match=r"no object s3://.*/rides/2025.csv"):
        FileSource(f"s3://{bucket}/rides/2025.csv").read()
    with pytest.raises(NotFoundError, match=r"Did you mean '2026.csv'"):
        FileSource(f"s3://{bucket}/rides/202?5.csv").read()
    with pytest.raises(DataError, match=r"s3://no-such-\w+ cannot be (read|listed).*AWS_REGION"):
        FileSource(f"s3://no-such-{uuid.uuid4().hex}/rides/").read()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("s3:///rides.csv", "names no bucket"),
        ("s4://bucket/rides.csv", "s4:// is no place of files"),
    ],
)
def test_a_url_that_leads_nowhere_is_refused(bucket, url, words):
    with pytest.raises((DataError, ParameterError), match=words):
        FileSource(url).read()


@pytest.mark.parametrize(
    "url", ["s3://key:c4n4ry@bucket/a.csv", "https://host/a.csv?X-Amz-Signature=c4n4ry"]
)
def test_a_secret_in_a_url_is_refused_where_the_source_is_made(url):
    with pytest.raises(ParameterError) as raised:
        FileSource(url)
    assert "c4n4ry" not in str(raised.value)


def test_only_partitions_of_the_window_are_listed_in_the_state(bucket):
    for day in range(1, 6):
        put(bucket, f"r/day=2026-01-0{day}/part.parquet", ROWS.select("id"))
    source = FileSource(f"s3://{bucket}/r", time="day")
    before = source.fingerprint(cutoff="2026-01-04")
    put(bucket, "r/day=2026-01-05/part.parquet", ROWS.select("id").head(1))
    assert source.fingerprint(cutoff="2026-01-04") == before
    assert source.fingerprint() != before
    put(bucket, "r/day=2026-01-03/late.parquet", ROWS.select("id").head(1))
    assert source.fingerprint(cutoff="2026-01-04") != before
    snapshot = ingest(source, since="2026-01-02", cutoff="2026-01-04")
    assert (snapshot.rows, snapshot.schema["day"].dtype) == (7, "Date")


def versioned(bucket):
    body = (
        '<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        "<Status>Enabled</Status></VersioningConfiguration>"
    )
    httpx.put(url_of(bucket) + "?versioning", content=body).raise_for_status()


def test_an_earlier_version_is_read_again_where_the_bucket_keeps_versions(bucket, tmp_path):
    versioned(bucket)
    put(bucket, "rides.csv")
    store = open_store(f"sqlite:///{tmp_path}/s.db")
    source = FileSource(f"s3://{bucket}/rides.csv", time="day")
    first = ingest(source, store=store)
    read = store.metadata.artifacts.last_snapshot("rides").read
    assert read["files"][0]["version"]
    put(bucket, "rides.csv", ROWS.head(2))
    assert ingest(source).rows == 2
    assert ingest(source.pinned(read)).ordered_digest == first.ordered_digest
    obstore.delete(store_of(bucket), "rides.csv")
    assert ingest(source.pinned(read)).ordered_digest == first.ordered_digest


def test_an_object_that_changed_or_is_gone_is_named(bucket, tmp_path):
    put(bucket, "rides.csv")
    store = open_store(f"sqlite:///{tmp_path}/s.db")
    source = FileSource(f"s3://{bucket}/rides.csv", time="day")
    ingest(source, store=store)
    read = store.metadata.artifacts.last_snapshot("rides").read
    put(bucket, "rides.csv", ROWS.head(2))
    with pytest.raises(DataError, match=r"rides.csv changed since it was .*\(size 46, etag"):
        ingest(source.pinned(read))
    obstore.delete(store_of(bucket), "rides.csv")
    with pytest.raises(DataError, match=r"rides.csv is gone"):
        ingest(source.pinned(read))


def test_an_object_that_changes_between_listing_and_reading_is_named(bucket, monkeypatch):
    put(bucket, "rides.csv")
    source = FileSource(f"s3://{bucket}/rides.csv")
    listed = source._location().find()
    put(bucket, "rides.csv", ROWS.head(2))
    monkeypatch.setattr(FileSource, "_files", lambda *_: listed)
    with pytest.raises(DataError, match=r"rides.csv changed"):
        source.read()


def test_the_keys_of_the_environment_stand_nowhere(bucket, tmp_path, monkeypatch, caplog):
    secret = os.environ["AWS_SECRET_ACCESS_KEY"]
    put(bucket, "rides.csv")
    source = FileSource(f"s3://{bucket}/rides.csv", time="day")
    path = tmp_path / "s.db"
    with open_store(f"sqlite:///{path}") as store:
        ingest(source, store=store)
    seen = [repr(source), str(source.describe()), str(source.fingerprint()), caplog.text]
    seen += [file.read_bytes().decode("latin-1") for file in tmp_path.rglob("*") if file.is_file()]
    assert len(secret) > 5
    assert not any(secret in text for text in seen)


def test_a_server_that_ignores_the_condition_is_seen_through(bucket):
    put(bucket, "rides.csv")
    source = FileSource(f"s3://{bucket}/rides.csv")
    [file] = source._location().find()
    facts = {"files": [{**file.to_json(), "size": file.state["size"] + 1}]}
    with pytest.raises(DataError, match=r"rides.csv changed"):
        source.pinned(facts).read()
    with pytest.raises(DataError, match="facts do not tell what a reading"):
        source.pinned({})


def long_table():
    start = dt.datetime.fromisoformat("2026-01-01")
    times = pl.datetime_range(start, start + dt.timedelta(hours=199_999), "1h", eager=True)
    noise = np.random.default_rng(0).normal(size=len(times))
    return pl.DataFrame({"at": times, "noise": noise, "n": range(len(times))})


def put_long(bucket, frame):
    buffer = io.BytesIO()
    frame.write_parquet(buffer, row_group_size=10_000)
    obstore.put(store_of(bucket), "long.parquet", buffer.getvalue())
    return len(buffer.getvalue())


@pytest.fixture
def received(monkeypatch):
    """The numbers of bytes that were asked for by ranges; None for a whole object."""
    found, whole = [], obstore.get

    def get(store, path, *, options=None):
        span = (options or {}).get("range")
        found.append(None if span is None else span[1] - span[0])
        return whole(store, path, options=options)

    monkeypatch.setattr(obstore, "get", get)
    return found


def test_of_a_large_object_only_row_groups_of_the_window_are_fetched(bucket, received, tmp_path):
    pytest.importorskip("pyarrow", reason='pip install "penstock[pandas]"')
    frame = long_table()
    size = put_long(bucket, frame)
    source = FileSource(f"s3://{bucket}/long.parquet", time="at")
    window = {
        "since": dt.datetime.fromisoformat("2030-01-01"),
        "cutoff": dt.datetime.fromisoformat("2030-02-01"),
    }
    with open_store(f"sqlite:///{tmp_path}/store.db") as store:
        pruned = ingest(source, store=store, **window)
        assert None not in received
        assert sum(received) < size / 5
        (tmp_path / "long.parquet").write_bytes(store_get(bucket, "long.parquet"))
        local = ingest(FileSource(tmp_path / "long.parquet", time="at"), store=store, **window)
    assert pruned.rows == local.rows == 31 * 24
    assert pruned.ordered_digest == local.ordered_digest


def store_get(bucket, key):
    return bytes(store_of(bucket).get(key).bytes())


def test_an_object_that_changes_between_two_ranges_is_named(bucket, monkeypatch):
    pytest.importorskip("pyarrow", reason='pip install "penstock[pandas]"')
    put_long(bucket, long_table())
    whole = obstore.get
    asked: list[object] = []

    def get(store, path, *, options):
        if len(asked) == 1:
            put_long(bucket, long_table().with_columns(n=pl.col("n") + 1))
        asked.append(options)
        return whole(store, path, options=options)

    monkeypatch.setattr(obstore, "get", get)
    source = FileSource(f"s3://{bucket}/long.parquet", time="at")
    with pytest.raises(DataError, match="changed since it was listed"):
        source.read(
            dt.datetime.fromisoformat("2030-01-01"), dt.datetime.fromisoformat("2030-02-01")
        )


def test_an_error_names_the_object_and_no_copy(bucket):
    obstore.put(store_of(bucket), "rides/day=1/a.parquet", b"no")
    with pytest.raises(DataError, match=r"^day=1/a.parquet is not Parquet") as raised:
        FileSource(f"s3://{bucket}/rides").read()
    assert "penstock-" not in str(raised.value)


def test_a_key_may_hold_signs_of_web_addresses(bucket):
    for key in ("a#b%20c+d.csv", "a", "d#1/x.csv", "d/x.csv"):
        obstore.put(store_of(bucket), key, f"key\n{key}\n".encode())
    for url, key in (("a#b%20c+d.csv", "a#b%20c+d.csv"), ("d#1", "d#1/x.csv")):
        assert FileSource(f"s3://{bucket}/{url}").read()["key"].to_list() == [key]


def test_a_bucket_that_does_not_exist_is_told_in_one_line(bucket):
    with pytest.raises(DataError, match="404 Not Found") as raised:
        FileSource(f"s3://{bucket}-none/a.csv").read()
    assert "<?xml" not in str(raised.value)
