"""Odd runs of other trackers: each is read as far as it goes, and what is not is said."""

import math

import pytest
from tests.importers.test_neptune import row, system, write

from penstock.importers import import_neptune, import_wandb, write_wandb_log

_START = {"seconds": 1_700_000_000, "nanos": 0}


def log(folder, run_id, *records, project="churn"):
    folder.mkdir(parents=True, exist_ok=True)
    run = {"run": {"run_id": run_id, "project": project, "start_time": _START}}
    write_wandb_log(folder / f"run-{run_id}.wandb", [run, *records])
    return folder


def history(step, **values):
    items = [{"nested_key": [key], "value_json": text} for key, text in values.items()]
    return {"history": {"step": {"num": step}, "item": items}}


def test_a_record_that_cannot_be_read_costs_itself(tmp_path, store):
    huge = "1" + "0" * 400
    log(
        tmp_path / "a",
        "a",
        history(0, loss="0.5"),
        history(1, loss=huge),
        history(2, loss="NaN", _step='"no step"'),
        history(3, loss="-Infinity", count=str(2**60 + 1)),
        {"artifact": {"name": "m", "type": "model", "metadata": "{not json"}},
        {"exit": {"exit_code": 0}},
    )
    done = import_wandb([tmp_path / "a"], store=store)
    [run] = done.runs
    points = store.metadata.metrics.history(run.run_id, "loss")
    assert points.steps.tolist() == [0, 3]
    assert points.values.tolist() == [0.5, -math.inf]
    assert [line.split(":")[0] for line in run.lost] == [
        "a record of the kind history, number 3",
        "a record of the kind history, number 4",
        "the last digits of count at step 3",
        "a record of the kind artifact, number 6",
    ]


def test_a_run_that_cannot_be_written_stops_no_other(tmp_path, store):
    log(tmp_path / "a", "a", history(0, **{"x" * 3000: "1"}))
    log(tmp_path / "b", "b", history(0, loss="1"))
    done = import_wandb([tmp_path], store=store)
    assert [run.source for run in done.runs] == ["churn/b"]
    assert list(done.failed) == ["churn/a"]


def test_files_that_are_links_are_listed(tmp_path, store):
    folder = log(tmp_path / "a", "a")
    (folder / "files").mkdir()
    (folder / "files" / "plain.txt").write_text("hi")
    (folder / "files" / "saved.txt").symlink_to("/etc/hostname")
    [run] = import_wandb([folder], store=store).runs
    assert "wandb/files/plain.txt" in store.metadata.artifacts.list(run.run_id)
    assert run.lost == ("file saved.txt: it is a link to /etc/hostname",)


def test_a_nested_setting_that_was_removed_takes_no_other_along(tmp_path, store):
    update = [
        {"nested_key": ["model", "depth"], "value_json": "3"},
        {"nested_key": ["model", "width"], "value_json": "5"},
    ]
    removed = {"config": {"remove": [{"nested_key": ["model", "depth"]}]}}
    log(tmp_path / "a", "a", {"config": {"update": update}}, removed)
    [run] = import_wandb([tmp_path / "a"], store=store).runs
    assert store.metadata.runs.get(run.run_id).params == {"model": {"width": 5}}


@pytest.fixture
def neptune(tmp_path):
    folder = tmp_path / "data" / "churn"
    folder.mkdir(parents=True)
    files = tmp_path / "files"
    files.mkdir()
    for name in ("one.txt", "two.txt"):
        (files / name).write_text(name)
    return folder


def test_attributes_of_neptune_that_are_not_read_are_listed(neptune, store):
    more = [
        row("source/git", "git_ref", string_value="abc"),
        row("empty", "float"),
        row("twice", "int", int_value=1),
        row("twice", "int", int_value=2),
        row("report", "file", file_value={"path": "one.txt"}),
        row("report.txt", "file", file_value={"path": "two.txt"}),
    ]
    write(neptune, "run_part_0.parquet", system(more=more))
    [run] = import_neptune([neptune], store=store).runs
    assert sorted(run.lost) == [
        "empty: it has no value",
        "file report.txt: another file is called report.txt too",
        "source/git: an attribute of the kind git_ref",
        "twice: it is there several times, and the last value is here",
    ]
    assert store.metadata.runs.get(run.run_id).params["twice"] == 2


def test_files_of_steps_that_differ_in_the_seventh_digit_are_two(neptune, store):
    more = [
        row("shots", "file_series", step="1234567", file_value={"path": "one.txt"}),
        row("shots", "file_series", step="1234568", file_value={"path": "two.txt"}),
    ]
    write(neptune, "run_part_0.parquet", system(more=more))
    [run] = import_neptune([neptune], store=store).runs
    names = [n for n in store.metadata.artifacts.list(run.run_id) if n.startswith("shots")]
    assert names == ["shots/step-1234567.txt", "shots/step-1234568.txt"]


def test_a_run_of_neptune_that_cannot_be_read_stops_no_other(neptune, store):
    broken = [row("sys/creation_time", "string", "RUN-2", string_value="yesterday")]
    write(neptune, "run_part_0.parquet", [*broken, *system()])
    done = import_neptune([neptune], store=store)
    assert [run.source for run in done.runs] == ["team/churn/RUN-1"]
    assert list(done.failed) == ["team/churn/RUN-2"]
