"""A new project reads from every kind of source, and says so as code."""

import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
import polars as pl
import pytest

import penstock as ps
from penstock.core import MissingPackageError, NotFoundError, ParameterError, require
from penstock.data import ingest
from penstock.execution import QuietReporter, load_pipeline
from penstock.scaffolding import new_project
from penstock.scaffolding._source import ProjectSource, SourceOptions, find_source
from penstock.scaffolding._times import TimeForm
from penstock.stores import open_store

ROWS = pl.DataFrame(
    {
        "visit": range(400),
        "day": [f"2026-01-{1 + i // 20:02d}" for i in range(400)],
        "age": [(i * 37) % 61 + 20 for i in range(400)],
        "came": ["yes" if (i * 37) % 61 + (i * 7) % 30 > 40 else "no" for i in range(400)],
    }
)


def _fill(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "CREATE TABLE visits (visit INTEGER PRIMARY KEY, day TEXT, age INTEGER, came TEXT)"
        )
        connection.executemany("INSERT INTO visits VALUES (?, ?, ?, ?)", ROWS.rows())


def _run(project, tmp_path):
    store = open_store(f"sqlite:///{tmp_path}/penstock.db")
    return ps.run(load_pipeline(str(project.file)), store=store, reporter=QuietReporter())


@pytest.mark.parametrize("data", ["shop.db", "sqlite:///shop.db", "sqlite:///shop.db?table=visits"])
def test_a_table_of_a_database_runs_as_written(data, tmp_path, monkeypatch):
    _fill(tmp_path / "shop.db")
    monkeypatch.chdir(tmp_path)
    table = None if "?" in data else "visits"
    project = new_project("visits", data=data, table=table, target="came", time="day")
    code = project.file.read_text()
    assert 'ps.data.SqlSource("sqlite:///../shop.db", table="visits", time="day")' in code
    assert 'ps.Expectations(unique=["visit"], not_null=["visit", "day", "came"]),' in code
    assert project.expected.unique == ("visit",)
    assert [each["findings"] for each in project.checks] == [[], []]
    if data == "shop.db":
        result = _run(project, tmp_path)
        assert result.state.value == "finished"
        assert (tmp_path / "visits" / "README.md").read_text().count("visits in ") == 1


def test_a_reading_without_a_key_stops_the_written_pipeline(tmp_path, monkeypatch):
    _fill(tmp_path / "shop.db")
    monkeypatch.chdir(tmp_path)
    project = new_project("visits", data="shop.db", table="visits", target="came")
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection, connection:
        connection.execute("UPDATE visits SET came = NULL WHERE visit = 7")
    result = _run(project, tmp_path)
    assert "1 of 400 rows have no 'came'." in str(result["ingest"].error)


def test_a_query_keeps_its_text(tmp_path, monkeypatch):
    _fill(tmp_path / "shop.db")
    monkeypatch.chdir(tmp_path)
    query = "SELECT visit, age, came FROM visits WHERE age > 25"
    found = find_source("sqlite:///shop.db", SourceOptions(query=query))
    code = found.code(tmp_path).flat()
    assert code == f'ps.data.SqlSource("sqlite:///shop.db", query="{query}")'
    assert 300 < ingest(found.source).rows < 400


@pytest.mark.parametrize(
    ("data", "options", "text"),
    [
        ("postgresql://db/shop", SourceOptions(), "no table is named"),
        ("postgresql://db/shop?table=a", SourceOptions(table="b"), "table and table is named"),
        ("rides.csv", SourceOptions(table="b"), "--table is an option of a database"),
        ("postgresql://db/shop", SourceOptions("a", columns=("x",)), "--columns and --no-header"),
        ("postgresql://ann:pass@db/shop", SourceOptions("a"), "secret|password"),
        ("gopher://db/shop", SourceOptions(), "No source of rows has the scheme gopher"),
    ],
)
def test_what_does_not_fit_is_refused(data, options, text):
    with pytest.raises(ParameterError, match=text):
        find_source(data, options)


def test_a_database_file_that_is_missing_gets_a_proposal(tmp_path):
    _fill(tmp_path / "shop.db")
    with pytest.raises(NotFoundError, match=r"Did you mean 'shop\.db'"):
        find_source(f"sqlite:///{tmp_path}/shob.db", SourceOptions(table="visits"))


def test_a_topic_is_written_with_its_servers():
    found = find_source("kafka://broker:9092/visits", SourceOptions())
    code = found.with_time(TimeForm(("day",), "ISO dates")).code(Path()).flat()
    assert code == 'ps.data.KafkaSource("broker:9092", topic="visits", time="day")'
    assert not found.can_read


def test_a_delta_table_is_read_in_its_version_and_its_test_reads_it_too(tmp_path):
    delta = _delta()
    delta.write_deltalake(tmp_path / "lake", ROWS)
    project = new_project(
        "visits", data=tmp_path / "lake", target="came", time="day", folder=tmp_path / "visits"
    )
    assert 'ps.data.DeltaSource("../lake", time="day")' in project.file.read_text()
    written = project.files[1].read_text()
    assert "from penstock.data import ingest, split_table\n" in written
    assert "ingest(table).table" in written


@pytest.mark.services
def test_parquet_and_delta_in_a_bucket_are_told_apart(bucket, s3_server, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    place = tmp_path / "day.parquet"
    ROWS.write_parquet(place)
    httpx.put(f"{s3_server}/{bucket}/raw/day.parquet", content=place.read_bytes())
    _delta().write_deltalake(
        f"s3://{bucket}/lake",
        ROWS,
        storage_options={"AWS_S3_ALLOW_UNSAFE_RENAME": "1"},
    )
    for name, kind in (("raw", "FileSource"), ("lake", "data.DeltaSource")):
        url = f"s3://{bucket}/{name}"
        found = find_source(url, SourceOptions())
        assert found.code(tmp_path).flat() == f'ps.{kind}("{url}")'
        assert ingest(found.source).rows == 400


@pytest.mark.services
def test_a_table_of_postgresql_is_read_and_its_rows_meet_what_is_written(postgres_server, tmp_path):
    pytest.importorskip("adbc_driver_postgresql")
    database = postgres_server.empty_database()
    postgres_server.sql(
        "CREATE TABLE visits AS SELECT i AS visit, date '2026-01-01' + i / 20 AS day, i * 37 % 61 AS"
        " age, CASE WHEN i * 37 % 61 > 30 THEN 'yes' ELSE 'no' END AS came"
        " FROM generate_series(0, 399) AS i",
        database,
    )
    url = postgres_server.url(database)
    project = new_project(
        "visits", data=url, table="public.visits", target="came", time="day", folder=tmp_path / "v"
    )
    assert 'table="visits", time="day", schema="public"' in project.file.read_text()
    assert [each["columns"] for each in project.checks] == [["visit"], ["visit", "day", "came"]]


def test_a_source_of_a_package_is_opened_by_its_url_and_keeps_its_time():
    class Plugged:
        name, time = "rates", "day"

        def describe(self):
            return {}

        def fingerprint(self, since=None, cutoff=None):
            return None

        def scan(self, since=None, cutoff=None):
            return []

    found = ProjectSource(Plugged(), "bank://rates?time=day")
    assert found.import_line == "from penstock.data.sources import open_source"
    assert found.with_time(TimeForm(("day",), "ISO dates")) == found
    assert found.code(Path()).flat() == 'open_source("bank://rates?time=day")'
    with pytest.raises(ParameterError, match="has the time column 'day', not 'at'"):
        found.with_time(TimeForm(("at",), "ISO dates"))


def _delta():
    try:
        return require("deltalake", extra="delta", purpose="rows from Delta tables")
    except MissingPackageError as error:
        pytest.skip(str(error))
