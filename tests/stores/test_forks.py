"""A child that is forked at any moment works: it neither waits for ever nor harms its parent."""

import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest
from tests.hunting import SEED, length

from penstock.stores import open_store
from penstock.testing._records import a_run

FORKS = length(25, 1000, name="PENSTOCK_FORKS")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def store(request, tmp_path, monkeypatch):
    monkeypatch.setenv("PENSTOCK_JOURNALS", str(tmp_path / "journals"))
    url = f"sqlite:///{tmp_path}/penstock.db"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_server").database()
    with open_store(url, artifacts=str(tmp_path / "artifacts")) as opened:
        opened.metadata.runs.create(a_run(run_id="r"))
        yield opened


def wait_for(child: int, seconds: float) -> int | None:
    """Wait for a child's exit code; None if it hangs, and it is killed."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def work(store, number: int, ended: threading.Event) -> None:
    """What threads of a training do: write, read, log."""
    place = 0
    while not ended.is_set():
        place += 1
        store.metadata.runs.set_tags("r", {f"tag {number}": str(place)})
        store.metadata.runs.search("tags.a = 'b'")
        store.journal.append(store.journal.series("r", f"m{number}"), place, place, 0)
        if number == 0:
            store.flush()


@pytest.mark.slow
@pytest.mark.hunt
def test_children_forked_at_random_moments_work_and_lose_nothing(store):
    rng, ended = random.Random(SEED), threading.Event()
    threads = [threading.Thread(target=work, args=(store, n, ended)) for n in range(3)]
    for thread in threads:
        thread.start()
    try:
        for fork in range(FORKS):
            time.sleep(rng.random() * 0.02)
            child = os.fork()
            if not child:
                code = 1
                try:
                    store.metadata.runs.set_tags("r", {"child": str(fork)})
                    store.journal.append(store.journal.series("r", "of children"), fork, fork, 0)
                    code = 0
                finally:
                    os._exit(code)
            assert wait_for(child, 60) == 0, f"fork {fork}"
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    store.flush()
    found = store.metadata.metrics.history("r", "of children")
    assert found.values.tolist() == list(range(FORKS))


IMPORTER = """
import os, sys, time, penstock as ps
run = ps.start_run(store=sys.argv[1], console=False, system_metrics=False)
run.log_metric("loss", 1.0)
time.sleep(float(sys.argv[2]))
child = os.fork()
if not child:
    import numpy, polars
    os._exit(0)
for _ in range(3000):
    pid, status = os.waitpid(child, os.WNOHANG)
    if pid: sys.exit(os.waitstatus_to_exitcode(status))
    time.sleep(0.01)
os.kill(child, 9)
sys.exit("the child hangs")
"""


@pytest.mark.parametrize("delay", [0.45, 0.55] if FORKS < 100 else [n / 20 for n in range(20)])
def test_a_child_forked_while_the_journal_begins_can_import(tmp_path, delay):
    url = f"sqlite:///{tmp_path}/penstock.db"
    done = subprocess.run(
        [sys.executable, "-c", IMPORTER, url, str(delay)],
        check=False,
        timeout=100,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_a_fork_inside_of_a_write_of_its_own_leaves_the_parents_write_whole(store):
    with store.metadata.database.write() as transaction:
        transaction.execute("INSERT INTO settings (name, value) VALUES ('half', '1')")
        child = os.fork()
        if not child:
            os._exit(0)
        assert wait_for(child, 60) == 0
    assert store.metadata.settings.get("half") == "1"
