import shutil
import sqlite3
from datetime import datetime

import polars as pl
import pytest

from penstock.core import DataError, NotFoundError, SchemaError
from penstock.data import SqlSource, ingest
from penstock.testing import SourceContract


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PENSTOCK_PROJECT", raising=False)
    return tmp_path


def make(*statements: str, file: str = "shop.db") -> None:
    connection = sqlite3.connect(file)
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def read(table: str = "t", **options) -> pl.DataFrame:
    return SqlSource("sqlite:///shop.db", table=table, **options).read()


class Table:
    def __init__(self, key: str) -> None:
        make(
            f"CREATE TABLE rides (id INTEGER {key}, at DATETIME, known TIMESTAMP, who VARCHAR(20),"
            " amount REAL, is_new BOOLEAN)"
        )

    def add(self, rows: pl.DataFrame) -> None:
        connection = sqlite3.connect("shop.db")
        with connection:
            texts = rows.with_columns(pl.col("at", "known").dt.strftime("%Y-%m-%d %H:%M:%S"))
            connection.executemany("INSERT INTO rides VALUES (?,?,?,?,?,?)", texts.rows())
        connection.close()

    def source(self, **options) -> SqlSource:
        return SqlSource("sqlite:///shop.db", table="rides", **options)


class TestSqlite(SourceContract):
    @pytest.fixture(params=["PRIMARY KEY", ""])
    def system(self, request, here):
        return Table(request.param)


class TestSqliteQuery(SourceContract):
    @pytest.fixture
    def system(self, here):
        class Query(Table):
            def source(self, **options) -> SqlSource:
                query = "SELECT *, 'a:b' AS colon FROM rides WHERE who IS NOT 'x;' -- all;"
                return SqlSource("sqlite:///shop.db", query=query, name="rides", **options)

        return Query("PRIMARY KEY")


def test_declared_types_keep_their_meaning():
    make(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, price DECIMAL(10,2), yes BOOLEAN, day DATE,"
        " doc JSON, raw BLOB, any, ratio REAL, zoned DATETIME)",
        """INSERT INTO t VALUES (1, 1.1, 1, '2026-01-02', 5, x'00ff', 'é', 'inf',
        '2026-01-02T10:00:00+02:00')""",
        "UPDATE t SET ratio = 9e999",
        "INSERT INTO t (id) VALUES (2)",
    )
    table = read()
    assert dict(table.schema) == {
        "id": pl.Int64,
        "price": pl.Decimal(10, 2),
        "yes": pl.Boolean,
        "day": pl.Date,
        "doc": pl.String,
        "raw": pl.Binary,
        "any": pl.String,
        "ratio": pl.Float64,
        "zoned": pl.Datetime("us", "UTC"),
    }
    first = table.row(0, named=True)
    assert str(first["price"]) == "1.10"
    assert first["doc"] == "5"
    assert first["raw"] == b"\x00\xff"
    assert first["ratio"] == float("inf")
    assert first["zoned"].isoformat() == "2026-01-02T08:00:00+00:00"
    assert table.row(1) == (2, *[None] * 8)


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("REAL", "'oops'", "1 row holds a number with decimals and 1 row holds text"),
        ("INTEGER", "'oops'", "1 row holds text"),
        ("NUMERIC", "9007199254740993", "1 row holds whole numbers of more than 15 digits"),
        ("INTEGER", "-9007199254740993), (0.5", "whole numbers of more than 15 digits"),
        ("VARCHAR(9)", "x'00'", "1 row holds bytes"),
        ("DECIMAL(4,2)", "1.234", "1 row holds numbers that decimal(4,2) cannot hold"),
        ("DECIMAL(4,2)", "123", "cannot hold"),
        ("BOOLEAN", "7", "neither 0 nor 1"),
        ("DATETIME", "'soon'", "'soon' or the like, which is no ISO time"),
        ("DATETIME", "'2026-01-01T00:00Z'", "1 row holds a time with a zone, and 1 a time without"),
        ("DATETIME", "5", "1 row holds a whole number and 1 row holds text"),
    ],
)
def test_a_value_of_another_type_is_named_by_column_and_rows(column, value, words):
    good = {"REAL": "1.5", "NUMERIC": "1.5", "BOOLEAN": "1", "DATETIME": "'2026-01-01'"}.get(
        column, "1"
    )
    make(f"CREATE TABLE t (a {column})", f"INSERT INTO t VALUES ({good}), ({value})")
    with pytest.raises(SchemaError, match="Column 'a'") as told:
        read()
    assert words in told.value.what
    assert told.value.fix


def test_a_type_may_be_declared_by_the_reader():
    make("CREATE TABLE t (a REAL)", "INSERT INTO t VALUES (1.5), ('oops')")
    assert sorted(read(types={"a": "text"})["a"]) == ["1.5", "oops"]


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (["1767225600", "1767312000"], [0]),  # seconds since 1970, as whole numbers
        (["'2026-01-01'", "'2026-01-02'"], [0]),
        (["'2026-01-01T23:59:59.999999Z'", "'2026-01-02T00:00:00Z'"], [0]),
        (["'2026-01-02T01:00:00+02:00'", "'2026-01-02T02:00:00+02:00'"], [0]),
        (["20260101", "20260102"], [0]),
    ],
)
def test_the_window_is_right_for_every_form_of_time(times, expected):
    rows = ", ".join(f"({place}, {time})" for place, time in enumerate(times))
    make("CREATE TABLE t (id INTEGER PRIMARY KEY, at)", f"INSERT INTO t VALUES {rows}")
    source = SqlSource("sqlite:///shop.db", table="t", time="at")
    snapshot = ingest(source, cutoff="2026-01-02")
    assert snapshot.table["id"].to_list() == expected
    assert "compared after reading" in " ".join(each.message for each in snapshot.findings)


def test_times_that_are_not_iso_are_read_by_their_format():
    make("CREATE TABLE t (at TEXT)", "INSERT INTO t VALUES ('31/01/2026'), ('01/02/2026')")
    source = SqlSource("sqlite:///shop.db", table="t", time="at", time_format="%d/%m/%Y")
    assert source.read(cutoff="2026-02-01").height == 1


def test_rows_without_a_time_are_counted():
    make("CREATE TABLE t (at TEXT)", "INSERT INTO t VALUES ('2026-01-01'), (NULL), (NULL)")
    snapshot = ingest(SqlSource("sqlite:///shop.db", table="t", time="at"), cutoff="2027-01-01")
    assert snapshot.rows == 1
    assert "2 rows have no time in 'at'; they were left out" in " ".join(
        each.message for each in snapshot.findings
    )


def test_an_empty_window_says_where_the_rows_are():
    make("CREATE TABLE t (at TEXT)", "INSERT INTO t VALUES ('2026-01-01')")
    with pytest.raises(DataError, match=r"'t' has no rows before 2020-01-01 00:00"):
        ingest(SqlSource("sqlite:///shop.db", table="t", time="at"), cutoff="2020-01-01")


def test_a_table_without_a_key_has_a_fixed_order_and_says_so():
    make("CREATE TABLE t (a TEXT COLLATE NOCASE, b)")
    make("INSERT INTO t VALUES ('b', 1), ('A', 2), ('a', 3), ('B', NULL), ('a', 2)")
    source = SqlSource("sqlite:///shop.db", table="t")
    first = ingest(source)
    make("CREATE TABLE other AS SELECT * FROM t ORDER BY b DESC", "DROP TABLE t")
    make("CREATE TABLE t (a TEXT COLLATE NOCASE, b)", "INSERT INTO t SELECT * FROM other")
    assert ingest(source).ordered_digest == first.ordered_digest
    assert "'t' has no primary key" in " ".join(each.message for each in first.findings).lower()


def test_rows_are_in_the_order_asked_for():
    make(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, b)", "INSERT INTO t VALUES (1, 2), (2, 1), (3, 1)"
    )
    assert read(order_by="b")["id"].to_list() == [2, 3, 1]


def test_the_fingerprint_is_that_of_the_file_and_of_its_log():
    make("CREATE TABLE t (a)", "CREATE VIEW v AS SELECT random() AS a")
    writer = sqlite3.connect("shop.db")
    writer.execute("PRAGMA journal_mode = WAL")
    source = SqlSource("sqlite:///shop.db", table="t")
    before, mark = source.fingerprint(), source.stamp()
    assert before == source.fingerprint()
    with writer:
        writer.execute("INSERT INTO t VALUES (1)")
    assert source.fingerprint() != before
    assert source.stamp() != mark
    assert source.read().height == 1
    # What a view or query gives may not lie in the file.
    assert SqlSource("sqlite:///shop.db", table="v").fingerprint() is None
    assert SqlSource("sqlite:///shop.db", query="SELECT random() AS a").fingerprint() is None
    writer.close()


def test_a_reading_sees_one_state_while_others_write():
    make("CREATE TABLE t (id INTEGER PRIMARY KEY, a)", "PRAGMA journal_mode = WAL")
    make("INSERT INTO t WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120000)"
         " SELECT i, 1 FROM n")  # fmt: skip
    batches = iter(SqlSource("sqlite:///shop.db", table="t").scan())
    rows = next(batches).height
    make("UPDATE t SET a = 100", "DELETE FROM t WHERE id > 60000")
    rest = [batch["a"].to_list() for batch in batches]
    assert rows + sum(map(len, rest)) == 120_000
    assert {value for part in rest for value in part} == {1}


def test_a_file_that_may_not_be_written_is_read_and_never_changed(here):
    make("CREATE TABLE t (a)", "INSERT INTO t VALUES (1)")
    before = (here / "shop.db").read_bytes()
    assert read().height == 1
    assert (here / "shop.db").read_bytes() == before
    assert [path.name for path in here.iterdir()] == ["shop.db"]


def test_a_relative_file_is_looked_up_beside_the_pipeline(here, monkeypatch):
    make("CREATE TABLE t (a)", "INSERT INTO t VALUES (1)")
    (here / "project").mkdir()
    shutil.move("shop.db", "project/shop.db")
    monkeypatch.setenv("PENSTOCK_PROJECT", str(here / "project"))
    assert read().height == 1


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"table": "ridse"}, NotFoundError, "Did you mean 'rides'?"),
        ({"table": "rides", "time": "att"}, NotFoundError, "Did you mean 'at'?"),
        ({"table": "rides", "available_at": "nown", "time": "at"}, NotFoundError, "'known'"),
        ({"table": "rides", "order_by": "idd"}, NotFoundError, "Did you mean 'id'?"),
        ({"query": "SELECT nope FROM rides"}, NotFoundError, "column 'nope'"),
        ({"query": "SELECT * FROM ridse"}, NotFoundError, "Did you mean 'rides'?"),
        ({"query": "SELECT 1 FROM"}, DataError, "syntax error"),
    ],
)
def test_errors_say_what_to_do(options, error, words):
    make("CREATE TABLE rides (id, at, known)", "INSERT INTO rides VALUES (1, '2026-01-01', 1)")
    with pytest.raises(error) as told:
        SqlSource("sqlite:///shop.db", **options).read()
    assert words in str(told.value)
    assert told.value.__cause__ is None


def test_a_file_that_is_no_database_is_named(here):
    (here / "shop.db").write_text("id,at\n1,2\n" * 200)
    with pytest.raises(DataError, match="is no SQLite file"):
        read()


def test_what_was_read_stands_in_the_facts():
    make("CREATE TABLE t (id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES (1), (2)")
    scan = SqlSource("sqlite:///shop.db", table="t").scan()
    assert sum(batch.height for batch in scan) == 2
    facts = scan.reading.facts
    assert facts["rows"] == 2
    assert facts["server"].startswith("SQLite 3")
    assert (
        " ".join(facts["statement"].split()) == 'SELECT "t"."id" AS "id" FROM "t" ORDER BY "t"."id"'
    )
    assert datetime.fromisoformat(facts["started_at"]) <= datetime.fromisoformat(
        facts["finished_at"]
    )


def test_a_time_may_be_a_day_and_an_hour():
    make("CREATE TABLE t (day DATE, hr INTEGER)")
    make("INSERT INTO t VALUES ('2026-01-01', 22), ('2026-01-01', 23), ('2026-01-02', 0)")
    source = SqlSource("sqlite:///shop.db", table="t", time=("day", "hr"), order_by=("day", "hr"))
    assert ingest(source, cutoff="2026-01-01T23:00").table["hr"].to_list() == [22]
