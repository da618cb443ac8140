"""Which runs are alive, whatever the clocks, and that a live one is never dead for good."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta

import pytest

import penstock.stores._processes as processes
from penstock.core import ConflictError, RunState, StepState, now
from penstock.stores import open_store
from penstock.testing._records import a_run, a_step
from penstock.tracking import get_run, start_run


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def store(request, tmp_path):
    url = f"sqlite:///{tmp_path}/penstock.db"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_server").database()
    with open_store(url, artifacts=str(tmp_path / "artifacts")) as opened:
        yield opened


def presumed(store, run_id: str) -> None:
    """Presume a run killed, as a machine does that sees no sign of life."""
    long_ago = now() - timedelta(hours=1)
    store.metadata.runs.update(run_id, host="elsewhere", process="", heartbeat_at=long_ago)
    assert store.metadata.runs.kill_dead() == [run_id]


def test_a_heartbeat_revives_a_run_with_its_steps(store):
    run = a_run(started_at=now() - timedelta(hours=2))
    store.metadata.runs.create(run)
    step = a_step(run.run_id, started_at=run.started_at)
    store.metadata.steps.start(step)
    presumed(store, run.run_id)
    killed = store.metadata.runs.get(run.run_id)
    assert (killed.state, killed.ended_at) == (RunState.KILLED, killed.heartbeat_at)
    assert killed.presumed_at is not None
    assert store.metadata.runs.beat(run.run_id, now())
    alive = store.metadata.runs.get(run.run_id)
    assert (alive.state, alive.ended_at, alive.error) == (RunState.RUNNING, None, None)
    assert store.metadata.steps.list(run.run_id)[0].state is StepState.RUNNING
    assert store.metadata.runs.kill_dead() == []


def test_the_end_of_a_run_wins_over_the_presumption(store):
    with start_run(store=store, console=False, system_metrics=False) as run:
        presumed(store, run.run_id)
        run.log_metric("loss", 1.0)
    found = get_run(run.run_id, store=store).record
    assert (found.state, found.error, found.presumed_at) == (RunState.FINISHED, None, None)
    with pytest.raises(ConflictError, match="cannot become killed"):
        store.metadata.runs.update(run.run_id, state=RunState.KILLED)


def test_a_run_that_was_resumed_elsewhere_is_that_processs(store, caplog):
    with start_run(store=store, console=False, system_metrics=False) as run:
        presumed(store, run.run_id)
        other = start_run(resume=run.run_id, nested=True, store=store, console=False)
        assert not store.metadata.runs.beat(run.run_id, now(), attempt=1)
    assert "was resumed elsewhere" in caplog.text
    assert store.metadata.runs.get(run.run_id).state is RunState.RUNNING
    other.finish()
    assert store.metadata.runs.get(run.run_id).state is RunState.FINISHED


def test_of_two_that_resume_a_run_at_once_one_wins(store):
    run = a_run(state=RunState.FAILED)
    store.metadata.runs.create(run)
    changes = {"state": RunState.RUNNING, "attempt": run.attempt + 1}
    store.metadata.runs.update(run.run_id, **changes)
    with pytest.raises(ConflictError, match="just been resumed by another"):
        store.metadata.runs.update(run.run_id, **changes)


def test_a_reader_whose_clock_is_ahead_kills_nobody(store, monkeypatch):
    """On one machine silence is measured by a clock that nobody can set."""
    run = a_run(state=RunState.RUNNING, heartbeat_at=now())
    own = processes.read_trace(processes.trace_here())
    other_space = replace(own, space=own.space + 1)
    store.metadata.runs.create(replace(run, process=str(other_space), host=processes.host_name()))
    ahead = now() + timedelta(seconds=75)
    monkeypatch.setattr("penstock.stores.metadata._life.now", lambda: ahead)
    assert store.metadata.runs.kill_dead() == []
    silent = replace(other_space, beat=time.monotonic() - 61)
    store.metadata.runs.update(run.run_id, process=str(silent))
    assert store.metadata.runs.kill_dead() == [run.run_id]


def test_a_machine_whose_clock_is_wrong_beats_by_the_servers(store):
    run = a_run(heartbeat_at=None, host="elsewhere")
    store.metadata.runs.create(run)
    store.metadata.runs.beat(run.run_id, now() - timedelta(seconds=75))
    is_server = store.url.startswith("postgres")
    assert (store.metadata.runs.kill_dead() == []) == is_server


def test_no_run_ends_before_it_began(store):
    run = a_run(started_at=now())
    store.metadata.runs.create(run)
    store.metadata.runs.update(
        run.run_id, state=RunState.FINISHED, ended_at=now() - timedelta(hours=1)
    )
    found = store.metadata.runs.get(run.run_id)
    assert found.ended_at == found.started_at


def test_a_process_is_known_by_its_boot_and_not_by_the_clock(monkeypatch):
    host, pid, started = processes.this_process()
    trace = processes.trace_here()
    assert processes.is_gone(host, pid, started, trace) is False
    # The clock was set: the time at which the system began seems to be another.
    assert processes.is_gone(host, pid, started + 5000, trace) is False
    own = processes.read_trace(trace)
    assert processes.is_gone(host, pid, started, str(replace(own, start=own.start - 1))) is True
    assert processes.is_gone(host, pid, started, str(replace(own, boot="another"))) is None


def test_another_users_process_that_proc_hides_is_not_gone(monkeypatch):
    host, pid, started = processes.this_process()
    trace = processes.trace_here()
    monkeypatch.setattr(processes, "_start_ticks", lambda _: None)
    monkeypatch.setattr(processes, "_is_hidden", lambda _: True)
    assert processes.is_gone(host, pid, started, trace) is False
    old = str(replace(processes.read_trace(trace), beat=time.monotonic() - 61))
    assert processes.is_gone(host, pid, started, old) is True


SLEEPER = """
import sys, time, penstock as ps
with ps.start_run(store=sys.argv[1], console=False, system_metrics=False) as run:
    print(run.run_id, flush=True)
    sys.stdin.readline()
    run.log_metric("loss", 1.0)
print("after the block")
"""


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="needs unshare")
def test_a_reader_in_another_process_namespace_leaves_a_live_run_alone(tmp_path):
    url = f"sqlite:///{tmp_path}/penstock.db"
    worker = subprocess.Popen(
        [sys.executable, "-c", SLEEPER, url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    run_id = worker.stdout.readline().strip()
    look = f"import penstock as ps; print(ps.get_run({run_id!r}, store={url!r}).state.value)"
    seen = subprocess.run(
        ["unshare", "-p", "-f", "--mount-proc", sys.executable, "-c", look],
        capture_output=True,
        text=True,
        check=False,
    )
    out, _ = worker.communicate("\n")
    if "unshare" in seen.stderr:
        pytest.skip(f"unshare is not allowed here: {seen.stderr.strip()}")
    assert seen.stdout.strip() == "running"
    assert out.strip() == "after the block"
