"""Artifacts become files below the folder that was named, and nowhere else."""

from pathlib import Path

import polars as pl
import pytest

from penstock.core import NotFoundError, ParameterError, StoreError
from penstock.stores import open_store
from penstock.tracking import start_run
from penstock.tracking._download import safe_path


@pytest.fixture
def run(tmp_path):
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots" / "roc.txt").write_text("curve")
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as store, start_run(store=store) as active:
        active.log_artifact(tmp_path / "plots")
        active.log_artifact(pl.DataFrame({"a": range(3000)}), name="rows")
        active.log_artifact({"threshold": 0.4}, name="settings")
        yield active


def test_all_artifacts_are_written_as_they_are_stored(run, tmp_path):
    files = run.download(tmp_path / "out")
    names = [path.relative_to(tmp_path / "out").as_posix() for path in files]
    assert names == ["plots/roc.txt", "rows.parquet", "settings.json"]
    assert files[0].read_text() == "curve"
    assert pl.read_parquet(files[1]).height == 3000
    assert run.download(tmp_path / "out", "settings") == [files[2]]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "plots",
        "rows.parquet",
        "settings.json",
    ]


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "a/../../x",
        "/etc/passwd",
        "..",
        ".",
        "",
        "a\\..\\x",
        "C:/x",
        "c:x",
        "a\0b",
        "./../x",
    ],
)
def test_a_name_that_leads_out_of_the_folder_is_refused_and_nothing_is_written(run, tmp_path, name):
    with pytest.raises(ParameterError, match="leads out of"):
        safe_path(Path("out"), name)
    if name.strip():
        run.log_artifact("evil", name=name)
        with pytest.raises(ParameterError, match="leads out of"):
            run.download(tmp_path / "out")
        assert not (tmp_path / "out").exists()


def test_damaged_bytes_leave_no_file(run, tmp_path):
    [digest] = run.store.artifacts.list()
    run.store.artifacts.path(digest).write_bytes(b"other")
    with pytest.raises(StoreError, match="damaged"):
        run.download(tmp_path / "out", "rows")
    assert list((tmp_path / "out").iterdir()) == []


def test_mistakes_are_explained(run, tmp_path):
    with pytest.raises(NotFoundError, match="Did you mean 'rows'"):
        run.download(tmp_path / "out", "row")
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be written"):
        run.download(tmp_path / "file")
