"""IcebergSource over real tables with a catalogue in SQLite: one snapshot, the same rows again."""

import datetime as dt
import json
import socket

import polars as pl
import pytest
from pyiceberg.catalog import load_catalog

from penstock.core import DataError, MissingPackageError, NotFoundError, ParameterError
from penstock.data import IcebergSource, ingest
from penstock.data.sources.lakes import _iceberg_table
from penstock.testing import SourceContract

DAY = [dt.datetime(2026, 3, day, tzinfo=dt.UTC) for day in range(1, 10)]


class Lake:
    """A catalogue with a table."""

    def __init__(self, folder, **more):
        self.folder, self.more = folder, more
        self.options = {
            "type": "sql",
            "uri": f"sqlite:///{folder}/catalog.db",
            "warehouse": f"file://{folder}/lake",
        }

    def add(self, rows, **more):
        table = rows.to_arrow()
        with load_catalog("lake", **self.options | self.more) as catalog:
            catalog.create_namespace_if_not_exists("shop")
            catalog.create_table_if_not_exists("shop.rides", schema=table.schema).append(
                table, **more
            )

    def change(self, action):
        with load_catalog("lake", **self.options | self.more) as catalog:
            return action(catalog.load_table("shop.rides"))

    def source(self, **options):
        return IcebergSource("shop.rides", catalog="lake", options=self.options, **options)


class TestContract(SourceContract):
    @pytest.fixture
    def system(self, tmp_path):
        return Lake(tmp_path)


class TestContractOnS3(SourceContract):
    @pytest.fixture
    def system(self, bucket, s3_server, monkeypatch, tmp_path):
        monkeypatch.setenv("LAKE_SECRET", "very-secret")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        lake = Lake(tmp_path, **{"s3.secret-access-key": "very-secret"})
        lake.options |= {
            "warehouse": f"s3://{bucket}/lake",
            "s3.endpoint": s3_server,
            "s3.access-key-id": "tester",
            "s3.region": "us-east-1",
            "s3.secret-access-key": "${LAKE_SECRET}",
        }
        return lake


def rows(*days):
    return pl.DataFrame({"id": list(days), "at": [DAY[day - 1] for day in days]})


def read(source, **window):
    return ingest(source, **window).table["id"].to_list()


@pytest.fixture
def lake(tmp_path):
    lake = Lake(tmp_path)
    for day in range(1, 8):
        lake.add(rows(day))
    return lake


def snapshots(lake):
    return lake.change(lambda table: [each.snapshot_id for each in table.metadata.snapshots])


def test_only_files_that_can_have_rows_of_the_window_are_opened(lake):
    scan = lake.source(time="at").scan(DAY[1], DAY[3])
    assert sorted(batch["id"][0] for batch in scan) == [2, 3]
    assert scan.reading.facts["files"] == 2


def test_dates_are_cut_to_the_window(tmp_path):
    lake = Lake(tmp_path)
    lake.add(rows(1, 2, 3).with_columns(pl.col("at").dt.date()))
    assert read(lake.source(time="at"), since="2026-03-02", cutoff="2026-03-03") == [2]
    assert read(lake.source(time="at"), cutoff="2026-03-02T12:00") == [1, 2]


def test_rows_without_a_time_are_counted(tmp_path):
    lake = Lake(tmp_path)
    lake.add(rows(1, 2, 3).with_columns(at=pl.when(pl.col("id") != 2).then("at")))
    snapshot = ingest(lake.source(time="at"), cutoff=DAY[5])
    assert snapshot.table["id"].to_list() == [1, 3]
    assert "1 of 3 rows" in snapshot.findings[0].message


def test_a_snapshot_is_read_again_after_changes(lake):
    source = lake.source(time="at")
    scan = source.scan()
    first = pl.concat(scan)
    lake.change(lambda table: table.delete("id = 2"))
    lake.add(rows(9))
    again = pl.concat(source.pinned(json.loads(json.dumps(scan.reading.facts))).scan())
    assert again.equals(first)
    assert sorted(read(source)) == [1, 3, 4, 5, 6, 7, 9]


def test_a_snapshot_is_read_with_the_columns_that_it_had(lake):
    def widen(table):
        with table.update_schema() as update:
            update.rename_column("at", "happened")

    source = lake.source(time="at")
    scan = source.scan()
    first = pl.concat(scan)
    lake.change(widen)
    pinned = source.pinned(scan.reading.facts)
    assert pl.concat(pinned.scan()).equals(first)
    assert sorted(read(pinned, cutoff=DAY[3])) == [1, 2, 3]
    assert "happened" in ingest(lake.source()).columns


def test_an_expired_snapshot_is_named(lake):
    source = lake.source()
    facts = source.scan().reading.facts
    lake.add(rows(9))
    lake.change(
        lambda table: table.maintenance.expire_snapshots().by_id(facts["snapshot"]).commit()
    )
    with pytest.raises(NotFoundError, match=r"Snapshot \d+ .* is gone: it was expired"):
        source.pinned(facts)


def test_a_removed_file_is_named(lake, tmp_path):
    next((tmp_path / "lake").rglob("*.parquet")).unlink()
    with pytest.raises(NotFoundError, match=r"is gone: a file of it was removed"):
        ingest(lake.source())


def test_another_table_of_the_same_name_is_named(lake):
    source = lake.source()
    facts = source.scan().reading.facts
    with load_catalog("lake", **lake.options) as catalog:
        catalog.drop_table("shop.rides")
    lake.add(rows(1))
    with pytest.raises(NotFoundError, match="is gone: another one is there"):
        source.pinned(facts)


def test_a_fixed_snapshot_has_the_same_fingerprint_for_ever(lake):
    source = lake.source(snapshot_id=snapshots(lake)[2])
    before = source.fingerprint()
    lake.add(rows(9))
    assert source.fingerprint() == before
    assert sorted(read(source)) == [1, 2, 3]


def test_a_missing_table_is_named_with_similar_ones(lake):
    source = IcebergSource("shop.ridez", catalog="lake", options=lake.options)
    with pytest.raises(NotFoundError, match=r"no Iceberg table shop.ridez .*'shop.rides'"):
        source.fingerprint()
    source = IcebergSource("shopp.rides", catalog="lake", options=lake.options)
    with pytest.raises(NotFoundError, match=r"no Iceberg table shopp.rides"):
        source.fingerprint()


def test_a_table_is_read_by_its_metadata_file(lake):
    place = lake.change(lambda table: table.metadata_location)
    source = IcebergSource(place, time="at")
    assert source.name == "rides"
    assert sorted(read(source, cutoff=DAY[3])) == [1, 2, 3]
    with pytest.raises(NotFoundError, match="no Iceberg metadata /nowhere"):
        IcebergSource("/nowhere/rides").fingerprint()


def test_an_empty_table_has_no_rows(tmp_path):
    lake = Lake(tmp_path)
    lake.add(rows().cast({"id": pl.Int64, "at": pl.Datetime("us", "UTC")}))
    with pytest.raises(DataError, match="'rides' gave no rows"):
        ingest(lake.source(time="at"))


class TestChanges:
    def test_added_rows_are_read_by_snapshot(self, lake):
        ids = snapshots(lake)
        source = lake.source(time="at").changes(ids[2], ids[5])
        snapshot = ingest(source)
        assert snapshot.table["id"].to_list() == [4, 5, 6]
        facts = source.scan().reading.facts
        assert ingest(lake.source().pinned(facts)).ordered_digest == snapshot.ordered_digest
        assert read(source, cutoff=DAY[4]) == [4]

    def test_deleted_rows_are_refused(self, lake):
        last = snapshots(lake)[-1]
        lake.change(lambda table: table.delete("id = 2"))
        with pytest.raises(DataError, match=r"changed or deleted rows \(delete\)"):
            ingest(lake.source().changes(last))

    def test_a_snapshot_that_is_not_before_is_refused(self, lake):
        ids = snapshots(lake)
        with pytest.raises(DataError, match="does not come before"):
            ingest(lake.source().changes(ids[5], ids[2]))


def test_a_catalogue_that_never_answers_is_given_up(monkeypatch):
    monkeypatch.setattr(_iceberg_table, "_LONGEST_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        uri = f"http://127.0.0.1:{server.getsockname()[1]}"
        source = IcebergSource("a.b", catalog="slow", options={"type": "rest", "uri": uri})
        with pytest.raises(DataError, match=rf"gave no answer .* within 0.3 s. .* {uri}"):
            source.fingerprint()


def test_a_catalogue_that_does_not_respond_is_named_without_its_secret(monkeypatch):
    monkeypatch.setenv("LAKE_SECRET", "canary-7f3a")
    uri = "postgresql+psycopg://ada:${LAKE_SECRET}@127.0.0.1:9/lake"
    source = IcebergSource("shop.rides", catalog="x", options={"type": "sql", "uri": uri})
    with pytest.raises(DataError, match=r"rides cannot be opened in the catalogue x") as told:
        source.fingerprint()
    assert "canary" not in str(told.value)
    assert "canary" not in json.dumps(source.describe())
    with pytest.raises(ParameterError, match="is written out"):
        IcebergSource("shop.rides", options={"uri": "postgresql://ada:canary@host/lake"})
    with pytest.raises(ParameterError, match="is written out"):
        IcebergSource("shop.rides", options={"s3.secret-access-key": "canary"})


def test_without_the_package_the_install_command_is_named(lake, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyiceberg", None)
    with pytest.raises(MissingPackageError, match=r'pip install "penstock\[iceberg\]"'):
        lake.source().fingerprint()
