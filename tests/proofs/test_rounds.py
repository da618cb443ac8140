"""What verify starts ends with it, however it is ended."""

import signal
import subprocess
import sys
import time
import uuid

import psutil
import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux is asked to keep this")

JOB = """
import os
import subprocess
import sys

import penstock as ps


@ps.step
def program() -> int:
    if mark := os.environ.get("SLOW"):
        words = [sys.executable, "-c", "import time; time.sleep(300)", mark]
        subprocess.Popen(words, start_new_session=True)  # hides from its group
        subprocess.run(words, check=False)
    return 1


@ps.pipeline
def job():
    return program()
"""


def marked(mark: str) -> list[psutil.Process]:
    """What was started with the mark in its environment, apart from verify itself."""
    found = []
    for process in psutil.process_iter():
        try:
            gone = process.status() == psutil.STATUS_ZOMBIE or process.environ().get("SLOW") != mark
        except psutil.Error:
            continue
        if not gone:
            found.append(process)
    return found


def wait_until(happened, seconds: float = 60) -> None:
    ends = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.3)  # looking through all processes is no small thing


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_verify_that_is_ended_leaves_no_process(shell, ending):
    (shell.folder / "pyproject.toml").touch()
    (shell.folder / "job.py").write_text(JOB)
    shell("run", "job.py", "-q")
    mark = uuid.uuid4().hex
    verify = subprocess.Popen(
        [sys.executable, "-m", "penstock.cli", "verify", "last"],
        cwd=shell.folder, env=shell.environment({"SLOW": mark}),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_until(lambda: sum(mark in process.cmdline() for process in marked(mark)) >= 2)
        verify.send_signal(ending)
        code = verify.wait(timeout=60)
        wait_until(lambda: not marked(mark))
        assert code == (130 if ending == signal.SIGINT else -ending)
    finally:
        verify.kill()
        verify.wait()
        for process in marked(mark):
            process.kill()
