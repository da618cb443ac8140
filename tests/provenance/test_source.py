"""The source tree as it ran, in git and outside of it."""

import os
import subprocess
import sys
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core import DataError
from penstock.provenance import _source as source
from penstock.provenance import capture_source, restore_source
from penstock.stores import open_store


def git(folder, *words):
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(
        ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", *words],
        cwd=folder,
        check=True,
        capture_output=True,
        env=environment,
    )


@pytest.fixture
def repository(tmp_path):
    git(tmp_path, "init", "-q", "-b", "trunk")
    (tmp_path / "train.py").write_text("a = 1\n")
    (tmp_path / ".gitignore").write_text("ignored.py\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    return tmp_path


def test_a_clean_repository_has_commit_and_branch(repository):
    tree = capture_source(repository)
    assert tree.files == {"train.py": b"a = 1\n"}
    assert len(tree.commit) == 40
    assert tree.branch == "trunk"
    assert (tree.dirty, tree.diff) == (False, "")


def test_uncommitted_and_untracked_files_are_kept_and_ignored_ones_not(repository):
    (repository / "train.py").write_text("a = 2\n")
    (repository / "new.py").write_text("b = 1\n")
    (repository / "ignored.py").write_text("secret = 1\n")
    tree = capture_source(repository)
    assert tree.files == {"new.py": b"b = 1\n", "train.py": b"a = 2\n"}
    assert tree.dirty
    assert "-a = 1" in tree.diff
    assert "+a = 2" in tree.diff


def test_the_lock_of_a_store_is_no_source_and_that_of_packages_is(tmp_path):
    (tmp_path / "uv.lock").write_text("version = 1")
    with open_store(f"sqlite:///{tmp_path}/runs.db"):
        assert (tmp_path / "runs.db.lock").exists()
        assert [*capture_source(tmp_path).files] == ["uv.lock"]


def test_only_an_untracked_file_makes_a_tree_dirty(repository):
    (repository / "new.py").write_text("b = 1\n")
    tree = capture_source(repository)
    assert tree.dirty
    assert tree.diff == ""


def test_a_repository_without_a_commit_and_a_detached_one(tmp_path, repository):
    empty = tmp_path / "empty"
    empty.mkdir()
    git(empty, "init", "-q")
    (empty / "a.py").write_text("1\n")
    tree = capture_source(empty)
    assert (tree.commit, tree.dirty, list(tree.files)) == (None, True, ["a.py"])
    git(repository, "checkout", "-q", "--detach")
    assert capture_source(repository).branch is None


def test_a_deleted_file_is_not_there(repository):
    (repository / "train.py").unlink()
    assert capture_source(repository).files == {}


def test_a_long_diff_is_cut_and_says_so(repository, monkeypatch):
    monkeypatch.setattr(source, "_MAX_DIFF_BYTES", 20)
    (repository / "train.py").write_text("a = 3\n")
    assert "cut here" in capture_source(repository).diff


def test_a_second_call_is_answered_from_memory_until_something_moves(repository):
    first = capture_source(repository)
    assert capture_source(repository) is first
    (repository / "train.py").write_text("a = 11\n")
    second = capture_source(repository)
    assert second.files["train.py"] == b"a = 11\n"
    (repository / "more.py").write_text("")
    assert "more.py" in capture_source(repository).files


def test_outside_git_a_plain_tree_is_read_without_environments_hidden_files_and_secrets(tmp_path):
    for name in (
        "job.py",
        "sub/help.py",
        "data.csv",
        ".env",
        ".hidden/x.py",
        "venv/lib/y.py",
        "env/z.py",
        "env/pyvenv.cfg",
        "site-packages/p.py",
        "build/b.py",
        "my_credentials.json",
        "token.py",
        "Makefile",
        "notes.md",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "link.py").symlink_to(tmp_path / "job.py")
    tree = capture_source(tmp_path)
    assert list(tree.files) == ["Makefile", "job.py", "notes.md", "sub/help.py", "token.py"]
    assert (tree.commit, tree.branch, tree.dirty) == (None, None, False)


def test_large_and_too_many_files_are_left_out_and_named_code_last(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "_MAX_FILE_BYTES", 10)
    monkeypatch.setattr(source, "_MAX_FILES", 2)
    (tmp_path / "big.py").write_text("x" * 11)
    (tmp_path / "job.py").write_text("1")
    (tmp_path / "a.md").write_text("1")
    (tmp_path / "b.md").write_text("1")
    tree = capture_source(tmp_path)
    assert list(tree.files) == ["a.md", "job.py"]
    assert tree.left_out == ("big.py", "b.md")


def test_the_walk_ends_after_a_number_of_folders(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "_MAX_FOLDERS", 1)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.py").write_text("1")
    (tmp_path / "b.py").write_text("1")
    assert list(capture_source(tmp_path).files) == ["b.py"]


paths = st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), min_size=1, max_size=3).map(
    lambda parts: "/".join([*parts[:-1], parts[-1] + ".py"])
)


@given(files=st.dictionaries(paths, st.binary(max_size=50), max_size=6))
def test_what_is_restored_is_what_was_captured(tmp_path_factory, files):
    folder = tmp_path_factory.mktemp("restored")
    restore_source(files, folder)
    assert capture_source(folder).files == dict(sorted(files.items()))


@pytest.mark.parametrize("name", ["../out.py", "/etc/out.py", "a/../../out.py"])
def test_a_path_that_leaves_the_folder_is_refused(tmp_path, name):
    with pytest.raises(DataError, match="outside the project"):
        restore_source({name: b""}, tmp_path / "inner")
    assert not (tmp_path / "out.py").exists()


def test_a_project_that_a_repository_around_it_ignores_is_captured_whole(tmp_path):
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text("/inner/\n")
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "job.py").write_text("value = 1\n")
    assert capture_source(inner).files == {"job.py": b"value = 1\n"}


def test_an_imported_file_is_captured_although_git_ignores_it(tmp_path, monkeypatch):
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text("made.py\n")
    (tmp_path / "main.py").write_text("import made\n")
    (tmp_path / "made.py").write_text("value = 1\n")
    assert set(capture_source(tmp_path).files) == {"main.py"}
    module = ModuleType("made_for_this_test")
    module.__file__ = str(tmp_path / "made.py")
    monkeypatch.setitem(sys.modules, "made_for_this_test", module)
    (tmp_path / "main.py").write_text("import made  # edited\n")
    assert set(capture_source(tmp_path).files) == {"main.py", "made.py"}
