"""Many processes execute steps of one run at once: its state is right, whoever ends when or is killed."""

import json
import os
import signal
import subprocess
import sys
import time
import traceback

import pytest

from penstock.core import RunState, StepState
from penstock.execution import load_pipeline, prepare_run, run_step
from penstock.stores import open_store

WIDE = 8
JOB = f"""
import penstock as ps


@ps.step
def first() -> int:
    return 1

@ps.step
def wide(number: int, place: int) -> int:
    return number + place

@ps.pipeline
def job():
    one = first()
    for place in range({WIDE}):
        wide(one, place)
"""
NAMES = ["wide", *(f"wide-{number}" for number in range(2, WIDE + 1))]
SLOW = """
import pathlib, time
import penstock as ps


@ps.step
def held() -> int:
    pathlib.Path("held.started").write_text("")
    while not pathlib.Path("go").exists():
        time.sleep(0.01)
    return 1

@ps.step(retries=5)
def other() -> int:
    return 2

@ps.step
def both(a: int, b: int) -> int:
    return a + b

@ps.pipeline
def slow():
    return both(held(), other())
"""


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/.penstock/penstock.db"
    return request.getfixturevalue("postgres_url")


@pytest.fixture
def store(store_url, file):
    with open_store(store_url, create=True) as store:
        yield store


@pytest.fixture
def file(tmp_path, monkeypatch, store_url):
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PENSTOCK_STORE", store_url)
    monkeypatch.setenv("PENSTOCK_ARTIFACTS", str(tmp_path / "artifacts"))
    (tmp_path / "job.py").write_text(JOB)
    (tmp_path / "slow.py").write_text(SLOW)
    return tmp_path / "job.py"


def forked(names, call):
    """Call a function in a process per name, released all at once; returns the exit codes."""
    gate_read, gate = os.pipe()
    children = []
    for name in names:
        child = os.fork()
        if not child:
            code = 1
            try:
                os.close(gate)
                os.read(gate_read, 1)  # ends when the parent closes its end
                call(name)
                code = 0
            except BaseException:  # noqa: BLE001 - a child's error is shown, and its code tells
                traceback.print_exc()
            finally:
                os._exit(code)
        children.append(child)
    os.close(gate_read)
    os.close(gate)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def test_steps_that_end_at_the_same_moment_end_their_run(file, store):
    """Each process ends its step at once; whoever ends last must see all the others' ends."""
    pipeline = load_pipeline(f"{file}:job")
    for _ in range(4):
        run_id = prepare_run(pipeline, store=store)
        run_step(run_id, "first", target=pipeline, store=store)

        def call(name, run_id=run_id):
            run_step(run_id, name, target=pipeline, store=store)

        assert forked(NAMES, call) == [0] * WIDE
        run = store.metadata.runs.get(run_id)
        states = {step.step: step.state for step in store.metadata.steps.list(run_id)}
        assert run.state is RunState.FINISHED, (run, states)
        assert run.ended_at is not None
        assert set(states) == {"first", *NAMES}


def test_the_same_step_in_many_processes_is_executed_once(file, store):
    (file.parent / "once.py").write_text(
        "import os, time\nimport penstock as ps\n\n@ps.step(effect=True)\ndef note() -> int:\n"
        "    with open('notes.txt', 'a') as file:\n        file.write('x')\n"
        "    time.sleep(0.2)\n    return 1\n\n@ps.step\ndef end(a: int) -> int:\n    return a\n\n"
        "@ps.pipeline\ndef once():\n    return end(note())\n"
    )
    pipeline = load_pipeline(f"{file.parent}/once.py:once")
    run_id = prepare_run(pipeline, store=store)

    def call(_):
        run_step(run_id, "note", target=pipeline, store=store)

    assert forked(range(5), call) == [0] * 5
    assert (file.parent / "notes.txt").read_text() == "x"
    assert run_step(run_id, "end", target=pipeline, store=store).state is StepState.FINISHED


def command(*words, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "penstock.cli", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        **options,
    )


def wait_for(path, seconds=30):
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path} did not appear"
        time.sleep(0.02)
    path.unlink()


def test_a_killed_step_is_executed_again_and_the_other_steps_of_the_run_are_not_disturbed(
    file, store
):
    folder = file.parent
    prepared = command("run", "slow.py", "--prepare", "-q").communicate(timeout=60)[0]
    run_id = prepared.strip()
    held = command("step", run_id, "held", "--no-retries")
    wait_for(folder / "held.started")
    assert command("step", run_id, "other", "--no-retries").wait(timeout=60) == 0
    # The step that ended first has not ended the run of the one that is being executed.
    assert store.metadata.runs.get(run_id).state is RunState.RUNNING
    os.kill(held.pid, signal.SIGKILL)
    held.communicate()
    assert store.metadata.runs.kill_dead() == [run_id]
    assert store.metadata.runs.get(run_id).state is RunState.KILLED
    early = command("step", run_id, "both", "--json")
    assert json.loads(early.communicate(timeout=60)[0])["error"]["what"].endswith(
        f"which is killed in run {run_id}."
    )
    again = command("step", run_id, "held", "--no-retries")
    wait_for(folder / "held.started")
    (folder / "go").write_text("")
    assert again.wait(timeout=60) == 0
    assert command("step", run_id, "both", "--no-retries").wait(timeout=60) == 0
    assert command("step", run_id, "both", "--no-retries").wait(timeout=60) == 0  # repeated
    run = store.metadata.runs.get(run_id)
    attempts = {step.step: step.attempt for step in store.metadata.steps.list(run_id)}
    assert (run.state, run.error) == (RunState.FINISHED, None)
    assert attempts == {"held": 2, "other": 1, "both": 1}


def test_items_of_a_map_are_listed_and_executed_by_many(file, store):
    (file.parent / "maps.py").write_text(
        "import penstock as ps\n\n@ps.step\ndef numbers() -> list[int]:\n    return [3, 4, 5]\n\n"
        "@ps.step\ndef twice(number: int) -> int:\n    return 2 * number\n\n"
        "@ps.step\ndef total(values: list[int]) -> int:\n    return sum(values)\n\n"
        "@ps.pipeline\ndef inner(number):\n    return twice.named('half')(twice(number))\n\n"
        "@ps.pipeline\ndef maps():\n    items = numbers()\n"
        "    return total(ps.map(twice, items)), ps.map(inner, items)\n"
    )
    run_id = command("run", "maps.py:maps", "--prepare", "-q").communicate(timeout=60)[0].strip()
    assert command("step", run_id, "numbers").wait(timeout=60) == 0
    listed = command("step", run_id, "twice", "--items", "--json").communicate(timeout=60)[0]
    assert json.loads(listed) == ["twice[0]", "twice[1]", "twice[2]"]
    pipeline = load_pipeline(f"{file.parent}/maps.py:maps")

    def call(name):
        run_step(run_id, name, target=pipeline, retries=False, store=store)

    items = [f"{name}[{number}]" for name in ("twice", "inner") for number in range(3)]
    assert forked(items, call) == [0] * 6
    for name in ("twice", "total", "inner"):
        done = run_step(run_id, name, target=pipeline, retries=False, store=store)
        assert done.state is StepState.FINISHED, done.error
    assert store.metadata.runs.get(run_id).state is RunState.FINISHED
    # the same pipeline again: its maps are cached as a whole, and an engine still starts each item
    again = prepare_run(pipeline, store=store)
    states = {
        name: run_step(again, name, target=pipeline, retries=False, store=store).state
        for name in ("numbers", *items, "twice", "total", "inner")
    }
    assert set(states.values()) == {StepState.CACHED}
    assert store.metadata.runs.get(again).state is RunState.FINISHED
