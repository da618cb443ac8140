import sqlite3

import pytest

from penstock.core import ParameterError
from penstock.data import SqlSource
from penstock.data.sources import open_source

URL = "postgresql://ada:${PG_PASSWORD}@db/shop"


def test_a_source_is_described_without_a_secret(monkeypatch):
    monkeypatch.setenv("PG_PASSWORD", "canary")
    source = SqlSource(URL, table="sales.rides", time="at", available_at="known", order_by="at")
    assert source.describe() == {
        "type": "SqlSource",
        "name": "rides",
        "url": URL,
        "table": "rides",
        "schema": "sales",
        "time": "at",
        "available_at": "known",
        "order_by": ["at"],
    }
    assert "canary" not in repr(source)
    assert hash(source) == hash(SqlSource(URL, table="sales.rides", time="at", available_at="known", order_by="at"))  # fmt: skip


def test_different_queries_have_different_names():
    one, two = (SqlSource(URL, query=f"SELECT {n} AS a") for n in (1, 2))
    assert one.name.startswith("shop-")
    assert one.name != two.name
    assert SqlSource(URL, query="SELECT 1 AS a", name="ones").name == "ones"


@pytest.mark.parametrize(
    ("url", "options", "words"),
    [
        (URL, {}, "neither table= nor query="),
        (URL, {"table": "a", "query": "SELECT 1"}, "both table= and query="),
        (URL, {"table": "a", "partitions": 0}, "partitions is 0"),
        (URL, {"table": "a", "types": {"b": "int"}}, "which is no type"),
        (URL, {"query": "DROP TABLE a"}, "begins with DROP"),
        ("postgresql://ada:canary@db/shop", {"table": "a"}, "written out"),
    ],
)
def test_settings_that_do_not_fit_are_refused(url, options, words):
    with pytest.raises(ParameterError) as told:
        SqlSource(url, **options)
    assert words in told.value.what
    assert told.value.fix
    assert "canary" not in str(told.value)


def test_a_source_is_opened_by_one_text(tmp_path):
    source = open_source(f"{URL}?table=rides&time=at&order_by=at,id&sslmode=require")
    assert source == SqlSource(
        f"{URL}?sslmode=require", table="rides", time="at", order_by=("at", "id")
    )
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute("CREATE TABLE rides (id)")
    found = open_source("sqlite:///shop.db?table=rides", folder=tmp_path)
    assert isinstance(found, SqlSource)
    assert found.stamp()
    with pytest.raises(ParameterError, match="written out"):
        open_source("mysql://ada:canary@db/shop?table=a")
