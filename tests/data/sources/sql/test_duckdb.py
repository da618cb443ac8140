from datetime import timedelta
from decimal import Decimal

import polars as pl
import pytest

from penstock.core import DataError, NotFoundError, SchemaError
from penstock.data import SqlSource, ingest
from penstock.testing import SourceContract

duckdb = pytest.importorskip("duckdb")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PENSTOCK_PROJECT", raising=False)
    return tmp_path


def make(*statements: str) -> None:
    with duckdb.connect("shop.duckdb") as connection:
        for statement in statements:
            connection.execute(statement)


def source(**options) -> SqlSource:
    return SqlSource("duckdb:///shop.duckdb", **options)


class Table:
    def __init__(self, key: str) -> None:
        make(
            f'CREATE TABLE rides (id BIGINT {key}, "at" TIMESTAMPTZ, known TIMESTAMP, who VARCHAR,'
            " amount DOUBLE, is_new BOOLEAN)"
        )

    def add(self, rows: pl.DataFrame) -> None:
        rows = rows.with_columns(pl.col("known").dt.replace_time_zone(None))
        with duckdb.connect("shop.duckdb") as connection:
            connection.execute("SET TimeZone = 'Asia/Kolkata'")
            connection.register("added", rows.to_arrow())
            connection.execute("INSERT INTO rides SELECT * FROM added")

    def source(self, **options) -> SqlSource:
        return source(table="rides", **options)


class TestDuckDB(SourceContract):
    @pytest.fixture(params=["PRIMARY KEY", ""])
    def system(self, request, here):
        return Table(request.param)


class TestDuckDBQuery(SourceContract):
    @pytest.fixture
    def system(self, here):
        class Query(Table):
            def source(self, **options) -> SqlSource:
                return source(query="SELECT * FROM rides", name="rides", order_by="at", **options)

        return Query("PRIMARY KEY")


def test_types_keep_their_meaning():
    make(
        """CREATE TABLE t AS SELECT 1::UBIGINT AS large, 1.5::DECIMAL(6,3) AS price,
        'a'::ENUM('a', 'b') AS size, '{"a":1}'::JSON AS doc, INTERVAL '1 day' AS span,
        [1, NULL] AS items, {'x': 1} AS pair, 'NaN'::FLOAT AS odd, '10:00'::TIME AS clock,
        'c0ffee00-0000-4000-8000-000000000000'::UUID AS code, '\\x00'::BLOB AS raw,
        '2026-01-01'::TIMESTAMP_MS AS "at", true AS yes, NULL::INTEGER AS none"""
    )
    table = source(table="t").read()
    assert dict(table.schema) == {
        "large": pl.UInt64,
        "price": pl.Decimal(6, 3),
        "size": pl.String,
        "doc": pl.String,
        "span": pl.Duration("us"),
        "items": pl.List(pl.Int32),
        "pair": pl.Struct({"x": pl.Int32}),
        "odd": pl.Float32,
        "clock": pl.Time,
        "code": pl.String,
        "raw": pl.Binary,
        "at": pl.Datetime("ms"),
        "yes": pl.Boolean,
        "none": pl.Int32,
    }
    row = table.row(0, named=True)
    assert row["price"] == Decimal("1.500")
    assert row["span"] == timedelta(days=1)
    assert row["code"] == "c0ffee00-0000-4000-8000-000000000000"


@pytest.mark.parametrize("kind", ["TIMESTAMPTZ", "TIMESTAMP", "TIMESTAMP_NS", "DATE", "VARCHAR"])
def test_the_window_is_right_for_every_type_of_time(kind):
    days = ", ".join(f"({day}, '2026-01-{day:02} 00:00:00+00'::TIMESTAMPTZ)" for day in range(1, 8))
    form = "strftime(t, '%Y-%m-%d')" if kind == "VARCHAR" else f"t::TIMESTAMP::{kind}"
    form = "t" if kind == "TIMESTAMPTZ" else form
    make(
        "SET TimeZone = 'UTC'",
        f'CREATE TABLE t AS SELECT id, {form} AS "at" FROM (VALUES {days}) d(id, t)',
    )
    rows = source(table="t", time="at", order_by="id")
    assert rows.read("2026-01-02", "2026-01-05")["id"].to_list() == [2, 3, 4]
    assert rows.read("2026-01-02T12:00", "2026-01-05T00:00:01")["id"].to_list() == [3, 4, 5]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT MAP {1: 2} AS a", "MAP"),
        ("SELECT '101'::BIT AS a", "BIT"),
        ("SELECT [INTERVAL '1 day'] AS a", "INTERVAL[]"),
        ("SELECT '24:00:00'::TIME AS a", "24:00"),
        ("SELECT 'infinity'::TIMESTAMP AS a", "infinity"),
        ("SELECT '-infinity'::DATE AS a", "infinity"),
        ("SELECT INTERVAL '1 month' AS a", "months"),
        ("SELECT ['infinity'::TIMESTAMP, NULL] AS a", "infinity"),
        ("SELECT {'b': ['-infinity'::DATE]} AS a", "infinity"),
        ("SELECT {'b': 'infinity'::TIMESTAMPTZ} AS a", "infinity"),
        ("SELECT 170141183460469231731687303715884105727::HUGEINT AS a", "38 digits"),
        ("SELECT [-100000000000000000000000000000000000000::HUGEINT] AS a", "38 digits"),
    ],
)
def test_what_a_snapshot_cannot_hold_is_refused_by_column(query, words):
    make()
    with pytest.raises(SchemaError, match="Column 'a'") as told:
        source(query=query).read()
    assert words in told.value.what
    assert "query=" in told.value.fix


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"table": "ridse"}, NotFoundError, "Did you mean 'rides'?"),
        ({"query": "SELECT nope FROM rides"}, NotFoundError, "'nope'"),
        ({"query": "SELECT * FROM ridse"}, NotFoundError, "Did you mean 'rides'?"),
        ({"query": "SELECT * FROM 'other.csv'"}, DataError, "reads files outside"),
    ],
)
def test_errors_say_what_to_do(options, error, words):
    make("CREATE TABLE rides (id INTEGER)")
    with pytest.raises(error) as told:
        source(**options).read()
    assert words in str(told.value)


def test_a_file_that_another_process_writes_is_named():
    with duckdb.connect("shop.duckdb"), pytest.raises(DataError, match=r"shop\.duckdb"):
        source(table="t").read()


def test_the_fingerprint_is_that_of_the_file():
    make("CREATE TABLE t (a INTEGER)", "CREATE VIEW v AS SELECT random() AS a")
    before = source(table="t").fingerprint()
    assert before == source(table="t").fingerprint()
    make("INSERT INTO t VALUES (1)")
    assert source(table="t").fingerprint() != before
    assert source(table="v").fingerprint() is None


def test_a_large_table_comes_in_batches_of_one_statement():
    make("CREATE TABLE t AS SELECT range AS id FROM range(300_000)")
    scan = source(table="t", order_by="id").scan()
    sizes = [batch.height for batch in scan]
    assert sum(sizes) == 300_000
    assert max(sizes) <= 130_000
    assert scan.reading.facts["rows"] == 300_000
    assert ingest(source(table="t", order_by="id")).table["id"].is_sorted()


def test_large_whole_numbers_that_fit_are_exact():
    make()
    numbers = [10**38 - 1, -(10**38) + 1]
    query = " UNION ALL ".join(f"SELECT {number}::HUGEINT AS a" for number in numbers)
    assert sorted(map(int, source(query=query).read()["a"])) == sorted(numbers)
