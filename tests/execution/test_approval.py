"""A run waits for somebody's yes or no, without a process that waits with it."""

import json
import os
import subprocess
import sys

import pytest

from penstock.core import ConflictError, GateError, NotFoundError, ParameterError, RunState
from penstock.execution import approve_step, prepare_run, reject_step, run_step

JOB = """
@ps.step
def report() -> dict:
    note("report")
    return {"auc": 0.9}


@ps.step
def publish(report: dict) -> str:
    note("publish")
    return f"published {report['auc']}"


@ps.pipeline
def job():
    checked = ps.wait_for_approval(report(), message="Is the report right?")
    return publish(checked)
"""


def test_a_run_waits_and_goes_on_once_somebody_has_said_yes(project):
    waiting = project.run(JOB)
    assert waiting.state is RunState.QUEUED
    assert not waiting.ok
    assert waiting.waits_for == "approval"
    assert waiting["approval"].error == "it waits for approval: Is the report right?"
    assert waiting["publish"].error == "it needs 'approval', which is queued"
    assert project.store.metadata.runs.get(waiting.run_id).state is RunState.QUEUED
    still = project.again(None, resume=waiting.run_id)
    assert still.state is RunState.QUEUED
    approve_step(waiting.run_id, "approval", reason="looks right", actor="ada",
           store=project.store)  # fmt: skip
    done = project.again(None, resume=waiting.run_id)
    assert done.ok, done.error
    assert done.output() == "published 0.9"
    assert project.calls == ["report", "publish"]
    facts = project.steps(waiting.run_id)["approval"].facts
    assert (facts["approved_by"], facts["approved_for"]) == ("ada", "looks right")


def test_a_no_fails_the_step_with_who_and_why(project):
    waiting = project.run(JOB)
    reject_step(waiting.run_id, "approval", reason="the target leaks", actor="ada",
           store=project.store)  # fmt: skip
    result = project.again(None, resume=waiting.run_id)
    assert result.state is RunState.FAILED
    assert result.error == "ada refused it: the target leaks"
    assert project.calls == ["report"]
    approve_step(waiting.run_id, "approval", reason="mended", store=project.store)
    assert project.again(None, resume=waiting.run_id).ok  # the latest word counts


def test_another_run_waits_again(project):
    first = project.run(JOB)
    approve_step(first.run_id, "approval", reason="ok", store=project.store)
    assert project.again(None, resume=first.run_id).ok
    assert project.run(JOB).state is RunState.QUEUED


def test_in_a_teams_store_somebody_else_must_say_yes(project):
    waiting = project.run(JOB)
    project.store.metadata.settings.set("single_user", "false")
    user = project.store.metadata.runs.get(waiting.run_id).user
    with pytest.raises(GateError, match="cannot approve it"):
        approve_step(waiting.run_id, "approval", reason="ok", actor=f" {user.upper()} ",
               store=project.store)  # fmt: skip
    approve_step(waiting.run_id, "approval", reason="ok", actor="bob", store=project.store)


def test_what_cannot_be_decided_is_told(project):
    waiting = project.run(JOB)
    with pytest.raises(NotFoundError, match=r"no step 'aproval' that waits.*approval"):
        approve_step(waiting.run_id, "aproval", reason="ok", store=project.store)
    with pytest.raises(ConflictError, match=r"Step 'report' .* is finished"):
        approve_step(waiting.run_id, "report", reason="ok", store=project.store)
    with pytest.raises(ParameterError, match="needs a reason"):
        approve_step(waiting.run_id, "approval", reason=" ", store=project.store)


def test_a_step_at_a_time_waits_too(project):
    run_id = prepare_run(project.load(JOB), store=project.store)
    run_step(run_id, "report", store=project.store)
    assert run_step(run_id, "approval", store=project.store).state.value == "queued"
    with pytest.raises(ConflictError, match="which is queued"):
        run_step(run_id, "publish", store=project.store)
    approve_step(run_id, "approval", reason="ok", store=project.store)
    for name in ("approval", "publish"):
        assert run_step(run_id, name, store=project.store).state.value == "finished"
    assert project.store.metadata.runs.get(run_id).state is RunState.FINISHED


def test_the_commands_do_the_same(project):
    path = project.write(JOB)
    env = {**os.environ, "PENSTOCK_STORE": project.store.url}

    def call(*words):
        command = [sys.executable, "-m", "penstock.cli", *words]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False)

    waiting = call("run", str(path))
    assert waiting.returncode == 1
    assert "Approve with:  penstock approve-step" in waiting.stderr
    assert call("approve-step", "last").returncode == 2
    decided = call("approve-step", "last", "--reason", "ok", "--actor", "ada", "--json")
    assert json.loads(decided.stdout)["actor"] == "ada"
    assert call("run", "--resume", "last").returncode == 0


EACH = """
@ps.step
def regions() -> list[str]:
    return ["north", "south"]


@ps.step
def publish(region: str) -> str:
    return f"published {region}"


@ps.step
def told(found: list[str]) -> int:
    return len(found)


@ps.pipeline
def one(region):
    return publish(ps.wait_for_approval(region))


@ps.pipeline
def job():
    return told(ps.map(one, regions()))
"""


def test_a_map_waits_for_all_of_its_items(project):
    waiting = project.run(EACH)
    assert waiting.state is RunState.QUEUED
    assert waiting["one"].state.value == "queued"
    assert waiting["told"].state.value == "skipped"
    for number in (0, 1):
        assert waiting.waits_for == f"one[{number}]/approval"
        approve_step(waiting.run_id, waiting.waits_for, reason="ok", store=project.store)
        waiting = project.again(None, resume=waiting.run_id)
    assert waiting.ok, waiting.error
    assert waiting.output() == 2


LIMITED = """
import time
from pathlib import Path


@ps.step(concurrency_limit="warehouse")
def write(number: int) -> float:
    began = time.time()
    time.sleep(0.15)
    with open("spans", "a") as file:
        file.write(f"{began} {time.time()}\\n")
    return number


@ps.pipeline
def job():
    ps.map(write, [1, 2, 3, 4])
"""


def most_at_once(folder):
    spans = [
        tuple(map(float, line.split())) for line in (folder / "spans").read_text().splitlines()
    ]
    return max(sum(begin <= moment < end for begin, end in spans) for moment, _ in spans)


@pytest.mark.parametrize(
    ("most", "setting"), [(1, ""), (2, "[tool.penstock.limits]\nwarehouse = 2\n")]
)
def test_only_so_many_steps_use_what_is_limited_at_once(project, most, setting):
    (project.folder / "pyproject.toml").write_text(setting)
    result = project.run(LIMITED, runner="processes", workers=4)
    assert result.ok, result.error
    assert 1 <= most_at_once(project.folder) <= most


def test_two_runs_share_a_limit(project):
    path = project.write(LIMITED)
    env = {**os.environ, "PENSTOCK_STORE": project.store.url}
    command = [sys.executable, "-m", "penstock.cli", "run", str(path), "-q", "--no-cache"]
    runs = [subprocess.Popen(command, env=env) for _ in range(2)]
    assert [run.wait(timeout=60) for run in runs] == [0, 0]
    assert len((project.folder / "spans").read_text().splitlines()) == 8
    assert most_at_once(project.folder) == 1


def test_a_limit_that_is_no_number_fails_the_step_with_its_place(project):
    (project.folder / "pyproject.toml").write_text('[tool.penstock.limits]\nwarehouse = "two"\n')
    result = project.run(LIMITED)
    assert result.state is RunState.FAILED
    assert "says warehouse = 'two'" in result["write[0]"].error
