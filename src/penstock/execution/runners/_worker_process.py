"""WorkerProcess: a process that executes steps of a run, in the view of the run's process."""

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import psutil

from penstock.execution.runners._cards import card_environment
from penstock.execution.runners._watch import Watch
from penstock.execution.runners._watcher import MARK, end_all
from penstock.execution.runners._worker import OWN_PATH
from penstock.execution.step import Work

WORKER = "penstock.execution.runners._worker"


@dataclass
class WorkerProcess:
    """A worker process and the current work.

    Args:
        popen: The process.
        connection: Connection to the process.
        mark: Value of the variable MARK of the process and all descendants.
        work: Work being executed; None if the process is idle.
        began: Monotonic time at which the work began.
        ready: True once the process has started and opened the store.
        limits: Seconds and bytes that the work may use; None for no limit.
        cards: Graphics cards that the process may use.
    """

    popen: subprocess.Popen[bytes]
    connection: Connection
    mark: str
    work: Work | None = None
    began: float = 0.0
    ready: bool = False
    limits: tuple[float | None, int | None] = (None, None)
    cards: tuple[str, ...] = ()

    def memory(self) -> int:
        """Measure the bytes of the process and its children, without memory they share."""
        total = 0
        with suppress(psutil.Error):
            process = psutil.Process(self.popen.pid)
            for each in [process, *process.children(recursive=True)]:
                with suppress(psutil.Error):
                    info = each.memory_info()
                    total += info.rss - getattr(info, "shared", 0)
        return total


def start_process(
    setup: Any, guard: Watch, mark: str, cards: tuple[str, ...], *, module: str = WORKER
) -> WorkerProcess:
    """Start a worker process.

    Args:
        setup: Settings that the worker gets at the start.
        guard: Ends the process if this process is gone.
        mark: Value of the variable MARK.
        cards: Graphics cards that the process may use.
        module: Program of the worker.
    """
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-m", module]
    popen = subprocess.Popen(  # noqa: S603 - this interpreter on our own module
        [*command, str(theirs.fileno()), str(os.getpid())],
        pass_fds=(theirs.fileno(),),
        stdin=subprocess.DEVNULL,
        stdout=2,
        start_new_session=True,  # child processes of the worker end with it
        env={**_environment(mark), **card_environment(cards)},
    )
    theirs.close()
    guard.add(popen.pid)
    process = WorkerProcess(popen, Connection(ours.detach()), mark, cards=cards)
    process.connection.send(setup)
    return process


def kill_processes(processes: Sequence[WorkerProcess]) -> None:
    """Kill processes and all of their descendants."""
    if processes:
        end_all([p.mark for p in processes], {p.popen.pid for p in processes})
    for process in processes:
        with suppress(OSError):
            process.popen.kill()
        process.popen.wait()
        process.connection.close()


def _environment(mark: str) -> dict[str, str]:
    """Return the environment of a worker, which the worker resets to ours for its steps."""
    variables = {
        MARK: mark,
        OWN_PATH: os.environ.get("PYTHONPATH", ""),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    return {**os.environ, **variables}
