import json
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta

import polars as pl
import pytest
from litestar.testing import TestClient

from penstock.core import DataError, NotFoundError, SchemaError, SettingsError
from penstock.data import FileSource, SqlSource, ingest
from penstock.demo import write_days
from penstock.server import create_ui
from penstock.stores import open_store
from penstock.testing import SourceContract

pytest.importorskip("adbc_driver_postgresql")
pytestmark = pytest.mark.services


@pytest.fixture
def database(postgres_server):
    return postgres_server.empty_database()


@pytest.fixture
def url(postgres_server, database):
    return postgres_server.url(database)


@pytest.fixture
def sql(postgres_server, database):
    return lambda statement: postgres_server.sql(statement, database)


class Table:
    partitions = 1

    def __init__(self, server, key: str) -> None:
        self._url = server.url(database := server.empty_database())
        server.sql(
            f"CREATE TABLE rides (id bigint {key}, at timestamptz, known timestamp, who text,"
            " amount double precision, is_new boolean)",
            database,
        )

    def add(self, rows: pl.DataFrame) -> None:
        import psycopg

        rows = rows.with_columns(pl.col("known").dt.replace_time_zone(None))
        with psycopg.connect(self._url) as connection:
            connection.execute("SET timezone = 'Asia/Kolkata'")
            insert = "INSERT INTO rides VALUES (%s, %s, %s, %s, %s, %s)"
            connection.cursor().executemany(insert, rows.rows())
        time.sleep(0.1)  # the server counts what a session did when the session ends

    def source(self, **options) -> SqlSource:
        return SqlSource(self._url, table="rides", partitions=self.partitions, **options)


class TestPostgres(SourceContract):
    @pytest.fixture(params=["PRIMARY KEY", ""])
    def system(self, request, postgres_server):
        return Table(postgres_server, request.param)


class TestPostgresPartitions(SourceContract):
    @pytest.fixture
    def system(self, postgres_server, monkeypatch):
        monkeypatch.setattr("penstock.data.sources.sql._ranges.ROWS", 1)
        table = Table(postgres_server, "PRIMARY KEY")
        table.partitions = 3
        return table


class TestPostgresQuery(SourceContract):
    @pytest.fixture
    def system(self, postgres_server):
        class Query(Table):
            def source(self, **options) -> SqlSource:
                query = "SELECT r.*, ':x' AS colon FROM rides r WHERE id::int % 1 = 0 -- all"
                return SqlSource(self._url, query=query, name="rides", order_by="id", **options)

        return Query(postgres_server, "")


def test_types_keep_their_meaning(url, sql):
    sql("CREATE TYPE size AS ENUM ('small', 'large')")
    sql("CREATE DOMAIN price AS numeric(10, 2)")
    sql(
        """CREATE TABLE t (id bigint PRIMARY KEY, whole int, small smallint, price price, any_number numeric,
        ratio float8, yes boolean, letters char(5), doc json, docb jsonb, code uuid, raw bytea, day date,
        clock time, span interval, naive timestamp, zoned timestamptz, size size, items int[],
        words text[], sizes size[], codes uuid[], address inet, cash money)"""
    )
    sql(
        """INSERT INTO t VALUES (1, 2, 3, 1.1, 3.14159, 'NaN', true, 'ab', '{"a": 1}', '{"a":1}',
        'c0ffee00-0000-4000-8000-000000000000', '\\x00ff', '2026-01-02', '23:59:59.5', '1 day 2 s',
        '2026-01-02 10:00', '2026-01-02 10:00+02', 'large', '{1,NULL}', '{é,NULL}', '{small}',
        '{c0ffee00-0000-4000-8000-000000000000}', '10.0.0.1/32', 1.5)"""
    )
    sql("INSERT INTO t (id) VALUES (2)")
    table = SqlSource(url, table="t").read()
    assert dict(table.schema) == {
        "id": pl.Int64,
        "whole": pl.Int32,
        "small": pl.Int16,
        "price": pl.Decimal(10, 2),
        "any_number": pl.Decimal(38, 5),
        "ratio": pl.Float64,
        "yes": pl.Boolean,
        "letters": pl.String,
        "doc": pl.String,
        "docb": pl.String,
        "code": pl.String,
        "raw": pl.Binary,
        "day": pl.Date,
        "clock": pl.Time,
        "span": pl.Duration("us"),
        "naive": pl.Datetime("us"),
        "zoned": pl.Datetime("us", "UTC"),
        "size": pl.String,
        "items": pl.List(pl.Int32),
        "words": pl.List(pl.String),
        "sizes": pl.List(pl.String),
        "codes": pl.List(pl.String),
        "address": pl.String,
        "cash": pl.Decimal(19, 2),
    }
    row = table.row(0, named=True)
    assert str(row["price"]) == "1.10"
    assert str(row["any_number"]) == "3.14159"
    assert str(row["cash"]) == "1.50"
    assert row["letters"] == "ab"
    assert row["doc"] == row["docb"] == '{"a": 1}'
    assert row["span"] == timedelta(days=1, seconds=2)
    assert row["zoned"].isoformat() == "2026-01-02T08:00:00+00:00"
    assert row["items"] == [1, None]
    assert row["words"] == ["é", None]
    assert row["ratio"] != row["ratio"]
    assert table.row(1) == (2, *[None] * 23)
    assert ingest(SqlSource(url, table="t")).rows == 2


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("int4range(1, 2)", "int4range"),
        ("point(1, 2)", "point"),
        ("'{1.5}'::numeric[]", "numeric[]"),
        ("'10:00+02'::timetz", "time with time zone|timetz"),
        ("'NaN'::numeric", "NaN or infinity in a decimal"),
        ("'NaN'::numeric(4,2)", "NaN or infinity in a decimal"),
        ("(10::numeric ^ 40)", "digits"),
        ("'infinity'::timestamptz", "infinity"),
        ("'-infinity'::timestamp", "infinity"),
        ("'infinity'::date", "infinity"),
        ("'24:00'::time", "24:00"),
        ("'1 month'::interval", "months"),
        ("ARRAY[[1,2],[3,4]]", "arrays of arrays"),
        ("ROW(1, 2)", "record"),
        ("'{2026-01-01,infinity}'::timestamptz[]", "infinity in an array"),
        ("'{-infinity,null}'::date[]", "infinity in an array"),
    ],
)
def test_what_a_snapshot_cannot_hold_is_refused_by_column(url, value, words):
    with pytest.raises(SchemaError, match="Column 'a'") as told:
        SqlSource(url, query=f"SELECT {value} AS a").read()
    assert any(word in told.value.what for word in words.split("|"))
    assert "query=" in told.value.fix


@pytest.mark.parametrize("kind", ["timestamptz", "timestamp", "date", "text", "bigint"])
@pytest.mark.parametrize("form", ["table", "query"])
def test_the_window_is_right_for_every_type_of_time(url, sql, kind, form):
    time_of = "timestamptz '2026-01-01 00:00+00' + id * interval '1 day'"
    cast = {
        "timestamptz": time_of,
        "bigint": f"extract(epoch FROM {time_of})::bigint",
        "text": f"to_char(({time_of}) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS')",
    }.get(kind, f"(({time_of}) AT TIME ZONE 'UTC')::{kind}")
    sql(f"CREATE TABLE t AS SELECT id::int AS id, {cast} AS at FROM generate_series(0, 6) id")
    sql("INSERT INTO t VALUES (7, NULL)")
    what = {"table": "t"} if form == "table" else {"query": "SELECT * FROM t", "name": "t"}
    source = SqlSource(url, time="at", order_by="id", **what)
    assert source.read("2026-01-02", "2026-01-05")["id"].to_list() == [1, 2, 3]
    assert source.read("2026-01-02T12:00", "2026-01-05T00:00:01")["id"].to_list() == [2, 3, 4]
    assert source.read("2026-01-02T01:00+02:00")["id"].to_list() == [1, 2, 3, 4, 5, 6]
    scan = source.scan("2026-01-02", "2026-01-05")
    assert list(scan)
    said = " ".join(each.message for each in scan.reading.findings)
    assert "1 rows have no time in 'at'; they were left out" in said
    assert ("compared after reading" in said) == (kind in {"text", "bigint"})
    # No value stands in the text of the statement.
    assert "2026" not in scan.reading.facts["statement"]


def test_partitions_give_what_one_reading_gives(url, sql, monkeypatch):
    monkeypatch.setattr("penstock.data.sources.sql._ranges.ROWS", 700)
    sql("CREATE TABLE t (id int PRIMARY KEY, name text)")
    # Gaps and negative numbers: ranges of equal width would hold very different numbers of rows.
    sql("INSERT INTO t SELECT g * g * CASE WHEN g % 2 = 0 THEN 1 ELSE -1 END, 'n' || g"
        " FROM generate_series(1, 20000) g")  # fmt: skip
    source = {"url": url, "table": "t"}
    one = ingest(SqlSource(**source, partitions=1))
    assert one.rows == 20_000
    for analyzed in (False, True):
        if analyzed:
            sql("ANALYZE t")
        scan = SqlSource(**source, partitions=3).scan()
        table = pl.concat(list(scan))
        assert table.equals(one.table)
        assert scan.reading.facts["connections"] == 3
        assert scan.reading.facts["snapshot"].count("-") == 2


@pytest.mark.parametrize("kind", ["text", "uuid", "timestamptz", "date"])
def test_ranges_of_other_keys_are_complete(url, sql, monkeypatch, kind):
    monkeypatch.setattr("penstock.data.sources.sql._ranges.ROWS", 100)
    value = {
        "text": "md5(g::text) || 'é'",
        "uuid": "md5(g::text)::uuid",
        "timestamptz": "now() + g * interval '1 h'",
        "date": "date '2020-01-01' + g",
    }[kind]
    sql(f"CREATE TABLE t (k {kind} PRIMARY KEY, g int)")
    sql(f"INSERT INTO t SELECT {value}, g FROM generate_series(1, 3000) g")
    sql("ANALYZE t")
    scan = SqlSource(url, table="t", partitions=2).scan()
    table = pl.concat(list(scan))
    assert scan.reading.facts["connections"] == 2
    assert table.equals(SqlSource(url, table="t", partitions=1).read())
    assert table["g"].n_unique() == 3000


@pytest.mark.slow
def test_partitions_see_one_state_while_others_write(url, sql, monkeypatch):
    """Money moves between accounts all the time; a reading of one state always has the whole sum."""
    import psycopg

    monkeypatch.setattr("penstock.data.sources.sql._ranges.ROWS", 500)
    sql("CREATE TABLE accounts (id int PRIMARY KEY, amount int NOT NULL)")
    sql("INSERT INTO accounts SELECT g, 100 FROM generate_series(1, 10000) g")
    sql("ANALYZE accounts")
    stop, moves = threading.Event(), []

    def write():
        with psycopg.connect(url, autocommit=True) as connection:
            number = 0
            while not stop.is_set():
                number += 1
                with connection.transaction():
                    low, high = number * 7919 % 5000 + 1, 5000 + number * 104729 % 5000 + 1
                    move = "UPDATE accounts SET amount = amount + %s WHERE id = %s"
                    connection.execute(move, (number, high))
                    connection.execute(move, (-number, low))
                    connection.execute("DELETE FROM accounts WHERE id = %s", (20000 + number - 1,))
                    connection.execute("INSERT INTO accounts VALUES (%s, 0)", (20000 + number,))
                moves.append(number)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(5):
            before = len(moves)
            table = SqlSource(url, table="accounts", partitions=3).read()
            assert table["amount"].sum() == 1_000_000
            assert table["id"].is_sorted()
            assert table["id"].n_unique() == table.height
            assert len(moves) > before
    finally:
        stop.set()
        writer.join()


@pytest.mark.slow
def test_memory_stays_bounded_while_a_large_result_is_read(url, sql):
    sql(
        "CREATE TABLE t AS SELECT g AS id, repeat('x', 500) AS text FROM generate_series(1, 200000) g"
    )
    sql("ALTER TABLE t ADD PRIMARY KEY (id)")
    code = (
        "import resource, sys\n"
        "from penstock.data import SqlSource\n"
        "def most(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024\n"
        "scan = iter(SqlSource(sys.argv[1], table='t', partitions=1).scan('2020-01-01' if 0 else None))\n"
        "rows = next(scan).height; start = most()\n"
        "rows += sum(batch.height for batch in scan)\n"
        "print(rows, most() - start)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, url], capture_output=True, text=True, check=True
    )
    rows, grown = done.stdout.split()
    assert int(rows) == 200_000
    assert float(grown) < 90  # the rows have 110 MiB


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"table": "ridse"}, NotFoundError, "Did you mean 'rides'?"),
        ({"table": "shop.ridse"}, NotFoundError, "no table 'shop.ridse'"),
        ({"table": "rides", "time": "att"}, NotFoundError, "Did you mean 'at'?"),
        ({"table": "rides", "order_by": "idd"}, NotFoundError, "Did you mean 'id'?"),
        ({"query": "SELECT nope FROM rides"}, NotFoundError, "column 'nope'"),
        ({"query": "SELECT * FROM ridse"}, NotFoundError, "Did you mean 'rides'?"),
        ({"query": "SELECT id, id FROM rides"}, SchemaError, "more than one column 'id'"),
        ({"query": "SELECT * FROM rides FOR UPDATE"}, DataError, "would write"),
        ({"query": "SELECT nextval('s') AS a"}, DataError, "would write"),
        (
            {"query": "WITH x AS (DELETE FROM rides RETURNING *) SELECT * FROM x"},
            DataError,
            "would write",
        ),
        ({"query": "SELECT 1 / (id - 1) AS a FROM rides"}, DataError, "division by zero"),
        ({"query": "SELECT FROM WHERE"}, DataError, "syntax error"),
        ({"table": "secret"}, DataError, "does not allow this user to read 'secret'"),
    ],
)
def test_errors_say_what_to_do(postgres_server, url, sql, options, error, words):
    sql("CREATE TABLE rides (id int, at timestamptz); INSERT INTO rides VALUES (1, now())")
    sql("CREATE TABLE secret (id int); CREATE SEQUENCE s")
    user = f"ada_{url.rpartition('/')[2]}"
    sql(
        f"CREATE USER {user}; GRANT SELECT, UPDATE, DELETE ON rides TO {user}; GRANT ALL ON s TO {user}"
    )
    with pytest.raises(error) as told:
        SqlSource(url.replace("penstock@", f"{user}@"), **options).read()
    assert words in str(told.value)
    assert told.value.fix
    assert told.value.__cause__ is None


def test_a_database_of_another_encoding_gives_the_same_text(postgres_server):
    name = f"latin_{time.monotonic_ns()}"
    create = f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' LOCALE_PROVIDER libc TEMPLATE template0"
    postgres_server.sql(create)
    postgres_server.sql("CREATE TABLE t AS SELECT 'Zoë'::text AS a", name)
    assert SqlSource(postgres_server.url(name), table="t").read()["a"].to_list() == ["Zoë"]


def test_an_empty_window_says_where_the_rows_are(url, sql):
    sql("CREATE TABLE t AS SELECT timestamptz '2026-01-01 00:00+00' AS at")
    with pytest.raises(DataError, match="They run from 2026-01-01 00:00 to 2026-01-01 00:00"):
        ingest(SqlSource(url, table="t", time="at"), cutoff="2020-01-01")


def test_a_server_that_refuses_or_is_not_there_is_named(url, postgres_server, monkeypatch):
    monkeypatch.setenv("PG_PASSWORD", "canary-4711/@")
    bad = {
        url.replace("penstock@", "ada:${PG_PASSWORD}@"): "refused the user",
        url.replace(
            "penstock@127.0.0.1", "penstock:${PG_PASSWORD}@nohost.invalid"
        ): "cannot be reached",
        url.replace(str(postgres_server.port), "1"): "cannot be reached",
        url + "x": "has no database",
        url + "?sslmode=${PG_PASSWORD}": "sslmode",
    }
    for address, words in bad.items():
        with pytest.raises(DataError) as told:
            SqlSource(address, table="t").read()
        assert words in str(told.value)
        assert "4711" not in str(told.value)


def test_a_password_is_looked_up_where_it_is_needed(postgres_server, url, sql, monkeypatch):
    user, secret = f"eve_{url.rpartition('/')[2]}", "p@ss/w%rd-4711"
    sql("CREATE TABLE t AS SELECT 1 AS a")
    sql(f"CREATE USER {user} PASSWORD '{secret}'; GRANT SELECT ON t TO {user}")
    rules = postgres_server.folder / "data" / "pg_hba.conf"
    line = f"host all {user} 127.0.0.1/32 scram-sha-256\n"
    rules.write_text(line + rules.read_text())
    sql("SELECT pg_reload_conf()")
    time.sleep(0.5)
    source = SqlSource(url.replace("penstock@", f"{user}:${{EVE_PASSWORD}}@"), table="t")
    with pytest.raises(SettingsError, match="EVE_PASSWORD"):
        source.read()
    monkeypatch.setenv("EVE_PASSWORD", secret)
    assert source.read().height == 1
    monkeypatch.setenv("EVE_PASSWORD", "wrong-4711")
    with pytest.raises(DataError, match="refused the user") as told:
        source.read()
    assert "4711" not in str(told.value)


def test_a_server_that_goes_away_stops_the_reading(url, sql, tmp_path):
    import psycopg

    sql("CREATE TABLE t AS SELECT g AS id, repeat('x', 900) AS a FROM generate_series(1, 100000) g")
    sql("ALTER TABLE t ADD PRIMARY KEY (id)")
    batches = iter(SqlSource(url, table="t", partitions=1).scan())
    assert next(batches).height
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'penstock'"
            " AND datname = current_database()"
        )
    with pytest.raises(DataError, match="ended the connection while 't' was read"):
        list(batches)


def test_a_mark_differs_when_the_state_does(url, sql):
    sql("CREATE TABLE t (id int PRIMARY KEY, at timestamptz); CREATE INDEX ON t (at)")
    sql("CREATE VIEW v AS SELECT * FROM t")
    table, view = SqlSource(url, table="t", time="at"), SqlSource(url, table="v")
    query = SqlSource(url, query="SELECT * FROM t")
    assert table.fingerprint() is None
    for change in ("INSERT INTO t VALUES (1, now())", "UPDATE t SET at = at", "TRUNCATE t"):
        marks = [source.stamp() for source in (table, view, query)]
        sql(change)
        time.sleep(0.2)
        later = [source.stamp() for source in (table, view, query)]
        assert not [mark for mark, new in zip(marks, later, strict=True) if mark == new]
    with pytest.raises(NotFoundError, match="Did you mean 't'"):
        SqlSource(url, table="tt").stamp()


def test_what_was_read_stands_in_the_facts(url, sql):
    sql("CREATE TABLE t AS SELECT g AS id, now() AS at FROM generate_series(1, 5) g")
    scan = SqlSource(url, table="t", time="at").scan("2020-01-01", "2120-01-01")
    assert sum(batch.height for batch in scan) == 5
    facts = scan.reading.facts
    assert facts["server"].startswith("PostgreSQL 1")
    assert facts["isolation"] == "repeatable read, read only"
    assert facts["rows"] == 5
    assert facts["host"].startswith("127.0.0.1:")
    assert facts["snapshot"]
    assert set(facts["values"].values()) == {
        "2020-01-01 00:00:00+00:00",
        "2120-01-01 00:00:00+00:00",
    }


@pytest.mark.slow
def test_a_reading_that_is_killed_leaves_nothing_half_written(url, sql, tmp_path):
    sql(
        "CREATE TABLE t AS SELECT g AS id, now() AS at, repeat('x', 200) AS a FROM generate_series(1, 60000) g"
    )
    sql("ALTER TABLE t ADD PRIMARY KEY (id)")
    (tmp_path / "rides.py").write_text(
        "import os\nimport penstock as ps\n"
        "rides = ps.data.SqlSource(os.environ['RIDES'], table='t', time='at', partitions=2)\n"
        "@ps.pipeline\ndef pipe() -> ps.Snapshot:\n    return ps.steps.ingest(rides)\n"
    )
    env = {**os.environ, "RIDES": url}
    cli = [sys.executable, "-c", "from penstock.cli import main; main()"]
    command = [*cli, "run", "rides.py"]
    started = time.monotonic()
    done = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    whole = time.monotonic() - started
    for share in (0.3, 0.5, 0.6, 0.7, 0.8, 0.9):
        sql("UPDATE t SET a = a || 'y' WHERE id = 1")
        running = subprocess.Popen(
            command, cwd=tmp_path, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        time.sleep(share * whole)
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        check = [*cli, "store", "check"]
        checked = subprocess.run(check, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stdout + checked.stderr
    done = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    left = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'penstock'"
    left += " AND datname = current_database()"
    import psycopg

    with psycopg.connect(url) as connection:
        assert connection.execute(left).fetchone() == (0,)


@pytest.mark.slow
def test_a_secret_is_found_nowhere(url, sql, tmp_path):
    """A password in a variable: in no file of the store, no output, no page and no export."""
    sql("CREATE TABLE t AS SELECT g AS id, now() AS at, g % 2 AS y FROM generate_series(1, 90) g")
    address = url.replace("penstock@", "penstock:${PG_PASSWORD}@")
    (tmp_path / "rides.py").write_text(
        "import penstock as ps\n"
        f"URL = {address!r}\n"
        "SOURCES = {\n"
        "    'good': ps.data.SqlSource(URL, table='t', time='at'),\n"
        "    'gone': ps.data.SqlSource(URL, table='tt'),\n"
        "    'host': ps.data.SqlSource(URL.replace('127.0.0.1', 'nohost.invalid'), table='t'),\n"
        "    'option': ps.data.SqlSource(URL + '?sslmode=${PG_PASSWORD}', table='t'),\n"
        "}\n"
        "@ps.pipeline\ndef pipe(which: str = 'good') -> ps.Snapshot:\n"
        "    return ps.steps.ingest(SOURCES[which])\n"
    )
    secret = "canary-q7Zx/11"
    env = {**os.environ, "PG_PASSWORD": secret, "PENSTOCK_PROVENANCE": "on"}
    cli = [sys.executable, "-c", "from penstock.cli import main; main()"]
    said = ""
    codes = []
    for words in (
        *(["run", "rides.py", "--which", which] for which in ("good", "gone", "host", "option")),
        ["data", "list", "--json"],
        ["data", "show", "t@1", "--json"],
        ["runs", "--json"],
        ["lineage", "t", "--json"],
    ):
        done = subprocess.run(
            [*cli, *words], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )
        codes.append(done.returncode)
        said += done.stdout + done.stderr
    assert codes[:6] == [0, 3, 3, 3, 0, 0], said
    assert "  File" not in said
    listed = subprocess.run(
        [*cli, "runs", "--json"], cwd=tmp_path, env=env, capture_output=True, check=True
    )
    runs = json.loads(listed.stdout)
    assert len(runs) == 4
    with open_store(f"sqlite:///{tmp_path}/.penstock/penstock.db") as store:
        client = TestClient(create_ui(store=store), base_url="http://127.0.0.1")
        for page in ["/", "/data", "/data/t", *(f"/runs/{run['run_id']}" for run in runs)]:
            answer = client.get(page)
            assert answer.status_code == 200, page
            said += answer.text
    forms = [secret, "q7Zx"]
    assert not [form for form in forms if form in said]
    found = [
        path
        for path in tmp_path.rglob("*")
        if path.is_file() and any(form.encode() in path.read_bytes() for form in forms)
    ]
    assert found == []


def test_the_same_rows_have_one_digest_from_files_postgresql_and_duckdb(url, tmp_path):
    import adbc_driver_postgresql.dbapi as adbc
    import duckdb

    write_days(tmp_path / "payments", range(2))
    files = FileSource(tmp_path / "payments", time="time")
    table = files.read().to_arrow()
    with adbc.connect(url) as connection, connection.cursor() as cursor:
        cursor.adbc_ingest("payments", table, mode="create")
        connection.commit()
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as connection:
        connection.register("rows", table)
        connection.execute("CREATE TABLE payments AS SELECT * FROM rows")
    options = {"table": "payments", "time": "time", "order_by": "payment_id"}
    digests = {
        ingest(source, cutoff="2026-01-02").ordered_digest
        for source in (
            files,
            SqlSource(url, **options),
            SqlSource(f"duckdb:///{tmp_path}/shop.duckdb", **options),
        )
    }
    assert len(digests) == 1


def test_an_address_without_a_host_leads_to_the_local_socket(postgres_server, url, monkeypatch):
    monkeypatch.setenv("PGHOST", str(postgres_server.folder))
    monkeypatch.setenv("PGPORT", str(postgres_server.port))
    monkeypatch.setenv("PGUSER", "penstock")
    database = url.rpartition("/")[2]
    assert SqlSource(f"postgresql:///{database}", query="SELECT 1 AS a").read().rows() == [(1,)]


def test_a_part_of_the_address_that_is_not_taken_is_told(url):
    for odd in (f"{url}?foo=bar", "postgresql://host:abc/shop"):
        with pytest.raises(DataError, match="has a part that the client does not take") as raised:
            SqlSource(odd, table="rides").read()
        assert "in the URL" in raised.value.fix
