"""A store in PostgreSQL does what every store must, and tells what is wrong with the server."""

import os
import subprocess
import sys
import threading

import pytest
import sqlalchemy

from penstock.core import ParameterError, SettingsError, StoreError
from penstock.stores import open_store
from penstock.stores.metadata._chunks import encode_chunks
from penstock.stores.metadata._migrations import migrate
from penstock.stores.metadata._postgres import PostgresUrl, _grouped, _translate, connect
from penstock.testing import MetadataStoreContract
from penstock.testing._records import a_prediction, a_run

pytestmark = pytest.mark.services


class TestPostgres(MetadataStoreContract):
    @pytest.fixture
    def metadata(self, postgres_url, tmp_path):
        with open_store(postgres_url, artifacts=str(tmp_path)) as store:
            yield store.metadata


@pytest.fixture
def store(postgres_url, tmp_path):
    with open_store(postgres_url, artifacts=str(tmp_path / "artifacts")) as opened:
        yield opened


def test_marks_become_the_drivers_but_not_in_quotes():
    text, lists = _translate("a = ? AND b LIKE '%?' AND c % 2")
    assert (text, lists) == (b"a = %s AND b LIKE '%%?' AND c %% 2", ())


@pytest.mark.parametrize("count", [1, 15, 16, 100])
def test_a_long_list_of_values_becomes_an_array(count):
    marks = ", ".join("?" * count)
    text, lists = _translate(f"a = ? AND b IN ({marks}) AND c NOT IN ({marks}) AND d = ?")
    values = _grouped(list(range(2 * count + 2)), lists)
    assert text.count(b"%s") == len(values)
    if count < 16:
        assert lists == ()
        return
    assert text == b"a = %s AND b = ANY(%s) AND c <> ALL(%s) AND d = %s"
    assert values == [
        0, list(range(1, count + 1)), list(range(count + 1, 2 * count + 1)), 2 * count + 1,
    ]  # fmt: skip


def test_a_url_shows_no_password():
    url = PostgresUrl("postgres://ada:s%40cret@[::1]:5433/ml?schema=churn&sslmode=require")
    assert url.shown == "postgresql://ada@[::1]:5433/ml?schema=churn"
    assert url.dsn == "postgresql://ada:s%40cret@[::1]:5433/ml?sslmode=require"
    with pytest.raises(ParameterError, match="no name for a schema"):
        PostgresUrl("postgresql:///ml?schema=Churn; DROP")


def test_neither_the_store_nor_an_error_shows_the_password(postgres_server, tmp_path):
    url = postgres_server.database().replace("penstock@", "penstock:s3cret@")
    with open_store(url, artifacts=str(tmp_path)) as store:
        assert "s3cret" not in repr(store)
        assert "penstock@127.0.0.1" in store.url
    with pytest.raises(StoreError) as caught:
        open_store(url.replace("/t", "/nothing"), artifacts=str(tmp_path))
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda url: url + "x", "does not exist.*createdb"),
        (lambda url: url.replace("penstock@", "nobody@"), "does not exist"),
        (lambda _: "postgresql://penstock@127.0.0.1:1/x", "No PostgreSQL answers there"),
    ],
    ids=["database", "user", "port"],
)
def test_a_wrong_url_is_explained(postgres_url, tmp_path, change, words):
    with pytest.raises(StoreError, match=words):
        open_store(change(postgres_url), artifacts=str(tmp_path))


def test_a_place_for_artifacts_must_be_named(postgres_url, monkeypatch):
    monkeypatch.delenv("PENSTOCK_ARTIFACTS", raising=False)
    with pytest.raises(SettingsError, match="Set PENSTOCK_ARTIFACTS"):
        open_store(postgres_url)


def test_many_processes_make_one_store(postgres_server, tmp_path):
    postgres_server.sql("CREATE DATABASE bare")
    code = (
        "from penstock.stores import open_store; from penstock.testing._records import a_run;"
        f"open_store({postgres_server.url('bare')!r}, artifacts={str(tmp_path)!r})"
        ".metadata.runs.create(a_run())"
    )
    workers = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(4)]
    assert [worker.wait() for worker in workers] == [0] * 4
    with open_store(postgres_server.url("bare"), artifacts=str(tmp_path)) as store:
        assert store.metadata.runs.count() == 4
    with pytest.raises(StoreError, match="There is no store in"):
        open_store(postgres_server.url("postgres"), artifacts=str(tmp_path), create=False)


def test_tables_of_another_program_are_left_alone(postgres_server, tmp_path):
    url = postgres_server.database()
    database = url.rpartition("/")[2]
    postgres_server.sql("CREATE TABLE public.runs (theirs TEXT)", database)
    with open_store(url, artifacts=str(tmp_path)) as store:
        store.metadata.runs.create(a_run())
        assert store.metadata.runs.count() == 1


def test_a_newer_store_is_refused(postgres_server, tmp_path):
    url = postgres_server.database()
    database = url.rpartition("/")[2]
    postgres_server.sql("UPDATE penstock.alembic_version SET version_num = '0999'", database)
    postgres_server.sql(
        "UPDATE penstock.settings SET value = '9.1.0' WHERE name = 'penstock_version'", database
    )
    with pytest.raises(StoreError, match=r'pip install "penstock>=9.1.0"'):
        open_store(url, artifacts=str(tmp_path))


def test_the_tables_are_those_of_the_schema(postgres_server):
    from sqlalchemy import create_engine, inspect

    from penstock.stores.metadata._schema import metadata

    engine = create_engine(postgres_server.url("template_store").replace("sql:", "sql+psycopg:"))
    found = inspect(engine)
    for table in metadata.sorted_tables:
        columns = found.get_columns(table.name, schema="penstock")
        assert [column["name"] for column in columns] == [column.name for column in table.columns]
        texts = [column["type"] for column in columns if str(column["type"]).startswith("TEXT")]
        assert {text.collation for text in texts} <= {"C"}  # type: ignore[attr-defined]
        indexes = {index["name"] for index in found.get_indexes(table.name, schema="penstock")}
        assert {index.name for index in table.indexes} <= indexes
    engine.dispose()


def test_an_older_store_is_migrated_with_what_is_in_it(postgres_server, tmp_path):
    postgres_server.sql("CREATE DATABASE older")
    url = PostgresUrl(postgres_server.url("older"))
    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=lambda: connect(url, autocommit=False)
    )
    [chunk] = encode_chunks(range(3000), [n**0.5 for n in range(3000)], range(3000))
    bare = b"\x01" + chunk.points[1:5] + chunk.points[9:]  # as it was: without a checksum
    with engine.begin() as connection:
        connection.exec_driver_sql('CREATE SCHEMA "penstock"')
        migrate(connection, to="0004")
        run = sqlalchemy.text(
            "INSERT INTO runs (run_id, name, experiment, state, seed, created_at, attempt, host,"
            ' pid, pid_started, "user", note) VALUES'
            " ('r1', 'base', 'churn', 'finished', '0', 5, 1, 'h', 1, 1.0, 'ada', '')"
        )
        connection.execute(run)
        params = sqlalchemy.text(
            "INSERT INTO run_params VALUES ('r1', 'cfg', :value, '', NULL, '')"
        )
        connection.execute(params, {"value": r'{"depth":3,"odd":"a\u0000"}'})
        points = "INSERT INTO metric_chunks VALUES ('r1', 'loss', 1, 3000, %s, %s)"
        connection.exec_driver_sql(points, (bare, chunk.outline[4:]))
    engine.dispose()
    with open_store(postgres_server.url("older"), artifacts=str(tmp_path)) as store:
        assert store.metadata.runs.count("params.cfg.depth > 2") == 1
        assert store.metadata.runs.get("r1").params == {"cfg": {"depth": 3, "odd": "a\0"}}
        history = store.metadata.metrics.history("r1", "loss")
        assert history.values.tolist() == [n**0.5 for n in range(3000)]


def test_a_restarted_server_is_found_again(store, postgres_server):
    run = a_run()
    store.metadata.runs.create(run)
    postgres_server.stop()
    with pytest.raises(StoreError):
        store.metadata.runs.get(run.run_id)
    postgres_server.start()
    assert store.metadata.runs.get(run.run_id) == run


def test_a_lost_connection_undoes_what_was_not_finished(store, postgres_server):
    database, name = store.metadata.database, store.url.rpartition("/")[2]

    def interrupted() -> None:
        with database.write() as transaction:
            transaction.execute("INSERT INTO settings (name, value) VALUES ('half', 'x')")
            postgres_server.sql(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
            )
            transaction.execute("INSERT INTO settings (name, value) VALUES ('whole', 'x')")

    with pytest.raises(StoreError, match="what was not finished is undone"):
        interrupted()
    assert store.metadata.settings.get("half") is None


def test_text_that_the_database_has_no_word_for_is_kept_as_well_as_can_be(store):
    run = a_run(name="a\0b", note="half \udcff", tags={"snow": "\N{SNOWMAN}"})
    store.metadata.runs.create(run)
    found = store.metadata.runs.get(run.run_id)
    assert (found.name, found.note) == (r"a\x00b", r"half \udcff")
    assert found.tags == {"snow": "\N{SNOWMAN}"}


def test_many_rows_are_copied_in(store):
    store.metadata.predictions.add([a_prediction(f"p{i}") for i in range(300)])
    database = store.metadata.database
    with database.write() as transaction:
        rows = [(f"n{i}", None if i % 2 else 'tab\t"quote" \\') for i in range(100)]
        transaction.execute("CREATE TABLE bulk (name TEXT, value TEXT)")
        transaction.executemany("INSERT INTO bulk (name, value) VALUES (?, ?)", rows)
        found = transaction.execute("SELECT name, value FROM bulk").fetchall()
    assert found == rows


def test_writers_of_the_same_rows_in_any_order_never_deadlock(store):
    from penstock.core import Edge
    from penstock.testing._records import an_artifact

    edges = [Edge(f"a{i}", f"b{i}", "x") for i in range(200)]
    artifacts = [an_artifact(str(i)) for i in range(200)]
    failed = []

    def work(step: int) -> None:
        try:
            for _ in range(5):
                store.metadata.artifacts.add(artifacts[::step])
                store.metadata.artifacts.add_edges(edges[::step])
        except StoreError as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(step,)) for step in (1, -1) * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_a_forked_child_has_connections_of_its_own(store):
    run = a_run()
    store.metadata.runs.create(run)
    child = os.fork()
    if not child:
        code = 1
        try:
            store.metadata.runs.set_tags(run.run_id, {"by": "child"})
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert store.metadata.runs.get(run.run_id).tags == {"by": "child"}


def test_in_a_team_store_nobody_approves_their_own_model(store):
    assert store.single_user is False
    store.metadata.settings.set("single_user", "true")
    assert store.single_user is True


@pytest.mark.slow
def test_the_loop_runs_on_postgresql_and_s3(shell, postgres_url, bucket):
    (shell.folder / "job.py").write_text(
        "import penstock as ps, polars as pl\n"
        "@ps.step\n"
        "def rows(n: int) -> ps.Table:\n"
        "    ps.log_metric('rows', n)\n"
        "    return pl.DataFrame({'a': range(n), 'b': [str(i) * 9 for i in range(n)]})\n"
        "@ps.pipeline\n"
        "def job(n: int = 5000):\n"
        "    return rows(n)\n"
    )
    env = {"PENSTOCK_STORE": postgres_url, "PENSTOCK_ARTIFACTS": f"s3://{bucket}/team"}
    env |= {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    first = shell("run", "job.py", "--json", env=env).json
    assert shell("run", "job.py", "--json", env=env).json["steps"][0]["state"] == "cached"
    assert shell("show", first["run_id"], "--json", env=env).json["metrics"] == {"rows": 5000}
    assert shell("verify", first["run_id"], "--json", env=env).json["verdict"] == "bitwise"
    assert "team store" not in shell("doctor", env=env).err
    assert not (shell.folder / ".penstock" / "artifacts").exists()
