"""A backup is whole though others write, and is a store."""

import threading
from datetime import timedelta

import pytest
from tests.stores.upkeep.upkeep_parts import shape

from penstock.core import ParameterError, StoreError
from penstock.stores import backup_store, check_store, collect_garbage, copy_store, open_store
from penstock.tracking import start_run


def test_a_backup_says_what_the_store_says(full, tmp_path):
    assert backup_store(tmp_path / "backup", store=full) == []
    url = f"sqlite:///{tmp_path}/backup/penstock.db"
    with open_store(url, artifacts=str(tmp_path / "backup" / "artifacts")) as backup:
        assert shape(backup) == shape(full)
        with open_store(f"sqlite:///{tmp_path}/restored/penstock.db") as restored:
            copy_store(backup, restored)
            assert shape(restored) == shape(full)


def test_a_backup_taken_while_others_write_is_whole(full, tmp_path):
    stop = threading.Event()

    def write() -> None:
        place = 0
        while not stop.is_set():
            with start_run(f"w{place}", store=full, nested=True) as run:
                run.log_metric("loss", place)
                run.log_text("text", str(place) * 3000)
            place += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(3):
            assert backup_store(tmp_path / f"backup{number}", store=full) == []
    finally:
        stop.set()
        writer.join()
    assert check_store(store=full) == []


@pytest.mark.services
def test_a_store_on_a_server_is_backed_up_into_a_folder(full, postgres_url, tmp_path):
    with open_store(postgres_url, artifacts=str(tmp_path / "shared")) as team:
        copy_store(full, team)
        assert backup_store(tmp_path / "backup", store=team) == []
    url = f"sqlite:///{tmp_path}/backup/penstock.db"
    with open_store(url, artifacts=str(tmp_path / "backup" / "artifacts")) as backup:
        assert shape(backup) == shape(full)


def test_a_folder_that_holds_something_is_left_alone(full, tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").touch()
    with pytest.raises(ParameterError, match="is not empty"):
        backup_store(tmp_path / "notes", store=full)
    assert [path.name for path in (tmp_path / "notes").iterdir()] == ["a.txt"]


def test_a_place_that_cannot_be_written_is_explained(full, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be written"):
        backup_store(tmp_path / "file" / "backup", store=full)


def test_a_backup_is_a_store_of_its_own_and_named_when_it_is_whole(full, tmp_path, monkeypatch):
    backup_store(tmp_path / "whole", store=full)
    assert {path.name for path in (tmp_path / "whole").iterdir()} >= {"artifacts", "penstock.db"}
    url = f"sqlite:///{tmp_path}/whole/penstock.db"
    # Opened on the bytes of its source by mistake: it must not clean up there.
    with open_store(url, artifacts=full.artifacts.url) as backup:
        assert collect_garbage(delete=True, grace=timedelta(0), store=backup).shared_with == (
            full.url,
        )
    full.artifacts.path(full.artifacts.list()[0]).write_bytes(b"other")
    with pytest.raises(StoreError, match="damaged"):
        backup_store(tmp_path / "broken", store=full)
    assert not (tmp_path / "broken" / "penstock.db").exists()
