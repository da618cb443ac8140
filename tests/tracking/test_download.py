"""Artifacts of a run given out again: as files in a folder and nowhere else, and as addresses."""

import os
import signal
import subprocess
import sys
import tracemalloc
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import httpx
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core import (
    ArtifactRecord,
    NotFoundError,
    ParameterError,
    StoreError,
    digest_bytes,
    now,
)
from penstock.stores import open_store
from penstock.tracking import file_name, search_runs, start_run
from penstock.tracking._download import places_of


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/store/penstock.db") as opened:
        yield opened


@pytest.fixture
def run(store, tmp_path):
    (tmp_path / "plots" / "deep").mkdir(parents=True)
    (tmp_path / "plots" / "a.png").write_bytes(b"png" * 5000)
    (tmp_path / "plots" / "deep" / "b.txt").write_text("small")
    (tmp_path / "plots" / "empty").touch()
    table = pl.DataFrame({"a": range(2000)})
    with start_run(store=store) as run:
        run.log_artifact(tmp_path / "plots")
        run.log_artifact(table, name="rows")
        run.log_artifact(np.arange(500), name="numbers.npy")
        run.log_artifact({"threshold": 0.4}, name="settings")
        run.log_artifact({"train": table, "note": "x"}, name="both")
    return run


def files_below(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


def test_all_artifacts_become_files_that_other_programs_know(run, tmp_path):
    files = run.download(to=tmp_path / "out")
    assert files_below(tmp_path / "out") == [
        "both/note.json",
        "both/train.parquet",
        "numbers.npy",
        "plots/a.png",
        "plots/deep/b.txt",
        "plots/empty",
        "rows.parquet",
        "settings.json",
    ]
    assert sorted(files) == sorted(path for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert pl.read_parquet(tmp_path / "out" / "both" / "train.parquet").height == 2000
    assert np.load(tmp_path / "out" / "numbers.npy")[-1] == 499
    assert (tmp_path / "out" / "plots" / "a.png").read_bytes() == b"png" * 5000
    assert (tmp_path / "out" / "plots" / "empty").read_bytes() == b""


def test_a_logged_text_becomes_a_file_of_that_text(store, tmp_path):
    with start_run(store=store) as run:
        run.log_text("notes.log.txt", 'as "written"\nžluť')
        run.log_text("summary", "# Good", markup="markdown")
        run.log_text("long", "x" * 5000)
    run.download(to=tmp_path / "out")
    assert files_below(tmp_path / "out") == ["long.txt", "notes.log.txt", "summary.md"]
    text = (tmp_path / "out/notes.log.txt").read_text(encoding="utf-8")
    assert text == 'as "written"\nžluť'
    assert (tmp_path / "out/long.txt").stat().st_size == 5000


def test_one_artifact_or_a_folder_of_them_is_downloaded(run, tmp_path):
    assert run.download("rows", to=tmp_path / "one") == [tmp_path / "one" / "rows.parquet"]
    run.download("plots/deep", to=str(tmp_path / "deep"))
    assert files_below(tmp_path / "deep") == ["plots/deep/b.txt"]
    with pytest.raises(NotFoundError, match="Did you mean 'rows'"):
        run.download("row", to=tmp_path / "none")
    with pytest.raises(NotFoundError):
        run.download("plot", to=tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_downloading_again_replaces_the_files(run, tmp_path):
    run.download(to=tmp_path / "out")
    (tmp_path / "out" / "plots" / "a.png").write_bytes(b"old")
    run.download(to=tmp_path / "out")
    assert (tmp_path / "out" / "plots" / "a.png").read_bytes() == b"png" * 5000


def test_an_ending_never_makes_two_artifacts_one_file(store, tmp_path):
    with start_run(store=store) as run:
        run.log_artifact(pl.DataFrame({"a": range(500)}), name="rows")
        run.log_artifact(b"mine", name="rows.parquet")
    run.download(to=tmp_path / "out")
    assert (tmp_path / "out" / "rows.parquet").read_bytes() == b"mine"
    assert pl.read_parquet(tmp_path / "out" / "rows").height == 500


@pytest.mark.parametrize(
    "name",
    [
        "../out.txt", "/etc/passwd", "a/../../b", "..", ".", "a//b", "a/", "/", "..\\b", "a\\..\\..\\b", "C:\\b", "C:b",
        "\\\\host\\share", "a/./b", "\x00", "a\nb", "x" * 300, "a:b", "…/../…/..", "nul\u202etxt",
    ],
)  # fmt: skip
def test_an_odd_name_becomes_a_file_in_the_folder_and_hinders_no_other(
    store, tmp_path, name, caplog
):
    with start_run(store=store) as run:
        run.log_artifact(b"good", name="a good one")
        run.log_artifact(b"odd", name=name.replace("\x00", "\x01"))
    files = run.download(to=tmp_path / "out")
    assert sorted(path.read_bytes() for path in files) == [b"good", b"odd"]
    assert all(path.resolve().is_relative_to(tmp_path / "out") for path in files)
    assert "were changed" in caplog.text
    outside = [path for path in files_below(tmp_path) if "store/" not in path]
    assert all(path.startswith("out/") for path in outside)


def test_a_file_and_a_folder_of_one_name_are_both_written(store, tmp_path):
    with start_run(store=store) as run:
        run.log_artifact(b"1", name="plots")
        run.log_artifact(b"2", name="plots/roc.txt")
    run.download(to=tmp_path / "out")
    assert files_below(tmp_path / "out") == ["plots/roc.txt", "plots~"]


def test_one_that_cannot_be_written_is_named_and_the_others_are_there(run, tmp_path, store):
    store.artifacts.path(run.artifact_record("plots/a.png").digest).write_bytes(b"other")
    with pytest.raises(StoreError, match=r"1 of 8 artifacts could not be written: 'plots/a.png'"):
        run.download(to=tmp_path / "out")
    assert len(files_below(tmp_path / "out")) == 7


def test_a_part_of_a_value_cannot_lead_elsewhere_either(store, tmp_path):
    with start_run(store=store) as run:
        run.log_artifact({"../../x": pl.DataFrame({"a": [1]})}, name="both")
    run.download(to=tmp_path / "out")
    assert files_below(tmp_path / "out") == ["both/%2E%2E/%2E%2E/x.parquet"]


def test_a_link_in_the_folder_does_not_lead_out_of_it(run, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "plots").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="would be written outside"):
        run.download(to=tmp_path / "out")
    assert files_below(tmp_path / "elsewhere") == []
    (tmp_path / "kept").write_text("kept")
    (tmp_path / "out" / "settings.json").unlink()
    (tmp_path / "out" / "settings.json").symlink_to(tmp_path / "kept")
    run.download("settings", to=tmp_path / "out")
    assert (tmp_path / "kept").read_text() == "kept"


@given(st.lists(st.text(st.sampled_from("ab./\\: \x00\n…%~"), max_size=12), unique=True))
def test_every_name_has_a_place_of_its_own_in_the_folder(names):
    folder = Path("/srv/out")
    places = places_of({name: name for name in names})
    targets = [folder / place for place in places.values()]
    assert len(set(targets)) == len(names)
    for target in targets:
        assert target.resolve().is_relative_to(folder)
        assert target.resolve() != folder
        assert os.path.normpath(target) == str(target)
        assert not set(target.parents) & set(targets)


def test_damaged_bytes_become_no_file(run, tmp_path, store):
    store.artifacts.path(run.artifact_record("plots/a.png").digest).write_bytes(b"other")
    with pytest.raises(StoreError, match="damaged"):
        run.download("plots/a.png", to=tmp_path / "out")
    assert files_below(tmp_path / "out") == []
    with pytest.raises(StoreError, match="damaged"):
        b"".join(store.stream(run.artifact_record("plots/a.png")))


def test_a_folder_that_cannot_be_written_is_told(run, tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(StoreError, match="choose another folder"):
        run.download("rows", to=tmp_path / "out")


def test_a_large_artifact_is_never_in_memory(store, tmp_path):
    with (tmp_path / "big").open("wb") as file:
        for number in range(64):
            file.write(bytes([number]) * (1 << 20))
    tracemalloc.start()
    try:
        with start_run(store=store) as run:
            run.log_artifact(tmp_path / "big")
        run.download(to=tmp_path / "out")
        assert sum(map(len, store.stream(run.artifact_record("big")))) == 64 << 20
        assert tracemalloc.get_traced_memory()[1] < 24 << 20
    finally:
        tracemalloc.stop()


def test_an_address_of_a_file_is_one_of_this_machine_and_of_a_small_value_there_is_none(run):
    assert run.artifact_url("plots/a.png").startswith("file:///")
    assert run.artifact_url("settings") is None
    with pytest.raises(NotFoundError):
        run.artifact_url("setting")


def test_a_format_gives_its_ending_once():
    def record(form):
        return ArtifactRecord(digest_bytes(b""), digest_bytes(b""), form, "x", 0, now())

    assert file_name("rows", record("parquet")) == "rows.parquet"
    assert file_name("rows.parquet", record("parquet")) == "rows.parquet"
    assert file_name("v1.2", record("cloudpickle")) == "v1.2.pkl"
    assert file_name("a.png", record("bytes")) == "a.png"


def test_a_folder_is_logged_whole_or_not_at_all(store, tmp_path):
    (tmp_path / "many").mkdir()
    for number in range(50):
        (tmp_path / "many" / str(number)).write_bytes(str(number).encode() * 2000)
    os.mkfifo(tmp_path / "many" / "pipe")
    (tmp_path / "many" / "broken").symlink_to(tmp_path / "nothing")
    with start_run(store=store, strict=True) as run:
        write = store.metadata.artifacts.log_many
        store.metadata.artifacts.log_many = lambda *_, **__: (_ for _ in ()).throw(
            StoreError("full")
        )
        with pytest.raises(StoreError, match="full"):
            run.log_artifact(tmp_path / "many")
        assert run.artifacts() == {}
        store.metadata.artifacts.log_many = write
        run.log_artifact(tmp_path / "many")
    assert len(run.artifacts()) == 50
    assert all(name.startswith("many/") for name in run.artifacts())


def test_a_process_killed_while_it_logs_a_folder_registers_nothing(tmp_path):
    (tmp_path / "many").mkdir()
    for number in range(4000):
        (tmp_path / "many" / str(number)).write_bytes(str(number).encode() * 300)
    url = f"sqlite:///{tmp_path}/penstock.db"
    code = f"""
import penstock as ps
with ps.start_run(store={url!r}) as run:
    print("go", flush=True)
    run.log_artifact({str(tmp_path / "many")!r})
    print("done", flush=True)
"""
    ended = 0
    for wait in (0.05, 0.3, 0.8):
        worker = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert worker.stdout.readline() == "go\n"
        with suppress(subprocess.TimeoutExpired):  # a fast machine is done by the last
            worker.wait(wait)
        worker.send_signal(signal.SIGKILL)
        ended += "done" in worker.communicate()[0]
    with open_store(url) as store:
        found = [len(run.artifacts()) for run in search_runs(store=store)]
        assert len(found) == 3
        assert set(found) <= {0, 4000}
        assert found.count(4000) >= ended
        for run in search_runs(store=store):
            for record in run.artifacts().values():
                if record.inline is None:
                    store.artifacts.verify(record.digest)


@pytest.mark.services
def test_artifacts_in_a_bucket_are_downloaded_and_linked(bucket, tmp_path):
    (tmp_path / "big.bin").write_bytes(os.urandom(9 << 20))
    with open_store(f"sqlite:///{tmp_path}/p.db", artifacts=f"s3://{bucket}/team") as store:
        with start_run(store=store) as run:
            run.log_artifact(tmp_path / "big.bin")
            run.log_artifact(pl.DataFrame({"a": range(5000)}), name="rows")
        run.download(to=tmp_path / "out")
        assert (tmp_path / "out" / "big.bin").read_bytes() == (tmp_path / "big.bin").read_bytes()
        url = run.artifact_url("rows", expires=timedelta(minutes=5))
        assert httpx.get(url).content == (tmp_path / "out" / "rows.parquet").read_bytes()
        assert (
            b"".join(store.stream(run.artifact_record("big.bin")))
            == (tmp_path / "big.bin").read_bytes()
        )
        with pytest.raises(ParameterError, match="seven days"):
            run.artifact_url("rows", expires=timedelta(days=30))


def test_a_file_keeps_its_ending_and_a_picture_gets_one(store, tmp_path):
    (tmp_path / "weights.onnx").write_bytes(b"o" * 50)
    picture = b"\x89PNG\r\n\x1a\n" + b"0" * 60
    (tmp_path / "roc.jpeg").write_bytes(b"\xff\xd8\xff" + b"0" * 60)
    with start_run(store=store) as run:
        run.log_artifact(tmp_path / "weights.onnx", name="model")
        run.log_artifact(tmp_path / "weights.onnx", name="v1.2")
        run.log_artifact(tmp_path / "roc.jpeg", name="curve.jpg")
        (tmp_path / "plain").write_bytes(picture)
        run.log_artifact(tmp_path / "plain", name="roc")
    files = {path.name for path in run.download(to=tmp_path / "out")}
    assert files == {"model.onnx", "v1.2.onnx", "curve.jpg", "roc.png"}
