"""The scheduler: what is due is run, once, with the parameters of when it was due."""

import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise

import pytest
from tests.hunting import SEED, length

from penstock.core import RunState, StoreError, TickState, now
from penstock.execution import approve_step
from penstock.scheduling import Schedule, Schedules
from penstock.stores import open_store

KILLS = length(2, 200, name="PENSTOCK_SCHEDULER_KILLS")


def ticks(project, name="job"):
    return list(reversed(project.schedules.ticks(name, limit=10_000)))


def test_what_is_due_runs_with_the_day_it_was_due_for(project, clock):
    project.schedules.add(Schedule(pipeline=project.file + ":job", cron="0 3 * * *", window="90d"))
    project.scheduler().once()
    assert project.calls == []
    clock.go_on(days=1)
    project.scheduler().once()
    assert project.calls == ["2025-10-08 2026-01-06 -"]
    (tick,) = ticks(project)
    assert tick.state is TickState.FINISHED
    run = project.store.metadata.runs.get(tick.run_id)
    assert run.state is RunState.FINISHED
    assert run.tags["penstock.schedule"] == "job"
    assert run.tags["penstock.tick"] == "2026-01-06T03:00:00Z"


@pytest.mark.parametrize(
    ("missed", "ran", "lost"),
    [
        ("last", ["2026-01-09"], ["2026-01-08T03:00:00Z"]),
        ("all", ["2026-01-06", "2026-01-07", "2026-01-08", "2026-01-09"], []),
        ("skip", [], ["2026-01-09T03:00:00Z"]),
    ],
)
def test_times_without_a_scheduler_are_made_up_for_as_asked(project, clock, missed, ran, lost):
    schedule = Schedule(pipeline=project.file + ":job", cron="0 3 * * *", catch_up=missed)
    project.schedules.add(schedule)
    project.scheduler().once()
    clock.go_on(days=4)
    project.scheduler().once()
    assert [call.split()[1] for call in project.calls] == ran
    gone = [tick for tick in ticks(project) if tick.state is TickState.MISSED]
    assert [tick.key for tick in gone] == lost
    assert all("passed while no scheduler could start it" in tick.error for tick in gone)
    assert len(ran) == 4 or f"and {3 - len(ran)} before it" in gone[0].error


def test_the_times_of_a_pause_are_missed(project, clock):
    schedules = project.schedules
    schedules.add(Schedule(pipeline=project.file + ":job", every="1h"))
    project.scheduler().once()
    schedules.pause("job")
    clock.go_on(hours=5)
    project.scheduler().once()
    assert ticks(project) == []
    assert schedules.next_due("job") is None
    schedules.resume("job")
    project.scheduler().once()
    assert [tick.state for tick in ticks(project)] == [TickState.MISSED, TickState.FINISHED]


def test_each_partition_is_run_once_and_what_others_did_is_left(project, clock, monkeypatch):
    from penstock.execution import QuietReporter, load_pipeline, run

    pipeline = load_pipeline(project.file + ":daily")
    project.schedules.add(Schedule(pipeline=pipeline, params={"word": "x"}))
    done = run(pipeline, partition="2026-01-02", store=project.store, reporter=QuietReporter())
    project.scheduler().once()
    assert sorted(project.calls) == [
        "2026-01-01 2026-01-02 x",
        "2026-01-02 2026-01-03 -",
        "2026-01-03 2026-01-04 x",
        "2026-01-04 2026-01-05 x",
    ]
    by_key = {tick.key: tick for tick in ticks(project, "daily")}
    assert by_key["2026-01-02"].run_id == done.run_id
    clock.go_on(days=1)
    project.scheduler().once()
    assert project.calls[-1] == "2026-01-05 2026-01-06 x"


def test_new_data_leads_to_a_run(project, clock):
    project.schedules.add(
        Schedule(pipeline=project.file + ":job", name="fresh", new_data="rows.csv", window="7d")
    )
    scheduler = project.scheduler()
    scheduler.once()
    (project.folder / "rows.csv").write_text("a\n1\n2\n")
    for _ in range(3):
        clock.go_on(seconds=31)
        scheduler.once()
    assert project.calls == ["2025-12-30 2026-01-06 -"]


def test_a_source_of_the_file_is_found_by_its_name(project, clock):
    from penstock.execution import load_pipeline

    pipeline = load_pipeline(project.file + ":job")
    rows = pipeline.function.__globals__["rows"]
    record = project.schedules.add(Schedule(pipeline=pipeline, new_data=rows))
    assert record.trigger == {"new_data": ":rows"}
    project.scheduler().once()
    assert project.schedules.get("job").error is None
    assert project.schedules.get("job").cursor is not None


def test_a_source_that_cannot_be_read_is_told_and_looked_at_again(project, clock):
    project.schedules.add(Schedule(pipeline=project.file + ":job", new_data="gone.csv"))
    scheduler = project.scheduler()
    scheduler.once()
    scheduler.once()
    assert "gone.csv" in project.schedules.get("job").error
    assert len([line for line in project.said if "check failed" in line]) == 1
    (project.folder / "gone.csv").write_text("a\n1\n")
    clock.go_on(minutes=1)
    scheduler.once()
    assert project.schedules.get("job").error is None


def test_what_changes_during_a_cool_down_is_due_together_at_its_end(project, clock):
    project.schedules.add(
        Schedule(
            pipeline=project.file + ":job", new_data="rows.csv", cool_down="1h", poll_interval="1s"
        )
    )
    scheduler = project.scheduler()
    scheduler.once()
    for number in range(40):
        clock.go_on(minutes=2)
        if number < 10:
            (project.folder / "rows.csv").write_text("a\n" + "1\n" * (number // 2 + 2))
        scheduler.once()
    assert [tick.state for tick in ticks(project)] == [TickState.FINISHED] * 2


def test_a_run_that_fails_is_told_and_the_next_one_comes(project, clock):
    project.schedules.add(
        Schedule(
            pipeline=project.file + ":regions", name="bad", every="1h", params={"region": "bad"}
        )
    )
    scheduler = project.scheduler()
    scheduler.once()
    clock.go_on(hours=1)
    scheduler.once()
    clock.go_on(hours=1)
    scheduler.once()
    states = [tick.state for tick in ticks(project, "bad")]
    assert states == [TickState.FAILED, TickState.FAILED]
    assert "no such region" in ticks(project, "bad")[0].error


def test_a_file_that_cannot_be_imported_fails_the_tick_with_what_was_printed(project, clock):
    project.schedules.add(Schedule(pipeline=project.file + ":job", every="1h"))
    project.scheduler().once()
    project.write("import no_such_module\n")
    clock.go_on(hours=1)
    project.scheduler().once()
    (tick,) = ticks(project)
    assert tick.state is TickState.FAILED
    assert "no_such_module" in tick.error


def test_a_run_that_waits_for_a_decision_goes_on_after_it(project, clock):
    project.write(
        """
        import penstock as ps

        @ps.step
        def made() -> int:
            return 1

        @ps.pipeline
        def job():
            return ps.wait_for_approval(made())
        """
    )
    project.schedules.add(Schedule(pipeline=project.file, every="1h"))
    scheduler = project.scheduler()
    scheduler.once()
    clock.go_on(hours=1)
    scheduler.once()
    (tick,) = ticks(project)
    assert tick.state is TickState.WAITING
    clock.go_on(minutes=1)
    scheduler.once()
    assert ticks(project)[0].state is TickState.WAITING
    approve_step(tick.run_id, "approval", reason="good", store=project.store)
    clock.go_on(minutes=1)
    scheduler.once()
    assert ticks(project)[0].state is TickState.FINISHED
    assert project.store.metadata.runs.get(tick.run_id).attempt == 2


def test_who_asks_gets_a_run_even_of_a_paused_schedule(project, clock):
    schedules = project.schedules
    schedules.add(Schedule(pipeline=project.file + ":job", every="1h", params={"word": "now"}))
    schedules.pause("job")
    schedules.trigger("job")
    project.scheduler().once()
    assert [call.split()[-1] for call in project.calls] == ["now"]
    assert "triggered it" in ticks(project)[0].reason


def test_a_schedule_of_another_project_is_left_to_its_schedulers(project, clock):
    record = project.schedules.add(Schedule(pipeline=project.file + ":job", every="1h"))
    other = {**record.options, "project": "elsewhere"}
    project.store.metadata.schedules.save(replace(record, name="theirs", options=other))
    project.scheduler().once()
    clock.go_on(hours=1)
    project.scheduler().once()
    assert ticks(project, "theirs") == []
    assert len(ticks(project)) == 1


def test_a_run_of_a_scheduler_that_is_gone_is_taken_over_not_started_again(project):
    project.schedules.add(Schedule(pipeline=project.file + ":job", every="1h"))
    project.schedules.trigger("job")
    (tick,) = ticks(project)
    claimed = project.store.metadata.schedules.claim_tick(
        tick, holder="gone", until=now(), run_id="0therun", max_active=1
    )
    command = ["run", project.file + ":job", "--run-id", str(claimed.run_id), "-q"]
    subprocess.run([sys.executable, "-m", "penstock.cli", *command], check=True, cwd=project.folder)
    time.sleep(0.01)
    project.scheduler().once()
    assert len(project.calls) == 1
    assert ticks(project)[0].state is TickState.FINISHED
    assert ticks(project)[0].run_id == "0therun"


def test_a_store_that_is_away_for_a_while_is_waited_for(project, monkeypatch):
    project.schedules.add(Schedule(pipeline=project.file + ":job", every="1h"))
    scheduler = project.scheduler(poll_s=0.01)
    listed, tries = project.store.metadata.schedules.list, []

    def away():
        tries.append(1)
        if len(tries) < 4:
            raise StoreError(what="The store is away.")
        scheduler.stop()
        return listed()

    monkeypatch.setattr(project.store.metadata.schedules, "list", away)
    scheduler.run()
    assert [line for line in project.said if "away" in line] == [
        "Something is away, trying again: The store is away."
    ]


def test_a_scheduler_says_that_it_is_up(project):
    scheduler = project.scheduler()
    scheduler.once()
    assert project.schedules.schedulers() == []
    scheduler._present_itself()
    assert len(project.schedules.schedulers()) == 1
    scheduler._leave()
    assert project.schedules.schedulers() == []


SLOW = """
import os
import time

import penstock as ps


@ps.step
def one(tick: str) -> str:
    with open("began.txt", "a") as file:
        file.write(tick + "\\n")
    time.sleep(0.05)
    return tick


@ps.step
def two(tick: str) -> str:
    time.sleep(0.05)
    with open("ended.txt", "a") as file:
        file.write(tick + "\\n")
    return tick


@ps.pipeline
def job(tick: str = "-"):
    return two(one(tick))


often = ps.Schedule(pipeline=job, every="1s", catch_up="all", max_active_runs=2)
"""


def start_scheduler(project) -> subprocess.Popen:
    log = (project.folder / "schedulers.log").open("ab")
    return subprocess.Popen(
        [sys.executable, "-c", HURRIED], cwd=project.folder, stdout=log, stderr=log
    )


# A scheduler whose claims run out after a second, so that a test need not wait for a minute.
HURRIED = """
from datetime import timedelta
import penstock.scheduling._watch as w
w.CLAIM, w.RENEW, w.ASK = timedelta(seconds=1.5), timedelta(seconds=0.3), timedelta(seconds=0.3)
from penstock.scheduling import Scheduler
Scheduler(poll_s=0.05, progress=print).run()
"""


@pytest.mark.slow
@pytest.mark.hunt
def test_two_schedulers_killed_again_and_again_run_each_tick_once(any_project):
    """kill -9 at random moments of either one; PENSTOCK_SCHEDULER_KILLS=200 for as many."""
    project = any_project
    project.write(SLOW)
    project.schedules.add_all(project.file)
    draw = random.Random(SEED)
    up = [start_scheduler(project), start_scheduler(project)]
    try:
        for _ in range(KILLS):
            time.sleep(draw.uniform(0.5, 2.5))
            place = draw.randrange(2)
            up[place].send_signal(signal.SIGKILL)
            up[place].wait()
            up[place] = start_scheduler(project)
        wait_for(lambda: len(ticks(project, "often")) > KILLS // 2, 60)
        project.schedules.pause("often")
        wait_for(lambda: all(t.state is TickState.FINISHED for t in ticks(project, "often")), 60)
    finally:
        for process in up:
            process.kill()
            process.wait()
    found = ticks(project, "often")
    with open_store() as store:
        runs = store.metadata.runs.search(limit=10_000)
    moments = [tick.due_at for tick in found]
    assert {(after - before).total_seconds() for before, after in pairwise(moments)} <= {1.0}
    assert sorted(run.tags["penstock.tick"] for run in runs) == sorted(tick.key for tick in found)
    assert {run.state for run in runs} == {RunState.FINISHED}


def wait_for(condition, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.1)


def test_a_scheduler_that_is_asked_to_end_leaves_its_run_to_the_next(project):
    project.write(SLOW.replace("0.05", "1.0"))
    project.schedules.add_all(project.file)
    project.schedules.pause("often")
    project.schedules.trigger("often")
    process = start_scheduler_command(project)
    wait_for(lambda: ticks(project, "often")[0].state is TickState.RUNNING, 20)
    wait_for((project.folder / "began.txt").exists, 20)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    Schedules(store=project.store)
    project.scheduler().once()
    (tick,) = ticks(project, "often")
    assert tick.state is TickState.FINISHED
    assert project.store.metadata.runs.get(tick.run_id).attempt == 1
    assert (project.folder / "began.txt").read_text() == "-\n"


def start_scheduler_command(project) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "penstock.cli", "scheduler", "-q"], cwd=project.folder
    )
