"""Stores that are copied, shared by users, or used by someone without a home."""

import os
import shutil
import sqlite3
import stat
import tempfile
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from penstock.core import StoreError
from penstock.stores import collect_garbage, open_store
from penstock.stores.journals import _home
from penstock.stores.journals._home import journals_home
from penstock.tracking import get_run, search_runs, start_run

AT_ONCE: dict[str, Any] = {"older_than": timedelta(0), "grace": timedelta(0), "delete": True}
QUIET: dict[str, Any] = {"console": False, "system_metrics": False}


def a_run_with_bytes(store) -> str:
    with start_run(store=store, **QUIET) as run:
        run.log_text("text", "x" * 5000)
    return run.run_id


def read(store, run_id: str) -> str:
    return get_run(run_id, store=store).artifact("text")


def test_gc_in_a_copied_file_removes_none_of_the_originals_bytes(tmp_path, caplog):
    place = str(tmp_path / "shared")
    with open_store(f"sqlite:///{tmp_path}/ml.db", artifacts=place) as store:
        run_id = a_run_with_bytes(store)
    with closing(sqlite3.connect(tmp_path / "ml.db")) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(tmp_path / "ml.db", tmp_path / "staging.db")
    with open_store(f"sqlite:///{tmp_path}/staging.db", artifacts=place) as clone:
        assert "is a copy of another store" in caplog.text
        get_run(run_id, store=clone).delete()
        report = collect_garbage(**AT_ONCE, store=clone)
        assert report.artifacts == 1
        assert report.shared_with == (f"sqlite:///{tmp_path}/ml.db",)
    with open_store(f"sqlite:///{tmp_path}/ml.db", artifacts=place) as store:
        assert read(store, run_id) == "x" * 5000
        # Nor does the original take what the copy needs.
        get_run(run_id, store=store).delete()
        assert collect_garbage(**AT_ONCE, store=store).shared_with == (
            f"sqlite:///{tmp_path}/staging.db",
        )


def test_a_store_that_was_moved_is_the_same_one(tmp_path, caplog):
    with open_store(f"sqlite:///{tmp_path}/a/penstock.db") as store:
        run_id = a_run_with_bytes(store)
    (tmp_path / "a").rename(tmp_path / "b")
    with open_store(f"sqlite:///{tmp_path}/b/penstock.db") as store:
        get_run(run_id, store=store).delete()
        report = collect_garbage(**AT_ONCE, store=store)
    assert report.bytes > 5000
    assert report.shared_with == ()
    assert "copy" not in caplog.text


def test_a_folder_that_was_copied_whole_has_bytes_of_its_own(tmp_path, caplog):
    with open_store(f"sqlite:///{tmp_path}/a/penstock.db") as store:
        run_id = a_run_with_bytes(store)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    with open_store(f"sqlite:///{tmp_path}/b/penstock.db") as store:
        get_run(run_id, store=store).delete()
        report = collect_garbage(**AT_ONCE, store=store)
    assert report.bytes > 5000
    assert report.shared_with == ()
    with open_store(f"sqlite:///{tmp_path}/a/penstock.db") as store:
        assert read(store, run_id) == "x" * 5000


@pytest.mark.services
def test_gc_in_a_database_made_from_a_template_removes_none_of_the_originals_bytes(
    postgres_server, tmp_path, monkeypatch
):
    monkeypatch.setenv("PENSTOCK_JOURNALS", str(tmp_path / "journals"))
    place, url = str(tmp_path / "shared"), postgres_server.database()
    with open_store(url, artifacts=place) as store:
        run_id = a_run_with_bytes(store)
    name = url.rpartition("/")[2]
    postgres_server.sql(f"CREATE DATABASE staging_{name} TEMPLATE {name}")
    with open_store(postgres_server.url(f"staging_{name}"), artifacts=place) as clone:
        get_run(run_id, store=clone).delete()
        assert collect_garbage(**AT_ONCE, store=clone).shared_with == (url,)
    with open_store(url, artifacts=place) as store:
        assert read(store, run_id) == "x" * 5000


@pytest.mark.services
def test_a_second_role_is_told_the_one_command_that_is_missing(
    postgres_server, tmp_path, monkeypatch
):
    monkeypatch.setenv("PENSTOCK_JOURNALS", str(tmp_path / "journals"))
    url = postgres_server.database()
    with open_store(url, artifacts=str(tmp_path / "bytes")) as store:
        run_id = a_run_with_bytes(store)
    name = url.rpartition("/")[2]
    bob = f"bob_{name}"
    postgres_server.sql(f"CREATE ROLE {bob} LOGIN")
    theirs = url.replace("penstock@", f"{bob}@")
    with pytest.raises(StoreError) as caught:
        open_store(theirs, artifacts=str(tmp_path / "bytes"))
    command = f'GRANT "penstock" TO "{bob}"'
    assert command in str(caught.value)
    postgres_server.sql(command)
    with open_store(theirs, artifacts=str(tmp_path / "bytes")) as store:
        assert read(store, run_id) == "x" * 5000
        a_run_with_bytes(store)


@pytest.mark.services
def test_a_role_that_may_not_make_schemas_uses_one_that_is_there(postgres_server, tmp_path):
    postgres_server.sql("CREATE DATABASE empty")
    postgres_server.sql("CREATE ROLE eve LOGIN")
    url = f"postgresql://eve@127.0.0.1:{postgres_server.port}/empty"
    with pytest.raises(StoreError, match='GRANT CREATE ON DATABASE "empty" TO "eve"'):
        open_store(url, artifacts=str(tmp_path / "bytes"))
    postgres_server.sql("CREATE SCHEMA penstock AUTHORIZATION eve", "empty")
    with open_store(url, artifacts=str(tmp_path / "bytes")) as store:
        assert store.metadata.runs.list_experiments() == []


@pytest.mark.skipif(os.name != "posix", reason="modes of files")
def test_what_is_made_in_a_shared_folder_can_be_written_by_the_group(tmp_path):
    folder = tmp_path / "team"
    folder.mkdir()
    folder.chmod(0o2775)
    before = os.umask(0o022)
    try:
        with open_store(f"sqlite:///{folder}/deep/penstock.db") as store:
            a_run_with_bytes(store)
            found = [folder / "deep", *(folder / "deep").rglob("*")]
            closed = [
                path
                for path in found
                if not path.stat().st_mode & stat.S_IWGRP
                and (path.is_dir() or path.name.startswith("penstock.db"))
            ]
    finally:
        os.umask(before)
    assert any(path.name == "penstock.db-wal" for path in found)
    assert closed == []


def test_a_folder_of_ones_own_is_not_opened_to_others(tmp_path):
    tmp_path.chmod(0o755)
    before = os.umask(0o022)
    try:
        with open_store(f"sqlite:///{tmp_path}/penstock.db"):
            mode = (tmp_path / "penstock.db").stat().st_mode
    finally:
        os.umask(before)
    assert not mode & (stat.S_IWGRP | stat.S_IWOTH)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs to be two users")
def test_a_colleague_who_only_looks_leaves_nothing_that_locks_the_owner_out():
    folder = Path(tempfile.mkdtemp(prefix="penstock-shared-"))
    try:
        url = f"sqlite:///{folder}/penstock.db"
        with open_store(url) as store:
            a_run_with_bytes(store)
            (folder / "penstock.db").chmod(0o644)
            assert len(search_runs(store=store)) == 1
        folder.chmod(0o777)
        child = os.fork()
        if not child:
            code = 1
            try:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
                code = 0 if len(search_runs(store=url)) == 1 else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert all(path.stat().st_uid == 0 for path in folder.rglob("*"))
        with open_store(url) as store:
            a_run_with_bytes(store)
    finally:
        shutil.rmtree(folder)


URL = "postgresql://ada@db/ml"


def test_journals_of_a_server_are_in_the_state_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("PENSTOCK_JOURNALS", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert journals_home(URL, None).parent == tmp_path / "penstock" / "journals"


@pytest.mark.parametrize("home", ["missing", "a file", "unset"])
def test_without_a_home_journals_are_among_passing_files_and_it_is_said_once(
    tmp_path, monkeypatch, caplog, home
):
    monkeypatch.delenv("PENSTOCK_JOURNALS", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr(_home, "_told", set())
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    if home == "unset":

        def no_home() -> Path:
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.setattr(Path, "home", no_home)
    else:
        (tmp_path / "file").touch()
        monkeypatch.setenv(
            "HOME", str(tmp_path / "file" / "home" if home == "missing" else tmp_path / "file")
        )
    first, second = journals_home(URL, None), journals_home(URL, None)
    assert first == second
    assert first.parent == tmp_path / f"penstock-journals-{os.geteuid()}"
    assert stat.S_IMODE(first.parent.stat().st_mode) == 0o700
    assert caplog.text.count("set PENSTOCK_JOURNALS") == 1


def test_a_passing_folder_that_someone_else_has_made_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "theirs").mkdir()
    (tmp_path / f"penstock-journals-{os.geteuid()}").symlink_to(tmp_path / "theirs")
    with pytest.raises(StoreError, match="another user's"):
        _home._passing_folder()
