"""Stores are made fresh, migrated or refused, and a fresh one equals a migrated one."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import penstock.stores.metadata._migrations as migrations
from penstock import __version__
from penstock.core import StoreError
from penstock.stores import open_store
from penstock.stores.metadata._chunks import encode_chunks
from penstock.stores.metadata._schema import fresh_sqlite
from penstock.stores.metadata._sqlite import SQLiteDatabase


def tables(path: Path) -> dict[str, list[tuple]]:
    """Columns, keys and indexes by table, whatever the words that made them."""
    with sqlite3.connect(path) as raw:
        names = [row[0] for row in raw.execute("SELECT name FROM sqlite_master WHERE type='table'")]
        found = {
            name: [
                *raw.execute(f"PRAGMA table_xinfo({name})"),
                *raw.execute(f"PRAGMA foreign_key_list({name})"),
                *sorted(row[1:] for row in raw.execute(f"PRAGMA index_list({name})")),
                *raw.execute(f"SELECT wr FROM pragma_table_list('{name}')"),
            ]
            for name in sorted(names)
        }
        indexes = raw.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        )
        found["indexes"] = sorted((name, " ".join(sql.split())) for name, sql in indexes)
    raw.close()
    return found


def test_the_fresh_statements_are_those_of_the_tables():
    written = migrations._FRESH.read_text()
    assert written == fresh_sqlite(), (
        "The tables changed. Write fresh_sqlite.sql again: python -c 'from"
        ' penstock.stores.metadata._schema import fresh_sqlite; print(fresh_sqlite(), end="")\''
    )


def test_a_fresh_store_equals_a_migrated_one(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/fresh.db"):
        pass
    sqlite3.connect(tmp_path / "migrated.db").close()
    migrations.migrate_sqlite(tmp_path / "migrated.db")
    assert tables(tmp_path / "fresh.db") == tables(tmp_path / "migrated.db")


def test_the_known_versions_are_the_packaged_migrations():
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(str(migrations._HERE / "migrations"))
    found = [revision.revision for revision in script.walk_revisions()]
    assert tuple(reversed(found)) == migrations.VERSIONS


RELEASED = sorted((Path(__file__).parent / "released").glob("*.sql"))


def old_store(path: Path, version: Path) -> None:
    """A store as that version made it, with a run, its points and a model in it."""
    with sqlite3.connect(path) as raw:
        raw.executescript(version.read_text())
        raw.execute(migrations._VERSION_TABLE)
        raw.execute("INSERT INTO alembic_version VALUES (?)", (version.stem,))
        raw.execute(
            "INSERT INTO runs (run_id, name, experiment, state, seed, created_at, attempt, host,"
            " pid, pid_started, user, note) VALUES"
            " ('r1', 'base', 'churn', 'finished', '0', 5, 1, 'h', 1, 1.0, 'ada', '')"
        )
        if version.stem > "0001":
            raw.execute("INSERT INTO experiments (name, created_at, note) VALUES ('churn', 5, '')")
            raw.execute("INSERT INTO models (model, created_at, note) VALUES ('m', 7, '')")
        points = [("r1", "loss", None if i == 7 else 1 / (i + 1), i, 10 + i) for i in range(9000)]
        if version.stem == "0001":
            raw.executemany(
                "INSERT INTO metric_points (run_id, key, value, step, time) VALUES (?, ?, ?, ?, ?)",
                [*points[4000:], *points[:4000]],
            )
        raw.execute(
            'INSERT INTO metric_summaries (run_id, "key", "first", "last", "min", "max", "count",'
            " last_step) VALUES ('r1', 'loss', 1.0, 0.1, 0, 1, 9000, 8999)"
        )
        if version.stem > "0001":
            values = [float("nan") if value is None else value for _, _, value, _, _ in points]
            chunks = encode_chunks([p[3] for p in points], values, [p[4] for p in points])
            raw.executemany(
                "INSERT INTO metric_chunks VALUES ('r1', 'loss', ?, ?, ?, ?)",
                [(n, c.count, c.points, c.outline) for n, c in enumerate(chunks)],
            )
        raw.execute(
            "INSERT INTO model_versions (model, version, stage, trained_by, artifact,"
            " content_digest, created_at, signature, metrics, gates, revision, note)"
            " VALUES ('m', 1, 'none', 'ada', 'd', 'c', 7, '{}', '{}', '[]', 1, '')"
        )
    raw.close()


def test_every_released_version_but_this_one_has_its_tables_here():
    assert [path.stem for path in RELEASED] == list(migrations.VERSIONS[:-1])


@pytest.mark.parametrize("version", RELEASED, ids=lambda path: path.stem)
def test_an_older_store_is_migrated_when_it_is_opened(tmp_path, version):
    path = tmp_path / "penstock.db"
    old_store(path, version)
    with open_store(f"sqlite:///{path}") as store:
        history = store.metadata.metrics.history("r1", "loss")
        assert history.steps.tolist() == list(range(9000))
        assert [i for i, value in enumerate(history.values) if np.isnan(value)] == [7]
        assert history.values[8999] == 1 / 9000
        assert history.times[8999] == 9009
        assert store.metadata.runs.get("r1").metrics["loss"].count == 9000
        assert store.metadata.runs.get("r1").group == ""
    with open_store(f"sqlite:///{tmp_path}/fresh.db"):
        pass
    assert tables(path) == tables(tmp_path / "fresh.db")
    with sqlite3.connect(path) as raw:
        assert raw.execute("SELECT name, created_at FROM experiments").fetchall() == [("churn", 5)]
        assert raw.execute("SELECT model, created_at FROM models").fetchall() == [("m", 7)]
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    raw.close()


def test_many_processes_migrate_one_store_once(tmp_path):
    path = tmp_path / "penstock.db"
    old_store(path, RELEASED[0])
    code = (
        "from penstock.stores import open_store\n"
        f"with open_store('sqlite:///{path}') as store:\n"
        "    print(len(store.metadata.metrics.history('r1', 'loss')))"
    )
    workers = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert [worker.communicate()[0].strip() for worker in workers] == ["9000"] * 4


def test_a_migration_that_fails_leaves_the_store_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "penstock.db"
    sqlite3.connect(path).close()
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TABLE predictions (old TEXT)")  # the migration will stumble over it
    raw.close()
    before = tables(path)
    with pytest.raises(Exception, match="predictions"):
        migrations.migrate_sqlite(path)
    assert tables(path) == before


def test_a_newer_store_is_refused_with_the_version_needed(tmp_path):
    path = tmp_path / "penstock.db"
    with open_store(f"sqlite:///{path}") as store:
        assert store.metadata.settings.get("penstock_version") == __version__
        store.metadata.settings.set("penstock_version", "9.1.0")
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '0999'")
    raw.close()
    with pytest.raises(StoreError, match=r'pip install "penstock>=9.1.0"') as caught:
        open_store(f"sqlite:///{path}")
    assert caught.value.needed == "9.1.0"


def test_a_database_of_another_program_is_left_alone(tmp_path):
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TABLE theirs (a TEXT)")
    raw.close()
    with pytest.raises(StoreError, match="another program"):
        open_store(f"sqlite:///{path}")
    assert list(tables(path)) == ["theirs", "indexes"]


def test_a_file_that_is_no_database_is_left_alone(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("These are my notes, and they are long enough. " * 40)
    with pytest.raises(StoreError, match="no usable SQLite database"):
        open_store(f"sqlite:///{path}")
    assert path.read_text().startswith("These are my notes")


def test_an_empty_file_becomes_a_store(tmp_path):
    (tmp_path / "penstock.db").touch()
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as store:
        assert store.metadata.runs.list_experiments() == []


def test_a_folder_is_no_store(tmp_path):
    with pytest.raises(StoreError, match="is not a file"):
        open_store(f"sqlite:///{tmp_path}")


def test_a_place_that_cannot_be_written_is_explained(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="set PENSTOCK_STORE to another location"):
        open_store(f"sqlite:///{tmp_path}/file/penstock.db")


def test_a_store_that_must_exist_is_not_made(tmp_path):
    with pytest.raises(StoreError, match="There is no store at"):
        open_store(f"sqlite:///{tmp_path}/penstock.db", create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_store_in_a_folder_below_is_named_as_that_of_a_new_project(tmp_path):
    open_store(f"sqlite:///{tmp_path}/churn/.penstock/penstock.db").close()
    (tmp_path / "data").mkdir()
    with pytest.raises(StoreError, match=r"Folders with a store: churn\. Change to one"):
        open_store(f"sqlite:///{tmp_path}/.penstock/penstock.db", create=False)
    with pytest.raises(StoreError) as caught:
        open_store(f"sqlite:///{tmp_path}/penstock.db", create=False)
    assert "Folders with" not in str(caught.value)


def test_a_database_opened_by_hand_is_whole(tmp_path):
    database = SQLiteDatabase(tmp_path / "x.db")
    with database.write() as transaction:
        transaction.execute("CREATE TABLE t (a INTEGER)")
        transaction.executemany("INSERT INTO t VALUES (?)", [(1,), (2,)])
    with database.read() as transaction:
        assert transaction.execute("SELECT SUM(a) FROM t").fetchone() == (3,)
    database.close()


def test_opening_a_store_loads_neither_sqlalchemy_nor_alembic_nor_polars(tmp_path):
    code = (
        "import sys; from penstock.stores import open_store;"
        f"open_store('sqlite:///{tmp_path}/penstock.db').put(1);"
        "print(sorted({'sqlalchemy', 'alembic', 'polars', 'numpy', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_nested_parameters_and_chunks_of_an_older_store_are_found_and_sealed(tmp_path):
    path = tmp_path / "penstock.db"
    old_store(path, next(one for one in RELEASED if one.stem == "0004"))
    with sqlite3.connect(path) as raw:
        # A name that is no UTF-8 is in the JSON as an escape, and was never a text of its own.
        raw.execute(
            "INSERT INTO run_params VALUES ('r1', 'cfg', ?, '{''depth'': 3}', NULL, '')",
            (r'{"depth":3,"file":"caf\udce9"}',),
        )
        chunks = raw.execute("SELECT chunk_id, points FROM metric_chunks").fetchall()
        for chunk_id, points in chunks:  # as they were before: without a checksum
            bare = b"\x01" + points[1:5] + points[9:]
            raw.execute("UPDATE metric_chunks SET points = ? WHERE chunk_id = ?", (bare, chunk_id))
    raw.close()
    with open_store(f"sqlite:///{path}") as store:
        assert store.metadata.runs.count("params.cfg.depth > 2") == 1
        assert store.metadata.runs.get("r1").params == {"cfg": {"depth": 3, "file": "caf\udce9"}}
        assert len(store.metadata.metrics.history("r1", "loss")) == 9000
    with sqlite3.connect(path) as raw:
        assert {row[0][:1] for row in raw.execute("SELECT points FROM metric_chunks")} == {b"\x02"}
    raw.close()


def test_who_approved_and_who_decided_stay_known_when_their_columns_are_renamed(tmp_path):
    path = tmp_path / "penstock.db"
    old_store(path, next(path for path in RELEASED if path.stem == "0007"))
    with sqlite3.connect(path) as raw:
        raw.execute(
            "INSERT INTO approvals (model, version, approver, approved, reason, at)"
            " VALUES ('m', 1, 'bob', 1, 'Good.', 9)"
        )
        raw.execute(
            "INSERT INTO step_decisions (run_id, step, approved, decided_by, reason, at)"
            " VALUES ('r1', 'ask', 0, 'eve', 'Wait.', 9)"
        )
    raw.close()
    with open_store(f"sqlite:///{path}") as store:
        [approval] = store.metadata.models.list_approvals("m", 1)
        [decision] = store.metadata.steps.list_decisions("r1")
        assert (approval.actor, decision.actor) == ("bob", "eve")
