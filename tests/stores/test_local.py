"""The local folder passes the contract, writes atomically and explains what it cannot do."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from penstock.core import StoreError
from penstock.stores import ArtifactStore, LocalArtifacts
from penstock.testing import ArtifactStoreContract


class TestLocalContract(ArtifactStoreContract):
    @pytest.fixture
    def artifacts(self, tmp_path) -> ArtifactStore:
        return LocalArtifacts(tmp_path / "artifacts")


def test_files_fan_out_over_folders(tmp_path):
    artifacts = LocalArtifacts(tmp_path)
    digest = artifacts.write(b"rows").removeprefix("sha256:")
    assert (tmp_path / digest[:2] / digest[2:]).read_bytes() == b"rows"
    assert artifacts.url == str(tmp_path)


def test_a_write_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    artifacts = LocalArtifacts(tmp_path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"cannot be written \(No space left on device\)"):
        artifacts.write(b"rows")
    monkeypatch.undo()
    assert artifacts.list() == []
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_folder_that_cannot_be_made_is_explained(tmp_path):
    (tmp_path / "file").touch()
    artifacts = LocalArtifacts(tmp_path / "file" / "artifacts")
    with pytest.raises(StoreError, match="set PENSTOCK_ARTIFACTS"):
        artifacts.write(b"rows")
    with pytest.raises(StoreError, match="cannot be"):
        artifacts.write_file(tmp_path / "file")
    with pytest.raises(StoreError, match="cannot be read"):
        artifacts.read("sha256:" + "0" * 64)


def test_files_of_others_in_the_folder_are_not_listed(tmp_path):
    artifacts = LocalArtifacts(tmp_path)
    digest = artifacts.write(b"rows")
    (tmp_path / "aa").mkdir(exist_ok=True)
    (tmp_path / "aa" / "notes.txt").write_text("mine")
    (tmp_path / "README").write_text("mine")
    assert artifacts.list() == [digest]


def test_what_a_killed_writer_left_is_removed_a_day_later(tmp_path):
    code = f"""
import os
from pathlib import Path
from penstock.stores.artifacts import _local
from penstock.stores import LocalArtifacts
real = _local._digesting
def dying(*given):
    for count, part in enumerate(real(*given)):
        if count == 20:
            os.kill(os.getpid(), 9)
        yield part
_local._digesting = dying
LocalArtifacts(Path({str(tmp_path / "artifacts")!r})).write_file(Path({str(tmp_path / "big")!r}))
"""
    (tmp_path / "big").write_bytes(bytes(32 << 20))
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    [left] = (tmp_path / "artifacts" / "incoming").iterdir()
    assert LocalArtifacts(tmp_path / "artifacts").list() == []
    LocalArtifacts(tmp_path / "artifacts").write(b"others")
    assert left.exists()
    os.utime(left, (0, time.time() - 25 * 3600))
    LocalArtifacts(tmp_path / "artifacts").write(b"more")
    assert not left.exists()


def test_of_many_files_none_has_a_name_if_one_cannot_be_written(tmp_path):
    artifacts = LocalArtifacts(tmp_path / "artifacts")
    for name in "ab":
        (tmp_path / name).write_bytes(name.encode() * 3000)
    with pytest.raises(StoreError, match="cannot be read"):
        artifacts.write_files([tmp_path / "a", tmp_path / "b", tmp_path / "gone"])
    assert artifacts.list() == []
    assert list((tmp_path / "artifacts" / "incoming").iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, which Linux has")
def test_a_disk_that_is_full_when_the_file_is_closed_is_told_as_one(tmp_path, monkeypatch):
    store = LocalArtifacts(tmp_path)
    monkeypatch.setattr(Path, "open", lambda *_: open("/dev/full", "wb"))  # noqa: PTH123, SIM115
    with pytest.raises(StoreError, match=r"cannot be written \(No space left on device\)"):
        store.write(b"x" * 2000)
