"""`penstock schedule`, `scheduler`, `partitions` and `backfill` as a user calls them."""

import json
import signal

from click.testing import CliRunner

from penstock.cli._schedule import scheduler

JOB = """
from datetime import date

import penstock as ps


@ps.step
def told(cutoff: date) -> str:
    return str(cutoff)


@ps.pipeline
def job(cutoff: date):
    return told(cutoff)


@ps.step
def region_of(region: str) -> int:
    return 1 // (region != "bad")


@ps.pipeline(partitions=ps.Partitions.by(region=["eu", "bad", "us"]))
def regions(region: str):
    return region_of(region)


nightly = ps.Schedule(pipeline=job, cron="0 3 * * *", timezone="Europe/Zurich")
"""


def test_the_life_of_a_schedule(shell):
    (shell.folder / "job.py").write_text(JOB)
    added = shell("schedule", "add", "job.py")
    assert "nightly: cron 0 3 * * * (Europe/Zurich)" in added.out
    assert "No scheduler is running" in added.err
    assert "nightly" in shell("schedule", "list").out
    assert "is triggered" in shell("schedule", "trigger", "nightly").out
    ran = shell("scheduler", "--once").out
    assert "nightly: run" in ran
    assert "finished" in ran
    shown = shell("schedule", "show", "nightly", "--json").json
    assert [tick["state"] for tick in shown["ticks"]] == ["finished"]
    assert "paused" in (shell("schedule", "pause", "nightly").out + shell("schedule", "list").out)
    assert "is active" in shell("schedule", "resume", "nightly").out
    shell("schedule", "remove", "nightly")
    assert shell("schedule", "list", "--json").json == []
    assert "No schedules." in shell("schedule", "list").out
    assert "triggered it" not in shell("runs").out


def test_a_schedule_of_the_command_line(shell):
    (shell.folder / "job.py").write_text(JOB)
    words = (
        "--name",
        "six",
        "--every",
        "6h",
        "--catch-up",
        "all",
        "--max-active-runs",
        "2",
        "--json",
    )
    (record,) = shell("schedule", "add", "job.py:job", *words).json
    assert record["trigger"]["every"] == "6h"
    assert record["options"]["missed"] == "all"
    refused = shell("schedule", "add", "job.py:job", "--every", "6 horus", code=2)
    assert "'6 horus' is no duration" in refused.err
    refused = shell("schedule", "add", "job.py:job", "--cron", "0 3 * * *", "--every", "1h", code=2)
    assert "by cron and by every" in refused.err
    for words, told in (  # type: ignore[assignment]
        (("--new-data", "rows.csv"), "rows.csv yet"),
        (("--new-version", "fraud@staging"), "There is no model 'fraud' yet"),
        (("--alert", "fraud/performance"), "There is no deployment 'fraud' yet"),
    ):
        assert told in shell("schedule", "add", "job.py:job", "--name", "w", *words).err
    (record,) = shell("schedule", "add", "job.py:regions", "--json").json
    assert record["trigger"] == {"partitions": "0s"}


def test_partitions_are_listed_and_made_up_for(shell):
    (shell.folder / "job.py").write_text(JOB)
    shell("run", "job.py:regions", "--partition", "eu", "-q")
    listed = shell("partitions", "job.py:regions")
    assert "3 partitions: 2 missing, 1 finished." in listed.out
    assert "penstock backfill job.py:regions" in listed.out
    assert "2 of 3 partitions would be run" in shell("backfill", "job.py:regions", "--dry-run").out
    ran = shell("backfill", "job.py:regions", code=3)
    assert "1 of 2" in ran.out
    assert "1 of 2 partitions finished; 1 skipped" in ran.out
    assert "bad: step 'region_of'" in ran.out or "ZeroDivisionError" in ran.out
    found = json.loads(shell("partitions", "job.py:regions", "--missing", "--json").out)
    assert [part["partition"] for part in found["partitions"]] == ["bad"]
    assert found["done"] == 2
    assert (
        "no partition 'asia'" in shell("backfill", "job.py:regions", "--since", "asia", code=2).err
    )
    assert "--partition cannot be used with --resume" in (
        shell("run", "--resume", "last", "--partition", "eu", code=2).err
    )


def test_the_first_ctrl_c_waits_for_the_runs_and_the_second_leaves_them(monkeypatch):
    left = []

    class Worker:
        project, running = "here", ["run-1"]

        def __init__(self, **_):
            pass

        def schedules(self):
            return []

        def stop(self, *, leave):
            left.append(leave)

        def run(self):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("penstock.cli._schedule.Scheduler", Worker)
    monkeypatch.setattr("penstock.cli._schedule.current_store", lambda *_, **__: None)
    shown = CliRunner().invoke(scheduler, [])
    assert left == [False, True]
    assert "Waiting for run-1; press Ctrl-C again to leave now." in shown.output
