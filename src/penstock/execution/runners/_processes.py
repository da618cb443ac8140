"""ProcessRunner: executes steps and items in parallel, in worker processes that stay warm."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import wait
from pathlib import Path

import psutil

from penstock.core import ParameterError, StepRunRecord, parse_bytes
from penstock.execution.engine import Session, StepScheduler, Values
from penstock.execution.runners._cards import Cards
from penstock.execution.runners._setup import Setup, make_setup
from penstock.execution.runners._watch import Watch
from penstock.execution.runners._worker_process import (
    WorkerProcess,
    kill_processes,
    start_process,
)
from penstock.execution.runners._workshop import pack_work
from penstock.execution.step import Outcome, Work, failed, lost
from penstock.pipelines import Graph

_GRACE_S = 2.0  # a step over its timeout ends by itself, unless stuck below Python
_LOOK_EVERY_S = 0.1  # interval of memory checks


class ProcessRunner:
    """Runner that executes steps in processes, which are started once and reused.

    Processes are spawned, not forked, so that they share no threads or locks with this process.
    Steps that can run at the same time do; results equal the local runner's, bit for bit.
    """

    def check(self, graph: Graph) -> None:
        """See Runner; a separate process honours every option of a step."""

    def run(self, session: Session) -> list[StepRunRecord]:
        """See Runner."""
        with process_pool(session) as pool:
            return StepScheduler(session, pool).run()


@contextmanager
def process_pool(session: Session, *, size: int | None = None) -> Iterator["ProcessPool"]:
    """Start worker processes for a session; all are ended when the block ends.

    Raises:
        ParameterError: If this system cannot pass a connection to a process.
    """
    if os.name == "nt":
        raise ParameterError(
            what="Steps cannot run in processes of their own on Windows.",
            why="Workers get their connection as an inherited file, which Windows does not have.",
            fix="Use the runner local or ray, or run it in WSL.",
        )
    scratch = Path(tempfile.mkdtemp(prefix="penstock-run-", dir=_memory_folder()))
    pool = ProcessPool(
        make_setup(session, scratch), size or session.options.workers or os.cpu_count() or 1
    )
    try:
        yield pool
    finally:
        pool.close()
        shutil.rmtree(scratch, ignore_errors=True)


class ProcessPool:
    """Worker processes of this machine.

    Args:
        setup: Settings that each worker gets at the start.
        size: Maximum number of steps at the same time, weighted by the threads that they ask for.
    """

    def __init__(self, setup: Setup, size: int) -> None:
        self._setup, self._size = setup, size
        self._guard, self._started = Watch(), 0
        self._idle: list[WorkerProcess] = []
        self._busy: list[WorkerProcess] = []
        self._ended: list[tuple[Work, Outcome]] = []
        self._cards = Cards()

    @property
    def has_room(self) -> bool:
        """See Workers."""
        return sum(_threads(process.work, self._size) for process in self._busy) < self._size

    def can_take(self, work: Work) -> bool:
        """See Workers."""
        return self._cards.fits(work.node)

    def submit(self, work: Work, values: Values) -> None:
        """See Workers."""
        try:
            packed = pack_work(self._setup, work, values)
        except Exception as error:  # noqa: BLE001 - a step that cannot be sent has failed
            self._ended.append((work, failed(work.node.name, error)))
            return
        process = self._process_with(self._cards.take(work.node))
        step = work.node.step
        process.work, process.began = work, time.monotonic()
        timeout = step.timeout.total_seconds() + _GRACE_S if step.timeout else None
        memory = parse_bytes(step.resources.memory) if step.resources.memory else None
        process.limits = (timeout, memory)
        self._busy.append(process)
        with suppress(OSError):  # the process is dead, which `wait` notices
            process.connection.send((work.node.name, packed))

    def wait(self, seconds: float | None) -> Sequence[tuple[Work, Outcome]]:
        """See Workers."""
        until = None if seconds is None else time.monotonic() + seconds
        while not self._ended and self._busy:
            left = None if until is None else max(0.0, until - time.monotonic())
            look = self._next_look()
            timeout = min((t for t in (left, look) if t is not None), default=None)
            ready = wait([process.connection for process in self._busy], timeout)
            for process in [p for p in self._busy if p.connection in ready]:
                self._receive(process)
            for process in list(self._busy):
                self._watch(process)
            if until is not None and time.monotonic() >= until:
                break
        ended, self._ended = self._ended, []
        return ended

    def cancel(self) -> None:
        """See Workers."""
        busy, self._busy = self._busy, []
        kill_processes(busy)
        for process in busy:
            self._cards.give_back(process.cards)
        self._ended.clear()

    def close(self) -> None:
        """End all processes: idle processes by themselves, busy processes by force."""
        self.cancel()
        for process in self._idle:
            process.connection.close()
        for process in self._idle:
            try:
                process.popen.wait(timeout=_GRACE_S)
            except subprocess.TimeoutExpired:
                kill_processes([process])
        self._idle.clear()
        self._guard.close()

    def _process_with(self, cards: tuple[str, ...]) -> WorkerProcess:
        """Take an idle process with these cards, which CUDA reads only once; else start a process."""
        for process in reversed(self._idle):
            if process.cards == cards:
                self._idle.remove(process)
                return process
        self._started += 1
        mark = f"{self._guard.mark}.{self._started}."
        return start_process(self._setup, self._guard, mark, cards)

    def _receive(self, process: WorkerProcess) -> None:
        try:
            kind, what = process.connection.recv()
        except (EOFError, OSError):
            self._lost(process)
            return
        if kind == "said":
            sys.stderr.write(what)
        elif kind == "ready":
            process.ready, process.began = True, time.monotonic()
        else:
            self._busy.remove(process)
            self._cards.give_back(process.cards)
            if process.work is not None:
                self._ended.append((process.work, what))
            process.work = None
            self._idle.append(process)

    def _lost(self, process: WorkerProcess) -> None:
        code = process.popen.wait()
        cause = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        hint = (
            "; the system ends processes so when memory is short" if code == -signal.SIGKILL else ""
        )
        self._end(process, f"its process ended with {cause}{hint}")

    def _watch(self, process: WorkerProcess) -> None:
        """End a process that is over the limits."""
        seconds, most = process.limits
        if seconds is not None and process.ready and time.monotonic() - process.began > seconds:
            self._end(process, f"it ran longer than its timeout of {seconds - _GRACE_S:g} s")
        elif most is not None:
            used = process.memory()
            if used > most:
                self._end(
                    process,
                    f"it used {used / 2**30:.2f} GiB of memory, more than its limit of"
                    f" {most / 2**30:.2f} GiB",
                )

    def _end(self, process: WorkerProcess, why: str) -> None:
        kill_processes([process])
        self._busy.remove(process)
        self._cards.give_back(process.cards)
        if process.work is not None:
            self._ended.append((process.work, lost(process.work.node.name, why)))

    def _next_look(self) -> float | None:
        """Return the seconds until limits need to be checked; None if never."""
        if any(process.limits[1] is not None for process in self._busy):
            return _LOOK_EVERY_S
        ends = [
            process.began + process.limits[0] - time.monotonic()
            for process in self._busy
            if process.limits[0] is not None
        ]
        return max(_LOOK_EVERY_S, min(ends)) if ends else None


def _threads(work: Work | None, size: int) -> int:
    step = work.node.step if work else None
    cores = (step.resources.cpu or 1) * (step.workers or 1) if step else 1
    return min(cores, size)


def _memory_folder() -> str | None:
    """Return the folder for shared files: in memory if enough is free, else None for the disk."""
    folder = "/dev/shm"  # noqa: S108 - a private folder is made in it
    try:
        return (
            folder if shutil.disk_usage(folder).free > psutil.virtual_memory().total / 4 else None
        )
    except OSError:
        return None
