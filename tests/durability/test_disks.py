"""Real disks that are full or read-only, mounted for the test: a sentence, and nothing half-written."""

import logging
import os
import shutil
import subprocess
import sys
from typing import Any

import pytest

from penstock.core import StoreError
from penstock.stores import check_store, open_store
from penstock.tracking import get_run, search_runs, start_run

pytestmark = pytest.mark.services
QUIET: dict[str, Any] = {"console": False, "system_metrics": False}


@pytest.fixture
def disk(tmp_path):
    """A disk of 24 MiB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)],
        capture_output=True, check=False,
    ) if os.geteuid() == 0 and shutil.which("mount") else None  # fmt: skip
    if mounted is None or mounted.returncode:
        pytest.skip("needs to mount a disk; run the tests as root, where mounting is allowed")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place):
    """Take all of its room but a few pages."""
    free = shutil.disk_usage(place).free
    (place / "filler").write_bytes(b"\0" * (free - 16_384))


def url_of(place):
    return f"sqlite:///{place}/penstock.db"


def test_a_full_disk_does_not_stop_a_training_and_room_brings_it_back(disk, caplog):
    caplog.set_level(logging.WARNING, "penstock")
    with open_store(url_of(disk)) as store:
        with start_run("long", store=store, **QUIET) as run:
            run.log_metric("loss", 0.0, 0)
            store.flush()
            fill(disk)
            for step in range(1, 10_000):  # more than one page of the journal
                run.log_metric("loss", float(step), step)
            run.log_params({f"p{number}": "x" * 5000 for number in range(20)})
            run.log_text("large", "x" * 500_000)
            (disk / "filler").unlink()
            run.log_metric("after", 1.0)
        points = store.metadata.metrics.history(run.run_id, "loss").values.tolist()
        assert points == [float(step) for step in range(len(points))]  # what was taken, is there
        assert get_run(run.run_id, store=store).metrics["after"] == 1.0
        assert "large" not in store.metadata.artifacts.list(run.run_id)
        assert [finding for finding in check_store(store=store) if not finding.harmless] == []
    told = [record.getMessage() for record in caplog.records]
    assert any("space" in text for text in told)
    assert len(told) < 12  # each kind of trouble once, not for each call


def test_a_strict_run_stops_at_a_full_disk_and_leaves_nothing_half_written(disk):
    with open_store(url_of(disk)) as store:
        run = start_run("strict", store=store, strict=True, **QUIET)
        fill(disk)
        with pytest.raises(
            StoreError, match=r"No space left.*Check its permissions and free space"
        ):
            run.log_text("large", "x" * 500_000)
        (disk / "filler").unlink()
        run.finish("failed")
        assert store.metadata.artifacts.list(run.run_id) == {}
        assert [finding for finding in check_store(store=store) if not finding.harmless] == []
        left = [path for path in (disk / "artifacts").rglob("*") if path.is_file()]
        assert [path for path in left if path.stat().st_size > 100_000] == []


@pytest.fixture
def read_only(disk):
    with open_store(url_of(disk)) as store, start_run("kept", store=store, **QUIET) as run:
        run.log_metric("loss", 0.5)
        run.log_text("text", "x" * 5000)
    store.close()
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    return disk


def test_a_store_on_a_read_only_disk_can_be_read_and_checked(read_only, monkeypatch):
    monkeypatch.setenv("PENSTOCK_ARTIFACTS", str(read_only / "artifacts"))
    with open_store(url_of(read_only)) as store:
        [run] = search_runs(store=store)
        assert run.metrics == {"loss": 0.5}
        assert run.artifact("text") == "x" * 5000
        assert check_store(store=store) == []
        with pytest.raises(StoreError, match="write permission") as refused:
            store.metadata.runs.set_tags(run.run_id, {"a": "1"})
        assert str(read_only) in refused.value.what
    told = subprocess.run(
        [sys.executable, "-m", "penstock.cli", "--store", url_of(read_only), "runs"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (told.returncode, "kept" in told.stdout) == (0, True), told.stderr


def test_a_run_on_a_read_only_disk_is_refused_with_what_to_do(read_only):
    with pytest.raises(StoreError, match="set PENSTOCK_STORE to another location"):
        start_run(store=url_of(read_only))
    with pytest.raises(StoreError, match="write permission"):
        open_store(f"sqlite:///{read_only}/new/penstock.db")
    assert not (read_only / "new").exists()
