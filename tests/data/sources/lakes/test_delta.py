"""DeltaSource over real tables: one version, the same rows again, only rows of the window."""

import datetime as dt
import json
import shutil
import struct

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake
from obstore.store import S3Store

from penstock.core import DataError, MissingPackageError, NotFoundError, ParameterError
from penstock.data import DeltaSource, FileSource, ingest
from penstock.data.sources import read_batches
from penstock.testing import SourceContract

DAY = [dt.datetime(2026, 3, day, tzinfo=dt.UTC) for day in range(1, 10)]


class Table:
    def __init__(self, folder):
        self.path = folder / "rides"

    def add(self, rows):
        write_deltalake(self.path, rows, mode="append")

    def source(self, **options):
        return DeltaSource(self.path, **options)


class TestContract(SourceContract):
    @pytest.fixture
    def system(self, tmp_path):
        return Table(tmp_path)


class TestContractWithPartitions(SourceContract):
    """The same table, a folder a day."""

    @pytest.fixture
    def system(self, tmp_path):
        class Partitioned(Table):
            def add(self, rows):
                write_deltalake(
                    self.path,
                    rows.with_columns(day=pl.col("at").dt.date(), who_too=pl.col("who")),
                    mode="append",
                    partition_by=["day", "who_too"],
                )

        return Partitioned(tmp_path)


class TestContractOnS3(SourceContract):
    @pytest.fixture
    def system(self, bucket, s3_server, monkeypatch):
        monkeypatch.setenv("LAKE_SECRET", "very-secret")
        for name in ("AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"):
            monkeypatch.delenv(name)
        known = {"aws_endpoint_url": s3_server, "aws_allow_http": "true"}

        class Remote(Table):
            def __init__(self):
                self.path = f"s3://{bucket}/lake/rides"

            def add(self, rows):
                secret = {
                    "aws_secret_access_key": "very-secret",
                    "aws_s3_allow_unsafe_rename": "true",
                }
                write_deltalake(self.path, rows, mode="append", storage_options=known | secret)

            def source(self, **options):
                given = known | {"aws_secret_access_key": "${LAKE_SECRET}"}
                return DeltaSource(self.path, options=given, **options)

        return Remote()


def rows(*days, **more):
    return pl.DataFrame(
        {
            "id": list(days),
            "at": [DAY[day - 1] for day in days],
            **{k: [v] * len(days) for k, v in more.items()},
        }
    )


def read(source, **window):
    return ingest(source, **window).table["id"].to_list()


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "rides"
    for day in range(1, 8):
        write_deltalake(path, rows(day), mode="append")
    return path


def test_only_files_that_can_have_rows_of_the_window_are_opened(path):
    source = DeltaSource(path, time="at")
    scan = source.scan(DAY[1], DAY[3])
    assert sorted(batch["id"][0] for batch in scan) == [2, 3]
    assert scan.reading.facts["files"] == 2
    assert scan.reading.facts["files_outside"] == 5


def test_a_millisecond_of_the_statistics_hides_no_row(tmp_path):
    at = DAY[0] + dt.timedelta(microseconds=999)
    write_deltalake(tmp_path / "t", pl.DataFrame({"id": [1], "at": [at]}))
    source = DeltaSource(tmp_path / "t", time="at")
    assert read(source, since=DAY[0] + dt.timedelta(microseconds=500)) == [1]


def test_rows_without_a_time_are_counted(tmp_path):
    table = rows(1, 2, 3).with_columns(at=pl.when(pl.col("id") != 2).then("at"))
    write_deltalake(tmp_path / "t", table)
    snapshot = ingest(DeltaSource(tmp_path / "t", time="at"), cutoff=DAY[5])
    assert snapshot.table["id"].to_list() == [1, 3]
    assert "1 of 3 rows" in snapshot.findings[0].message


def test_a_version_is_read_again_after_checkpoint_and_compaction(path):
    source = DeltaSource(path, time="at")
    scan = source.scan()
    first = pl.concat(scan)
    table = DeltaTable(path)
    table.create_checkpoint()
    table.optimize.compact()
    write_deltalake(path, rows(9), mode="append")
    again = pl.concat(source.pinned(json.loads(json.dumps(scan.reading.facts))).scan())
    assert again.equals(first)
    assert sorted(read(source)) == [1, 2, 3, 4, 5, 6, 7, 9]


def test_a_vacuumed_version_is_named(path):
    facts = DeltaSource(path).scan().reading.facts
    table = DeltaTable(path)
    table.optimize.compact()
    table.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)
    with pytest.raises(NotFoundError, match=r"Version 6 .* is gone: a file of it was removed"):
        list(DeltaSource(path).pinned(facts).scan())


def test_another_table_in_the_same_place_is_named(path, tmp_path):
    source = DeltaSource(path)
    facts = source.scan().reading.facts
    before = source.fingerprint()
    path.rename(tmp_path / "old")
    for day in range(1, 8):
        write_deltalake(path, rows(day), mode="append")
    assert source.fingerprint() != before
    with pytest.raises(NotFoundError, match="is gone: another one lies there"):
        source.pinned(facts)


def test_a_version_that_was_written_again_after_a_restore_is_another(path, tmp_path):
    rows = pl.DataFrame({"id": [9], "at": [DAY[0]]})
    shutil.copytree(path, tmp_path / "backup")
    write_deltalake(path, rows, mode="append")
    source = DeltaSource(path)
    before, scan = source.fingerprint(), source.scan()
    list(scan)
    shutil.rmtree(path)
    shutil.copytree(tmp_path / "backup", path)
    write_deltalake(path, rows.with_columns(id=pl.lit(77)), mode="append")
    after = source.fingerprint()
    assert [one["state"]["version"] for one in (before, after)] == [before["state"]["version"]] * 2
    assert after != before
    with pytest.raises(NotFoundError, match="its files are others now"):
        source.pinned(scan.reading.facts)


def test_a_version_that_does_not_exist_is_named(path):
    with pytest.raises(NotFoundError, match=r"has no version 99\. Its newest is 6"):
        DeltaSource(path, version=99).fingerprint()
    with pytest.raises(ParameterError, match=r"version is -1\. Give a whole number of 0 or more"):
        DeltaSource(path, version=-1)


def test_a_fixed_version_has_the_same_fingerprint_for_ever(path):
    source = DeltaSource(path, version=2)
    before = source.fingerprint()
    write_deltalake(path, rows(9), mode="append")
    assert source.fingerprint() == before
    assert read(source) == [1, 2, 3]


def test_files_of_a_table_are_not_read_as_they_lie(path, bucket):
    write_deltalake(path, pl.DataFrame({"id": [9], "at": [DAY[0]]}), mode="overwrite")
    for place in (path, path / "*.parquet", path / "**/*.parquet"):
        with pytest.raises(DataError, match="is a Delta table") as raised:
            FileSource(place).read()
        assert "ps.data.DeltaSource" in raised.value.fix
    store = S3Store(bucket, virtual_hosted_style_request=False, client_options={"allow_http": True})
    for file in path.rglob("*"):
        if file.is_file():
            store.put(f"rides/{file.relative_to(path).as_posix()}", file.read_bytes())
    for url in (f"s3://{bucket}/rides", f"s3://{bucket}/rides/*.parquet"):
        with pytest.raises(DataError, match="is a Delta table"):
            FileSource(url).read()
    store.put("other/a.csv", b"a\n1\n")
    assert FileSource(f"s3://{bucket}/**/*.csv").read().rows() == [(1,)]


def test_a_missing_table_is_named_with_similar_ones(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotFoundError, match=r"no Delta table ridez.*Did you mean 'rides'"):
        DeltaSource("ridez").fingerprint()
    (tmp_path / "plain").mkdir()
    with pytest.raises(NotFoundError, match=r"has no folder _delta_log.*FileSource"):
        DeltaSource("plain").fingerprint()


def test_a_time_column_that_does_not_exist_is_named(path):
    with pytest.raises(NotFoundError, match=r"'att' is not in source 'rides'.*'at'"):
        ingest(DeltaSource(path, time="att"), cutoff=DAY[3])


def test_a_new_column_is_missing_in_older_files(path):
    write_deltalake(path, rows(9, tip=2.5), mode="append", schema_mode="merge")
    table = ingest(DeltaSource(path)).table.sort("id")
    assert table["tip"].to_list() == [None] * 7 + [2.5]


ODD = pl.DataFrame({"id": range(5), "kind": ["a b", "ü/ö", "50%", "x=y", None]})


@pytest.mark.parametrize("folder", ["t", "a b", "ü", "x=y", "a+b"])
def test_odd_values_of_partitions_and_odd_folders_are_read(tmp_path, folder):
    write_deltalake(tmp_path / folder, ODD, partition_by=["kind"])
    assert ingest(DeltaSource(tmp_path / folder)).table.sort("id").equals(ODD)


def test_odd_values_of_partitions_are_read_from_s3(bucket, s3_server, monkeypatch):
    options = {"aws_endpoint_url": s3_server, "aws_allow_http": "true"}
    unsafe = {"aws_s3_allow_unsafe_rename": "true"}
    place = f"s3://{bucket}/lake/a b"
    write_deltalake(place, ODD, partition_by=["kind"], storage_options=options | unsafe)
    assert ingest(DeltaSource(place, options=options)).table.sort("id").equals(ODD)


def test_nested_values_decimals_and_dates_keep_their_meaning(tmp_path):
    table = pl.DataFrame(
        {
            "id": [1, 2],
            "price": pl.Series(["1.10", None], dtype=pl.String).cast(pl.Decimal(10, 2)),
            "day": [dt.date(2026, 1, 1), None],
            "local": pl.Series([DAY[0], None]).dt.replace_time_zone(None),
            "place": [{"x": 1, "tags": ["a", None]}, None],
        }
    )
    write_deltalake(tmp_path / "t", table)
    batches = list(read_batches(DeltaSource(tmp_path / "t").scan(), "t"))
    assert pl.concat(batches).equals(table)


def test_a_feature_that_is_not_read_is_refused(path):
    log = path / "_delta_log" / "00000000000000000000.json"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    for line in lines:
        if "protocol" in line:
            line["protocol"] = {"minReaderVersion": 2, "minWriterVersion": 5}
        if "metaData" in line:
            line["metaData"]["configuration"] = {"delta.columnMapping.mode": "name"}
            schema = json.loads(line["metaData"]["schemaString"])
            for number, column in enumerate(schema["fields"]):
                physical = {"id": number, "physicalName": column["name"]}
                column["metadata"] = {f"delta.columnMapping.{k}": v for k, v in physical.items()}
            line["metaData"]["schemaString"] = json.dumps(schema)
    log.write_text("\n".join(map(json.dumps, lines)))
    with pytest.raises(DataError, match="has columnMapping, which DeltaSource does not read"):
        DeltaSource(path).scan()


Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"  # its RFC


def z85(content):
    """Bytes as text, five characters for four: https://rfc.zeromq.org/spec/32."""
    words = (int.from_bytes(content[at : at + 4], "big") for at in range(0, len(content), 4))
    return "".join(Z85[word // 85**place % 85] for word in words for place in (4, 3, 2, 1, 0))


def deletion_vector(rows):
    """A vector as Delta's protocol writes it inline: a roaring bitmap, RoaringFormatSpec."""
    bitmap = struct.pack("<IIHHI", 12346, 1, 0, len(rows) - 1, 16)
    bitmap += struct.pack(f"<{len(rows)}H", *rows)
    content = struct.pack("<IQI", 1681511377, 1, 0) + bitmap
    content += b"\0" * (-len(content) % 4)
    return {
        "storageType": "i",
        "pathOrInlineDv": z85(content),
        "sizeInBytes": len(content),
        "cardinality": len(rows),
    }


def delete_by_vector(path, rows):
    """Commit a deletion as Spark does, which deltalake cannot write."""
    log = path / "_delta_log"
    lines = (log / "00000000000000000000.json").read_text().splitlines()
    known = {key: value for line in lines for key, value in json.loads(line).items()}
    add, features = known["add"], ["deletionVectors"]
    vectors = {"delta.enableDeletionVectors": "true"}
    commit = [
        {
            "protocol": {
                "minReaderVersion": 3,
                "minWriterVersion": 7,
                "readerFeatures": features,
                "writerFeatures": features,
            }
        },
        {"metaData": known["metaData"] | {"configuration": vectors}},
        {"remove": {"path": add["path"], "deletionTimestamp": 1, "dataChange": True}},
        {"add": add | {"deletionVector": deletion_vector(rows)}},
        {"commitInfo": {"timestamp": 1, "operation": "DELETE"}},
    ]
    (log / "00000000000000000001.json").write_text("\n".join(map(json.dumps, commit)))


class TestDeletionVectors:
    @pytest.fixture
    def deleted(self, tmp_path):
        path = tmp_path / "t é"
        table = pl.DataFrame({"id": range(10), "at": DAY[:1] * 10, "kind": ["a b"] * 10})
        write_deltalake(path, table, partition_by=["kind"])
        delete_by_vector(path, [2, 5])
        return path

    def test_deleted_rows_are_not_read(self, deleted):
        assert read(DeltaSource(deleted)) == [0, 1, 3, 4, 6, 7, 8, 9]
        assert read(DeltaSource(deleted, time="at"), cutoff=DAY[1]) == [0, 1, 3, 4, 6, 7, 8, 9]
        assert read(DeltaSource(deleted, version=0)) == list(range(10))

    def test_they_are_no_added_rows(self, deleted):
        with pytest.raises(DataError, match="changed or deleted rows"):
            ingest(DeltaSource(deleted).changes(0))

    def test_a_vector_of_no_file_is_refused(self, deleted, monkeypatch):
        foreign = pl.DataFrame({"filepath": ["file:///else"], "selection_vector": [[False]]})
        monkeypatch.setattr(DeltaTable, "deletion_vectors", lambda _: foreign)
        with pytest.raises(DataError, match="belong to none of its files"):
            ingest(DeltaSource(deleted))


def test_partitions_of_bytes_are_refused(tmp_path):
    write_deltalake(tmp_path / "t", pl.DataFrame({"id": [1], "raw": [b"a"]}), partition_by=["raw"])
    with pytest.raises(DataError, match="partitioned by the bytes of 'raw'"):
        ingest(DeltaSource(tmp_path / "t"))


class TestChanges:
    def test_added_rows_are_read_by_version(self, path):
        source = DeltaSource(path, time="at").changes(2, 5)
        snapshot = ingest(source)
        assert snapshot.table["id"].to_list() == [4, 5, 6]
        facts = source.scan().reading.facts
        assert (facts["after"], facts["version"]) == (2, 5)
        assert ingest(DeltaSource(path).pinned(facts)).ordered_digest == snapshot.ordered_digest

    def test_a_compaction_adds_nothing(self, path):
        DeltaTable(path).optimize.compact()
        write_deltalake(path, rows(9), mode="append")
        assert read(DeltaSource(path).changes(6)) == [9]

    def test_deleted_rows_are_refused_without_a_change_data_feed(self, path):
        DeltaTable(path).delete("id = 2")
        with pytest.raises(DataError, match=r"Version 7 .* changed or deleted rows"):
            ingest(DeltaSource(path).changes(6))

    def test_the_change_data_feed_tells_what_happened(self, tmp_path):
        path = tmp_path / "t"
        write_deltalake(path, rows(1, 2), configuration={"delta.enableChangeDataFeed": "true"})
        write_deltalake(path, rows(3, 4), mode="append")
        DeltaTable(path).delete("id = 1")
        table = ingest(DeltaSource(path, time="at").changes(0)).table
        told = table.select("_commit_version", "_change_type", "id").rows()
        assert told == [(1, "insert", 3), (1, "insert", 4), (2, "delete", 1)]

    def test_the_window_holds_for_changes(self, path):
        assert read(DeltaSource(path, time="at").changes(0), cutoff=DAY[3]) == [2, 3]

    def test_versions_in_the_wrong_order_are_refused(self, path):
        with pytest.raises(ParameterError, match="older version first"):
            DeltaSource(path).changes(5, 2)
        with pytest.raises(ParameterError, match="no changes after 40"):
            ingest(DeltaSource(path).changes(40))


def test_a_store_that_does_not_respond_is_named_without_its_secret(monkeypatch):
    monkeypatch.setenv("LAKE_SECRET", "canary-7f3a")
    source = DeltaSource(
        "s3://lake/rides",
        options={
            "aws_endpoint_url": "http://127.0.0.1:9",
            "aws_allow_http": "true",
            "aws_region": "us-east-1",
            "aws_access_key_id": "ada",
            "aws_secret_access_key": "${LAKE_SECRET}",
            "max_retries": "0",
        },
    )
    with pytest.raises(DataError, match=r"rides cannot be opened") as told:
        source.fingerprint()
    assert "canary" not in str(told.value)
    assert "\x1b" not in str(told.value)
    with pytest.raises(ParameterError, match="is written out"):
        DeltaSource("s3://lake/rides", options={"aws_secret_access_key": "canary-7f3a"})


def test_without_the_package_the_install_command_is_named(path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "deltalake", None)
    with pytest.raises(MissingPackageError, match=r'pip install "penstock\[delta\]"'):
        DeltaSource(path).fingerprint()
