"""Whether a process still lives, by id and start time."""

import subprocess
import sys
import time

import psutil
import pytest

import penstock.stores._processes as processes


def test_this_process_lives_since_it_began():
    host, pid, started = processes.this_process()
    assert host
    assert started == pytest.approx(psutil.Process().create_time(), abs=1.5)
    assert processes.is_alive(pid, started)
    assert processes.is_alive(pid, 0.0)


def test_another_process_with_the_same_id_is_not_it():
    _, pid, started = processes.this_process()
    assert not processes.is_alive(pid, started - 60)
    assert not processes.is_alive(0, 0.0)


def test_a_process_that_has_ended_or_waits_to_be_buried_is_dead():
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    for _ in range(500):
        if processes.process_start(child.pid) is None:
            break
        time.sleep(0.01)
    assert not processes.is_alive(child.pid, 0.0)  # a zombie until it is waited for
    child.wait()
    assert not processes.is_alive(child.pid, 0.0)


def test_without_proc_psutil_is_asked(monkeypatch, tmp_path):
    monkeypatch.setattr(processes, "_PROC", tmp_path / "nothing")
    _, pid, started = processes.this_process()
    assert started == pytest.approx(psutil.Process().create_time(), abs=0.01)
    assert processes.is_alive(pid, started)
    assert processes.process_start(2**22 + 1) is None
