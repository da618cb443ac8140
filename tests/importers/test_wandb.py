"""Real runs of W&B arrive whole, torn logs to their last record, and never twice."""

import json
import struct
import subprocess
import tempfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core import DataError, NotFoundError, RunState
from penstock.hooks import Webhooks
from penstock.importers import import_wandb
from penstock.importers._wandb import read_run
from penstock.importers._wandb_log import read_records
from penstock.importers._wandb_schema import wandb_record
from penstock.tracking import Run


def log_of(folder):
    (found,) = folder.rglob("*.wandb")
    return found


def as_run(store, imported):
    return Run(store.metadata.runs.get(imported.run_id), store)


def test_a_real_run_arrives_whole(wandb_folder, store):
    done = import_wandb([wandb_folder], store=store)
    assert done.failed == {}
    (imported,) = done.runs
    run = as_run(store, imported)
    record = run.record
    assert (record.name, record.experiment, record.group, record.note, record.state) == (
        "baseline",
        "churn",
        "folds",
        "A note",
        RunState.FINISHED,
    )
    assert record.params == {
        "lr": 0.1,
        "layers": [1, 2],
        "nested": {"a": 1, "b": "x"},
        "none": None,
        "late": 5,
    }
    assert {"first": "true", "risk": "true", "wandb.job_type": "train"}.items() <= (
        record.tags.items()
    )
    assert record.tags["wandb.step_metric.custom"] == "epoch"
    loss = run.metric_history("loss")
    assert loss["step"].to_list() == list(range(20_000))
    assert np.array_equal(loss["value"].to_numpy(), 1 / np.arange(1, 20_001))
    assert loss["time"].is_sorted()
    assert record.created_at <= loss["time"][0] <= record.ended_at
    assert run.metric_history("val/auc").height == 20_000
    assert run.metrics["high"] == float("inf")
    assert np.isnan(run.metrics["odd"])
    assert record.metrics["odd"].last_step == 30_000
    assert (run.metrics["won"], run.metrics["deep.er"], run.metrics["best"]) == (1.0, 2.5, 0.9)
    kept = {row["_step"]: row for row in run.artifact("wandb/history.json")}
    assert kept[30_000]["text"] == "hello"
    assert kept[30_000]["counts"]["_type"] == "histogram"
    assert run.artifact("wandb/artifacts/data.json")["metadata"] == {"rows": 3}
    assert "a printed line" in download(run, "wandb/files/output.log")
    assert download(run, "artifacts/data/model.txt") == "weights"
    assert imported.lost == ()


def download(run, name):
    with tempfile.TemporaryDirectory() as folder:
        (path,) = run.download(name, to=folder)
        return path.read_text()


def test_a_second_import_changes_nothing_and_tells_nobody(wandb_folder, store):
    (first,) = import_wandb([wandb_folder], store=store).runs
    hook = Webhooks(store=store).add("https://example.org/hook", events=["*"])
    (again,) = import_wandb([log_of(wandb_folder)], store=store).runs
    assert (first.new, again.new) == (True, False)
    assert again.run_id == first.run_id
    assert len(store.metadata.runs.search()) == 1
    assert store.metadata.runs.get(first.run_id).metrics["loss"].count == 20_000
    assert store.metadata.hooks.list_events(hook.name) == []


def test_a_run_that_goes_on_is_completed(wandb_folder, store, tmp_path):
    """A log cut anywhere is read to its last whole record; the rest arrives with the next import."""
    whole = log_of(wandb_folder).read_bytes()
    part = tmp_path / "run-x.wandb"
    part.write_bytes(whole[: len(whole) // 2 + 11])
    (half,) = import_wandb([part], store=store).runs
    record = store.metadata.runs.get(half.run_id)
    assert record.state is RunState.KILLED
    assert 5_000 < record.metrics["loss"].count < 15_000
    assert any("ends in a record" in line or "not complete" in line for line in half.lost)
    part.write_bytes(whole)
    (complete,) = import_wandb([part], store=store).runs
    assert complete.run_id == half.run_id
    record = store.metadata.runs.get(half.run_id)
    assert record.metrics["loss"].count == 20_000
    assert record.state is RunState.FINISHED


def test_a_damaged_block_costs_that_block_only(wandb_folder, tmp_path):
    data = bytearray(log_of(wandb_folder).read_bytes())
    data[5 * 32_768 + 100] ^= 0xFF
    path = tmp_path / "run-x.wandb"
    path.write_bytes(data)
    run = read_run(path)
    assert run.state is RunState.FINISHED
    assert 19_000 < len(run.metrics["loss"].steps) < 20_000
    assert any("damaged" in sentence for sentence in run.lost)


def test_the_records_are_those_that_wandb_reads(wandb_folder, wandb_python):
    """W&B's own viewer is the oracle of which records there are."""
    command = [wandb_python, "-m", "wandb", "leet", "inspect", "--json", str(log_of(wandb_folder))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    theirs = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    lost: list[str] = []
    ours = list(read_records(log_of(wandb_folder), lost))
    assert lost == []
    assert len(ours) == len(theirs), done.stderr[-500:]
    assert sum(record.HasField("history") for record in ours) == 20_002


def test_no_file_of_this_machine_is_taken_that_wandb_did_not_stage(tmp_path, store):
    secret = tmp_path / "secret.txt"
    secret.write_text("hush")
    (tmp_path / "wandb").mkdir()
    record = wandb_record()
    run, artifact = record(), record()
    run.run.run_id, run.run.project = "r1", "p"
    artifact.artifact.name, artifact.artifact.type = "a", "dataset"
    artifact.artifact.manifest.contents.add(path="../../x", digest="d", local_path=str(secret))
    log = tmp_path / "wandb" / "run-r1.wandb"
    log.write_bytes(packed([run.SerializeToString(), artifact.SerializeToString()]))
    files = tmp_path / "wandb" / "files"
    files.mkdir()
    (files / "link.txt").symlink_to(secret)
    (imported,) = import_wandb([log], store=store).runs
    assert list(as_run(store, imported).artifacts()) == [
        "wandb/artifacts/a.json",
        "wandb/lost.json",
    ]
    assert any("bytes are in W&B's own storage" in sentence for sentence in imported.lost)


@pytest.mark.parametrize(
    ("data", "told"), [(b"", "is empty"), (b"PK\x03\x04...", "is no log"), (None, "names no run")]
)
def test_what_is_no_run_is_named_and_the_others_arrive(tmp_path, store, data, told):
    good = wandb_record()()
    good.run.run_id = "r1"
    (tmp_path / "run-a.wandb").write_bytes(packed([good.SerializeToString()]))
    bad = tmp_path / "run-b.wandb"
    bad.write_bytes(packed([]) if data is None else data)
    done = import_wandb([tmp_path], store=store)
    assert [run.source for run in done.runs] == ["r1"]
    assert told in done.failed[str(bad)]


def test_a_path_that_is_not_there_is_refused(store):
    with pytest.raises(NotFoundError, match="no file or folder"):
        import_wandb(["nowhere"], store=store)


def packed(records):
    """Write records as LevelDB does; the form's reference for small logs."""
    out = bytearray(b":W&B\xe1\xbe\x00")
    for record in records:
        data, first = record, True
        while first or data:
            left = 32_768 - len(out) % 32_768
            if left < 7:
                out += bytes(left)
                continue
            part, data = data[: left - 7], data[left - 7 :]
            kind = (1 if not data else 2) if first else (4 if not data else 3)
            out += struct.pack("<IHB", zlib.crc32(bytes([kind]) + part), len(part), kind) + part
            first = False
    return bytes(out)


@given(st.lists(st.integers(0, 120_000), max_size=6))
def test_records_of_any_length_are_read(sizes):
    records = []
    for number, size in enumerate(sizes):
        record = wandb_record()(num=number)
        record.run.notes = "x" * size
        records.append(record.SerializeToString())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run-x.wandb"
        path.write_bytes(packed(records))
        lost: list[str] = []
        found = [(each.num, len(each.run.notes)) for each in read_records(path, lost)]
    assert found == list(enumerate(sizes))
    assert lost == []


@pytest.mark.parametrize("left", [0, 1, 6, 7, 8])
def test_a_record_may_begin_at_the_very_end_of_a_block(tmp_path, left):
    """With seven bytes left its first part is empty, with fewer the block is filled up."""
    first, second = wandb_record()(num=1), wandb_record()(num=2)
    room = 32_768 - 7 - 7 - left
    first.run.notes = "x" * (room - 30)
    first.run.notes += "x" * (room - len(first.SerializeToString()))
    assert len(first.SerializeToString()) == room
    path = tmp_path / "run-x.wandb"
    path.write_bytes(packed([first.SerializeToString(), second.SerializeToString()]))
    lost: list[str] = []
    assert [each.num for each in read_records(path, lost)] == [1, 2]
    assert lost == []


@given(st.binary(max_size=400))
def test_no_bytes_make_it_fail_otherwise_than_with_a_sentence(data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run-x.wandb"
        path.write_bytes(b":W&B\xe1\xbe\x00" + data)
        with pytest.raises(DataError):
            read_run(path)
