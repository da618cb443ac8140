from datetime import UTC, timedelta

import polars as pl
import pytest

from penstock.core import DataError, MissingPackageError, NotFoundError, SchemaError
from penstock.data import SqlSource, ingest
from penstock.testing import SourceContract

pytestmark = pytest.mark.services


@pytest.fixture
def database(mariadb_server):
    return mariadb_server.empty_database()


@pytest.fixture
def url(mariadb_server, database):
    return mariadb_server.url(database)


@pytest.fixture
def sql(mariadb_server, database):
    return lambda *statements: mariadb_server.sql(*statements, database=database)


class Table:
    def __init__(self, server, key: str) -> None:
        self._server, self._database = server, server.empty_database()
        server.sql(
            f"CREATE TABLE rides (id BIGINT {key}, at TIMESTAMP(6) NULL, known DATETIME(6),"
            " who VARCHAR(50) CHARACTER SET utf8mb4, amount DOUBLE, is_new BOOLEAN)",
            database=self._database,
        )

    def add(self, rows: pl.DataFrame) -> None:
        import pymysql

        plain = rows.with_columns(pl.col("at", "known").dt.replace_time_zone(None))
        with pymysql.connect(
            host="127.0.0.1",
            port=self._server.port,
            user="root",
            database=self._database,
            autocommit=True,
            init_command="SET time_zone = '+00:00'",
        ) as connection:
            insert = "INSERT INTO rides VALUES (%s, %s, %s, %s, %s, %s)"
            connection.cursor().executemany(insert, plain.rows())

    def source(self, **options) -> SqlSource:
        return SqlSource(self._server.url(self._database), table="rides", **options)


class TestMariaDB(SourceContract):
    @pytest.fixture(params=["PRIMARY KEY", ""])
    def system(self, request, mariadb_server):
        return Table(mariadb_server, request.param)


class TestMariaDBQuery(SourceContract):
    @pytest.fixture
    def system(self, mariadb_server):
        class Query(Table):
            def source(self, **options) -> SqlSource:
                url = self._server.url(self._database)
                query = "SELECT * FROM rides WHERE who IS NULL OR who LIKE '%' -- all"
                return SqlSource(url, query=query, name="rides", **options)

        return Query(mariadb_server, "PRIMARY KEY")


def test_types_keep_their_meaning(url, sql):
    sql(
        "CREATE TABLE t (id INT PRIMARY KEY, large BIGINT UNSIGNED, price DECIMAL(10,2), yes BOOLEAN,"
        " bit1 BIT(1), raw BLOB, day DATE, span TIME, at DATETIME(6), zoned TIMESTAMP NULL,"
        " size ENUM('a','b'), doc JSON, code UUID, small FLOAT)",
        "SET time_zone = '+02:00'",
        "INSERT INTO t VALUES (1, 18446744073709551615, 1.1, 1, b'1', x'00ff', '2026-01-02',"
        " '-30:00:00', '2026-01-02 10:00:00.123456', '2026-01-02 10:00:00', 'a', '{\"a\": 1}',"
        " 'c0ffee00-0000-4000-8000-000000000000', 1.5)",
        "INSERT INTO t (id) VALUES (2)",
    )
    table = SqlSource(url, table="t").read()
    assert dict(table.schema) == {
        "id": pl.Int64,
        "large": pl.UInt64,
        "price": pl.Decimal(10, 2),
        "yes": pl.Boolean,
        "bit1": pl.Boolean,
        "raw": pl.Binary,
        "day": pl.Date,
        "span": pl.Duration("us"),
        "at": pl.Datetime("us"),
        "zoned": pl.Datetime("us", "UTC"),
        "size": pl.String,
        "doc": pl.String,
        "code": pl.String,
        "small": pl.Float64,
    }
    row = table.row(0, named=True)
    assert row["large"] == 2**64 - 1
    assert str(row["price"]) == "1.10"
    assert row["bit1"] is True
    assert row["span"] == timedelta(hours=-30)
    assert row["zoned"].astimezone(UTC).hour == 8
    assert table.row(1) == (2, *[None] * 13)


def test_letters_of_equal_rank_have_a_fixed_order(url, sql):
    sql("CREATE TABLE t (a VARCHAR(9))", "INSERT INTO t VALUES ('b'), ('a'), ('A'), ('a'), ('B')")
    assert SqlSource(url, table="t").read()["a"].to_list() == ["A", "B", "a", "a", "b"]


def test_the_window_is_bound_and_one_state_is_seen(url, sql):
    sql(
        "CREATE TABLE t (id INT PRIMARY KEY, at DATETIME)",
        "INSERT INTO t SELECT seq, '2026-01-01' + INTERVAL seq SECOND FROM seq_1_to_50000",
    )
    scan = SqlSource(url, table="t", time="at").scan("2026-01-01", "2026-01-01T12:00")
    batches = iter(scan)
    rows = next(batches).height
    sql("DELETE FROM t WHERE id > 30000")
    assert rows + sum(batch.height for batch in batches) == 12 * 3600 - 1
    facts = scan.reading.facts
    assert facts["server"].startswith("MariaDB 1")
    assert facts["isolation"] == "repeatable read, read only"
    assert "2026" not in facts["statement"]
    assert "2026-01-01T12:00:00" in facts["values"].values()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"table": "ridse"}, NotFoundError, "Did you mean 'rides'?"),
        ({"query": "SELECT nope FROM rides"}, NotFoundError, "'nope'"),
        ({"query": "SELECT * FROM ridse"}, NotFoundError, "Did you mean 'rides'?"),
        ({"query": "SELECT id FROM rides FOR UPDATE"}, DataError, "would write"),
    ],
)
def test_errors_say_what_to_do(url, sql, options, error, words):
    sql("CREATE TABLE rides (id INT)", "INSERT INTO rides VALUES (1)")
    with pytest.raises(error) as told:
        SqlSource(url, **options).read()
    assert words in str(told.value)


def test_a_server_that_refuses_or_is_not_there_is_named(url, mariadb_server, monkeypatch):
    monkeypatch.setenv("DB_PASSWORD", "canary-4711")
    bad = {
        url.replace("root@", "ada:${DB_PASSWORD}@"): "refused the user",
        url.replace(str(mariadb_server.port), "1"): "cannot be reached",
        url + "x": "has no database",
    }
    for address, words in bad.items():
        with pytest.raises(DataError) as told:
            ingest(SqlSource(address, table="t"))
        assert words in told.value.what
        assert "canary" not in str(told.value)


def test_no_mark_of_the_state_is_claimed(url, sql):
    sql("CREATE TABLE t (id INT)")
    assert SqlSource(url, table="t").stamp() is None
    assert SqlSource(url, table="t").fingerprint() is None


@pytest.mark.parametrize(
    ("url", "package"),
    [
        ("mssql://ada@db/shop", "pyodbc"),
        ("snowflake://ada@account/shop", "snowflake-sqlalchemy"),
        ("bigquery://project/shop", "sqlalchemy-bigquery"),
    ],
)
def test_a_missing_driver_says_how_to_get_it(url, package):
    with pytest.raises(MissingPackageError) as told:
        SqlSource(url, table="t").read()
    assert told.value.fix == f'Run: pip install "{package}"'


def test_a_boolean_that_is_a_number_is_refused(url, sql):
    sql("CREATE TABLE t (id INT PRIMARY KEY, rating TINYINT(1))", "INSERT INTO t VALUES (1, 5)")
    with pytest.raises(
        SchemaError, match=r"'rating' of 't': 1 row holds neither 0 nor 1"
    ) as raised:
        SqlSource(url, table="t").read()
    assert "rating + 0 AS rating" in raised.value.fix
    assert SqlSource(url, query="SELECT rating + 0 AS rating FROM t").read().rows() == [(5,)]


def test_columns_of_one_name_in_a_query_are_told(url):
    with pytest.raises(DataError, match="The query has more than one column of a name"):
        SqlSource(url, query="SELECT 1 AS a, 2 AS a").read()
