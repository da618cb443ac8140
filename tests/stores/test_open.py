"""Which store is opened, and when it is the same one."""

import os
import shutil
from pathlib import Path

import pytest

from penstock.core import StoreError
from penstock.stores import open_store


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PENSTOCK_STORE", raising=False)
    monkeypatch.delenv("PENSTOCK_ARTIFACTS", raising=False)
    return tmp_path


def test_a_project_has_its_store_in_its_folder(project):
    with open_store() as store:
        assert store.url == f"sqlite:///{project}/.penstock/penstock.db"
        assert store.artifacts.url == f"{project}/.penstock/artifacts"
    assert repr(store) == f"Store({store.url!r})"


def test_the_environment_and_the_project_say_where_the_store_is(project, monkeypatch):
    (project / "pyproject.toml").write_text('[tool.penstock]\nstore = "sqlite:///one/a.db"\n')
    with open_store() as store:
        assert store.url == f"sqlite:///{project}/one/a.db"
    monkeypatch.setenv("PENSTOCK_STORE", f"sqlite:///{project}/two/b.db")
    monkeypatch.setenv("PENSTOCK_ARTIFACTS", str(project / "bytes"))
    with open_store() as store:
        assert store.url == f"sqlite:///{project}/two/b.db"
        assert store.artifacts.url == str(project / "bytes")


@pytest.mark.parametrize("url", ["a.db", "sqlite:///a.db", "sqlite:///{here}/a.db", "./a.db"])
def test_a_path_and_a_url_mean_the_same(project, url):
    with open_store(url.format(here=project)) as store:
        assert store.url.endswith(f"{project}/a.db")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://me:secret@host/db", "SQLite, PostgreSQL or a penstock server"),
        ("http://:secret@127.0.0.1:9", "does not answer"),
        ("sqlit:///a.db", "Did you mean 'sqlite'"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:///", "names no file"),
    ],
)
def test_a_store_that_cannot_be_opened_is_explained_without_the_password(project, url, words):
    with pytest.raises(StoreError) as caught:
        open_store(url)
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)
    assert list(project.iterdir()) == [project / "pyproject.toml"]


def test_bytes_can_only_be_in_a_folder_or_a_bucket(project):
    with pytest.raises(StoreError, match="Set PENSTOCK_ARTIFACTS to a folder or to s3://"):
        open_store("a.db", artifacts="gs://bucket/x")
    with open_store("a.db", artifacts=f"file://{project}/bytes") as store:
        assert Path(store.artifacts.url) == project / "bytes"


def test_one_process_opens_a_store_once_and_closes_it_with_the_last(project):
    first, second = open_store("a.db"), open_store("a.db")
    assert first is second
    first.close()
    assert second.metadata.models.list() == []
    second.close()
    assert first.closed
    with open_store("a.db") as third:
        assert third is not first
        assert third.metadata.models.list() == []


def test_a_store_that_was_replaced_is_opened_again(project):
    first = open_store(f"{project}/x/a.db")
    first.metadata.settings.set("a", "1")
    shutil.rmtree(project / "x")
    assert open_store(f"{project}/x/a.db").metadata.settings.get("a") is None


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_has_a_store_of_its_own(project):
    parent = open_store("a.db")
    parent.metadata.settings.set("a", "1")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            mine = open_store("a.db")
            mine.metadata.settings.set("b", mine.metadata.settings.get("a"))
            code = 0 if mine is not parent and parent.metadata.settings.get("b") == "1" else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert parent.metadata.settings.get("b") == "1"
