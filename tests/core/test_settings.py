"""The project is found from the file that is run, and never in a folder that many share."""

import subprocess
import sys
from pathlib import Path

import pytest

from penstock import core
from penstock.core import (
    NotFoundError,
    SettingsError,
    find_project,
    settings,
    shared_folders,
)


def test_the_nearest_mark_counts(tmp_path):
    (tmp_path / "pyproject.toml").touch()
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert find_project(inner) == tmp_path
    (tmp_path / "a" / ".git").mkdir()
    assert find_project(inner) == tmp_path / "a"


@pytest.mark.parametrize("variable", ["HOME", "TMPDIR"])
def test_marks_of_shared_folders_count_for_what_is_directly_in_them(
    tmp_path, monkeypatch, variable
):
    monkeypatch.setenv(variable, str(tmp_path))
    (tmp_path / ".penstock").mkdir()
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert tmp_path in shared_folders()
    assert find_project(inner) == inner
    assert find_project(tmp_path) == tmp_path


def test_the_project_of_a_store_can_be_named(tmp_path, monkeypatch):
    monkeypatch.delenv("PENSTOCK_STORE", raising=False)
    found = settings(project=tmp_path)
    assert found.store.value == f"sqlite:///{tmp_path}/.penstock/penstock.db"


def test_a_script_is_in_the_project_of_its_file(tmp_path):
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    project.mkdir()
    elsewhere.mkdir()
    script = project / "script.py"
    script.write_text("from penstock.core import find_project; print(find_project())")
    told = subprocess.run(
        [sys.executable, str(script)], cwd=elsewhere, capture_output=True, text=True, check=True
    ).stdout
    assert Path(told.strip()) == project
    (elsewhere / ".penstock").mkdir()
    told = subprocess.run(
        [sys.executable, str(script)], cwd=elsewhere, capture_output=True, text=True, check=True
    ).stdout
    assert Path(told.strip()) == elsewhere, "the current folder is a project of its own"


def test_a_current_folder_that_is_gone_is_said(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(NotFoundError, match="current folder is not there"):
        find_project()
    monkeypatch.chdir(tmp_path)


def test_arguments_beat_the_environment_and_that_beats_pyproject(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text('[tool.penstock]\nstore = "sqlite:///from-file.db"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PENSTOCK_STORE", raising=False)
    assert settings().store.value == "sqlite:///from-file.db"
    assert "pyproject" in settings().store.origin
    monkeypatch.setenv("PENSTOCK_STORE", "sqlite:///from-environment.db")
    assert settings().store.origin == "environment variable PENSTOCK_STORE"
    assert settings("sqlite:///given.db").store == core.Setting("sqlite:///given.db", "argument")


def test_without_any_setting_the_store_is_in_the_project(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    monkeypatch.delenv("PENSTOCK_STORE", raising=False)
    assert settings().project == tmp_path
    assert settings().store.value == f"sqlite:///{tmp_path}/.penstock/penstock.db"


def test_a_bare_folder_is_its_own_project(tmp_path):
    assert find_project(tmp_path) == tmp_path


@pytest.mark.parametrize("text", ["not toml [", "[tool.penstock]\nstore = 3\n"])
def test_a_broken_pyproject_is_told(tmp_path, monkeypatch, text):
    (tmp_path / "pyproject.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PENSTOCK_STORE", raising=False)
    with pytest.raises(SettingsError, match=r"pyproject\.toml"):
        settings()


def test_a_folder_that_may_not_be_entered_holds_no_project(tmp_path, monkeypatch):
    """As when a service of another user is started from somebody's private folder."""
    exists = Path.exists

    def refuse(path):
        if path.parent == tmp_path:
            raise PermissionError(13, "Permission denied", str(path))
        return exists(path)

    monkeypatch.setattr(Path, "exists", refuse)
    (tmp_path / "pyproject.toml").touch()
    assert find_project(tmp_path) == tmp_path.resolve()
    assert settings(project=find_project(tmp_path)).store.value.startswith("sqlite:///")
