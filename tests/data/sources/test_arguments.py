"""Arguments of a wrong type: a sentence before anything is read, for every source."""

from datetime import timedelta
from functools import partial
from typing import Any

import polars as pl
import pytest

from penstock.core import DataError, ParameterError
from penstock.data import (
    DeltaSource,
    FileSource,
    IcebergSource,
    KafkaSource,
    Snapshot,
    SqlSource,
    ingest,
)

SOURCES: dict[str, Any] = {
    "FileSource": partial(FileSource, "a.csv"),
    "SqlSource": partial(SqlSource, "sqlite:///shop.db", table="rides"),
    "KafkaSource": partial(KafkaSource, "broker:9092", topic="rides"),
    "DeltaSource": partial(DeltaSource, "lake/rides"),
    "IcebergSource": partial(IcebergSource, "shop.rides"),
}


@pytest.mark.parametrize("address", [3, None, b"rides", ["rides"], "", " "])
@pytest.mark.parametrize(
    "source",
    [
        FileSource,
        DeltaSource,
        IcebergSource,
        partial(SqlSource, table="rides"),
        partial(KafkaSource, topic="rides"),
    ],
)
def test_an_address_is_a_text(source, address):
    with pytest.raises(ParameterError) as raised:
        source(address)
    assert "Source(" in raised.value.fix


@pytest.mark.parametrize("name", ["name", "time", "time_format", "available_at"])
@pytest.mark.parametrize("owner", SOURCES)
def test_what_all_sources_have_is_a_text(owner, name):
    with pytest.raises(ParameterError, match=f"{name}= of {owner} is 3, an int"):
        SOURCES[owner](**{name: 3})


@pytest.mark.parametrize("owner", SOURCES)
def test_a_time_is_a_column_or_two(owner):
    assert SOURCES[owner](time=["day", "hour"]).time == ("day", "hour")
    with pytest.raises(ParameterError, match="names 1 columns"):
        SOURCES[owner](time=["day"])
    with pytest.raises(ParameterError, match="A column in time= of"):
        SOURCES[owner](time=("day", 3))


@pytest.mark.parametrize(
    ("owner", "options", "words"),
    [
        ("FileSource", {"columns": "abc"}, "columns= of FileSource is the text 'abc'"),
        ("FileSource", {"columns": [1]}, "A name in columns= of FileSource is 1"),
        ("FileSource", {"missing": 3}, "missing= of FileSource is 3"),
        ("FileSource", {"types": "text"}, "types= of FileSource is 'text', a str"),
        ("FileSource", {"separator": ";;"}, "separator= of FileSource is ';;'"),
        ("FileSource", {"has_header": "no"}, "has_header= of FileSource is 'no'"),
        ("FileSource", {"sheet": 3}, "sheet= of FileSource is 3"),
        ("SqlSource", {"order_by": 3}, "order_by= of SqlSource is 3"),
        ("SqlSource", {"types": ["a"]}, "types= of SqlSource is"),
        ("SqlSource", {"partitions": 1.5}, "partitions is 1.5"),
        ("SqlSource", {"schema": 3}, "schema= of SqlSource is 3"),
        ("KafkaSource", {"options": "x"}, "options= of KafkaSource is 'x'"),
        ("KafkaSource", {"columns": "_offset"}, "columns= of KafkaSource is the text"),
        ("KafkaSource", {"lateness": 3}, "lateness= of KafkaSource is 3"),
        ("KafkaSource", {"schema_registry": 3}, "schema_registry= of KafkaSource is 3"),
        ("DeltaSource", {"version": "1"}, "version is '1'"),
        ("DeltaSource", {"version": True}, "version is True"),
        ("DeltaSource", {"options": "x"}, "options= of DeltaSource is 'x'"),
        ("IcebergSource", {"snapshot_id": "x"}, "snapshot_id is 'x'"),
        ("IcebergSource", {"catalog": 3}, "catalog= of IcebergSource is 3"),
    ],
)
def test_an_option_of_another_type_is_told(owner, options, words):
    with pytest.raises(ParameterError) as raised:
        SOURCES[owner](**options)
    assert words in str(raised.value)


def test_a_single_mark_is_one_mark(tmp_path):
    (tmp_path / "a.csv").write_text("id,n\n1,NA\n2,N\n3,A\n")
    table = FileSource(tmp_path / "a.csv", missing="NA").read()
    assert table["n"].to_list() == [None, "N", "A"]


def test_a_lateness_and_servers_are_taken_or_told():
    assert SOURCES["KafkaSource"](lateness=timedelta(hours=1)).lateness == timedelta(hours=1)
    for servers in ("ada:c4n4ry@broker:9092", "kafka://broker:9092"):
        with pytest.raises(ParameterError, match="holds more than addresses") as raised:
            KafkaSource(servers, topic="rides")
        assert "c4n4ry" not in str(raised.value)


def test_an_iceberg_table_without_a_namespace_is_told():
    with pytest.raises(ParameterError, match="'rides' of IcebergSource names no namespace"):
        IcebergSource("rides")


@pytest.mark.parametrize("facts", [None, {}, {"rows": 3}])
@pytest.mark.parametrize("owner", ["FileSource", "KafkaSource", "DeltaSource", "IcebergSource"])
def test_facts_of_something_else_are_told(owner, facts):
    with pytest.raises(DataError, match="These facts do not tell what a reading of"):
        SOURCES[owner]().pinned(facts)


@pytest.mark.parametrize("owner", SOURCES)
def test_a_missing_time_names_the_class_of_the_source(owner):
    with pytest.raises(DataError, match=rf"Name it: {owner}\(…, time=\"column\"\)"):
        ingest(SOURCES[owner](), cutoff="2026-01-01")


def test_a_schema_that_is_no_json_is_told():
    source = KafkaSource("b:9092", topic="rides", format="avro", schema="ride.avsc")
    with pytest.raises(ParameterError, match=r"schema= of Avro messages is 'ride.avsc'"):
        source.scan()


class TestIngest:
    def test_a_class_is_no_source(self):
        with pytest.raises(ParameterError, match="FileSource is a class, no data source"):
            ingest(FileSource)  # type: ignore[arg-type] # what beginners write

    @pytest.mark.parametrize("cutoff", [3, True, 1.5])
    def test_a_cutoff_is_a_date(self, tmp_path, cutoff):
        pl.DataFrame({"at": ["2026-01-01"]}).write_csv(tmp_path / "a.csv")
        with pytest.raises(ParameterError, match="cutoff is"):
            ingest(FileSource(tmp_path / "a.csv", time="at"), cutoff=cutoff)

    def test_a_store_is_a_store_or_its_address(self, tmp_path):
        pl.DataFrame({"a": [1]}).write_csv(tmp_path / "a.csv")
        source = FileSource(tmp_path / "a.csv")
        with pytest.raises(ParameterError, match="store is 3, an int"):
            ingest(source, store=3)  # type: ignore[arg-type] # what beginners write
        assert isinstance(ingest(source, store=f"sqlite:///{tmp_path}/p.db"), Snapshot)
