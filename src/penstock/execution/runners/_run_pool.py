"""Run pools: execute whole runs, in this process or in parallel in worker processes."""

import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, Protocol, Self

from penstock.execution.engine import load_pipeline, project_of
from penstock.execution.runners._run_order import RunEnd, RunExecutor, RunListener, RunOrder
from penstock.execution.runners._surroundings import Arrived, Surroundings
from penstock.execution.runners._watch import Watch
from penstock.execution.runners._worker_process import (
    WorkerProcess,
    kill_processes,
    start_process,
)
from penstock.pipelines import EntryPoint, Pipeline
from penstock.stores import Store

_PROGRAM = "penstock.execution.runners._run_worker"


class RunPool(Protocol):
    """Executes ordered runs; all methods are called in one thread, as a with-block."""

    @property
    def size(self) -> int:
        """Maximum number of runs at the same time."""
        ...

    def submit(self, order: RunOrder) -> None:
        """Start a run; returns when the run is recorded, or could not be."""
        ...

    def wait(self) -> Sequence[RunEnd]:
        """Wait until a run has ended; return the runs that have ended."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(self, *error: object) -> None: ...


@dataclass(frozen=True)
class RunSetup:
    """Settings that a worker of a run pool gets at the start.

    Args:
        store: Address of the store.
        artifacts: URL of the artifact store.
        target: Entry point of the pipeline; None without a file.
        packed: What stands around the pipeline; the pipeline too, if it is in no file.
        path: Folders in which modules are searched.
    """

    store: str
    artifacts: str
    target: EntryPoint | None
    packed: bytes
    path: Sequence[str]


class LocalRunPool:
    """Run pool of this thread: a run is executed in `wait`.

    Args:
        pipeline: The pipeline.
        listener: Receiver of starts and points.
        store: Store that records the runs.
    """

    size = 1

    def __init__(
        self, pipeline: Pipeline[..., Any], listener: RunListener, *, store: Store
    ) -> None:
        self._executor = RunExecutor(pipeline, store, listener)
        self._orders: list[RunOrder] = []

    def submit(self, order: RunOrder) -> None:
        """See RunPool; the run is recorded in `wait`, before which no second run can be submitted."""
        self._orders.append(order)

    def wait(self) -> Sequence[RunEnd]:
        """See RunPool."""
        orders, self._orders = self._orders, []
        return [self._executor.execute(order) for order in orders]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._orders.clear()
        self._executor.__exit__(*error)


class ProcessRunPool:
    """Run pool of worker processes that stay warm; they end with this process, even if killed.

    Args:
        pipeline: The pipeline.
        listener: Receiver of starts and points, in this process.
        size: Maximum number of runs at the same time.
        store: Store that records the runs.
    """

    def __init__(
        self, pipeline: Pipeline[..., Any], listener: RunListener, *, size: int, store: Store
    ) -> None:
        self.size, self._listener = size, listener
        self._setup = make_run_setup(pipeline, store)
        self._guard, self._count = Watch(), 0
        self._idle: list[WorkerProcess] = []
        self._busy: dict[str, WorkerProcess] = {}
        self._recorded: set[str] = set()
        self._ended: list[RunEnd] = []

    def submit(self, order: RunOrder) -> None:
        """See RunPool."""
        process = self._idle.pop() if self._idle else self._start()
        self._busy[order.run_id] = process
        with suppress(OSError):  # the process is dead, which `_receive` notices
            process.connection.send(order)
        while order.run_id in self._busy and order.run_id not in self._recorded:
            self._receive(order.run_id)

    def wait(self) -> Sequence[RunEnd]:
        """See RunPool."""
        while not self._ended and self._busy:
            ready = wait([process.connection for process in self._busy.values()])
            for run_id in [r for r, p in self._busy.items() if p.connection in ready]:
                self._receive(run_id)
        ended, self._ended = self._ended, []
        return ended

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        kill_processes(list(self._busy.values()))
        for process in self._idle:
            process.connection.close()
        for process in self._idle:
            with suppress(Exception):
                process.popen.wait(timeout=2)
        kill_processes([process for process in self._idle if process.popen.poll() is None])
        self._busy.clear()
        self._idle.clear()
        self._guard.close()

    def _start(self) -> WorkerProcess:
        self._count += 1
        mark = f"{self._guard.mark}.{self._count}."
        return start_process(self._setup, self._guard, mark, (), module=_PROGRAM)

    def _receive(self, run_id: str) -> None:
        """Take a message about a run."""
        process = self._busy[run_id]
        try:
            kind, *values = process.connection.recv()
        except (EOFError, OSError):
            self._lost(run_id, process)
            return
        if kind == "said":
            sys.stderr.write(values[0])
        elif kind == "started":
            self._recorded.add(run_id)
            self._listener.started(run_id)
        elif kind == "reported":
            with suppress(OSError):
                process.connection.send(self._listener.reported(run_id, *values))
        else:
            self._idle.append(self._busy.pop(run_id))
            self._ended.append(values[0])

    def _lost(self, run_id: str, process: WorkerProcess) -> None:
        code = process.popen.wait()
        cause = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        del self._busy[run_id]
        kill_processes([process])
        self._ended.append(RunEnd(run_id, None, f"its process ended with {cause}"))


def make_run_setup(pipeline: Pipeline[..., Any], store: Store) -> RunSetup:
    """Return the settings for workers that execute runs of a pipeline."""
    project = project_of(pipeline.file)
    entry = EntryPoint.of(pipeline, project)
    target = entry.below(Path(project)) if entry else None
    modules = {pipeline.function.__module__ if entry else "__main__"}
    packed = Surroundings.here(modules).dump(None if entry else pipeline)
    return RunSetup(store.address, store.artifacts.url, target, packed, tuple(sys.path))


def pipeline_of(setup: RunSetup, target: EntryPoint | None = None) -> Pipeline[..., Any]:
    """Return the pipeline in a worker, after the patches and settings of its process are made.

    Args:
        setup: Settings of the worker.
        target: Entry point on this machine; by default that of the setup.
    """
    arrived, where = Arrived.load(setup.packed), target or setup.target
    arrived.make_patches()
    pipeline: Pipeline[..., Any] = arrived.what if where is None else load_pipeline(where)
    arrived.use_settings()
    return pipeline
