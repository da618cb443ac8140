"""Room for uploads: their own size, and what is left on each disk that they pass."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from penstock.http import HttpError, UploadRoom

MEBI = 1 << 20


def refused(room, size, written=0):
    with pytest.raises(HttpError) as found:
        room.require(size, written=written)
    return found.value.status, str(found.value)


def test_an_upload_may_be_as_long_as_the_limit_and_no_longer():
    room = UploadRoom(most=100)
    room.require(100)
    status, text = refused(room, 101)
    assert (status, "--max-artifact-size" in text) == (413, True)
    UploadRoom(most=0).require(101)


def test_a_disk_keeps_its_reserve_and_holds_both_copies(tmp_path, monkeypatch):
    """The temporary file and the stored one are on one disk here: it needs room for both."""
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(
        shutil, "disk_usage", lambda _: SimpleNamespace(total=1 << 50, free=30 * MEBI)
    )
    room = UploadRoom(tmp_path / "artifacts" / "later", reserve=10 * MEBI)
    room.require(10 * MEBI)
    status, text = refused(room, 10 * MEBI + 1)
    assert status == 507
    assert "penstock store gc" in text
    room.require(20 * MEBI, written=20 * MEBI)  # its temporary file is among what is used
    assert refused(room, 20 * MEBI + 1, written=20 * MEBI + 1)[0] == 507


def test_an_upload_that_no_disk_here_could_hold_is_too_long_and_not_a_matter_of_room(monkeypatch):
    disk = SimpleNamespace(total=100 * MEBI, free=100 * MEBI)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: disk)
    status, text = refused(UploadRoom(reserve=10 * MEBI), 90 * MEBI + 1)
    assert (status, "larger than the server's disk" in text) == (413, True)


def test_a_store_elsewhere_needs_the_temporary_file_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(
        shutil, "disk_usage", lambda _: SimpleNamespace(total=1 << 50, free=100 * MEBI)
    )
    room = UploadRoom.of_store("s3://bucket/models", 0)
    room.require(36 * MEBI)
    assert refused(room, 36 * MEBI + 1)[0] == 507


def test_a_disk_that_is_full_all_the_same_is_a_sentence():
    room = UploadRoom()
    full = Path("/dev/full")  # a device of Linux
    with (
        pytest.raises(HttpError, match="full") as found,
        room.writing(),
        full.open("wb", buffering=0) as file,
    ):
        file.write(b"x")
    assert found.value.status == 507
    with pytest.raises(PermissionError), room.writing():
        raise PermissionError(13, "no")
