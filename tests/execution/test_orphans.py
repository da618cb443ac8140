"""What a run on processes has started ends with it, the programs of its steps too."""

import os
import signal
import subprocess
import sys
import time
import uuid

import psutil
import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux is asked to keep this")

JOB = """
import subprocess
import sys


@ps.step
def program(mark: str) -> int:
    words = [sys.executable, "-c", "import time; time.sleep(300)", mark]
    subprocess.Popen(words, start_new_session=True)  # hides from its group
    return subprocess.run(words, check=False).returncode


@ps.pipeline
def job(mark: str):
    return program(mark)
"""


def marked(mark: str) -> list[psutil.Process]:
    """Programs of the step: the run and its workers are told the mark otherwise."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        if words[-1:] == [mark] and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def wait_until(happened, seconds: float = 60) -> None:
    ends = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.1)


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_ended_leaves_no_program_of_its_steps(project, ending):
    path, mark = project.write(JOB), uuid.uuid4().hex
    words = ["run", str(path), "--set", f"mark={mark}", "--runner", "processes", "-q"]
    run = subprocess.Popen(
        [sys.executable, "-m", "penstock.cli", *words],
        env={**os.environ, "PENSTOCK_STORE": project.store.url},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_until(lambda: len(marked(mark)) == 2)
        run.send_signal(ending)
        run.wait(timeout=60)
        wait_until(lambda: not marked(mark))
        assert run.returncode != 0
    finally:
        run.kill()
        for process in marked(mark):
            process.kill()
