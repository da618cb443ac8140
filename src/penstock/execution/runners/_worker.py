"""A worker process: takes work in sequence, executes and answers; started by penstock only.

The worker ends with the process that started it: a watcher sees to that (see ``_watcher``), and it
notices a closed connection by itself.
"""

import os
import signal
import sys
import threading
from contextlib import AbstractContextManager, nullcontext, suppress
from multiprocessing.connection import Connection
from typing import Any, TextIO

from penstock.distributed import only_fixed_order
from penstock.execution.runners._ranks import run_ranks
from penstock.execution.runners._setup import Setup
from penstock.execution.runners._shared_inputs import SharedInputs
from penstock.execution.runners._workshop import Workshop
from penstock.execution.step import Outcome, Work, Workplace, failed
from penstock.stores import Store, open_store
from penstock.tracking import FollowerRun, Run, use_run

OWN_PATH = "PENSTOCK_OWN_PYTHONPATH"
"""Variable with the PYTHONPATH of the run's process: the worker's own PYTHONPATH finds penstock."""


class Worker:
    """Executor of a run's work that is sent to this process.

    Args:
        setup: Settings of the worker.
        store: Store of the run.
        rank: Number of this process among those that execute a step together; None for a worker
            that executes steps by itself, and starts ranks for those with workers.
    """

    def __init__(self, setup: Setup, store: Store, *, rank: int | None = None) -> None:
        self._setup, self._store, self._rank = setup, store, rank
        record = store.metadata.runs.get(setup.run_id)
        self._run = Run(record, store)
        self._workshop = Workshop(setup, store, record.arguments)
        self._workplace = Workplace(store, self._workshop.project, rank=rank)
        if setup.scratch is not None:
            store.unpacked = SharedInputs(setup.scratch, store).load

    def follow(self, scratch: Store) -> None:
        """Log to a store that is thrown away: the first rank's run is the run."""
        self._run = FollowerRun(self._run, scratch)

    def execute(self, name: str, packed: bytes) -> Outcome:
        """Execute work; an error is part of the outcome.

        Args:
            name: Name of the step, for an error before the work can be read.
            packed: The work, see `pack_work`.
        """
        try:
            work = self._workshop.unpack(packed)
        except Exception as error:  # noqa: BLE001 - a step that cannot be found has failed
            return failed(name, error)
        if self._rank is None and (work.node.step.workers or 1) > 1:
            return run_ranks(self._setup, work, packed, self._store)
        self._workplace.project = self._workshop.project  # known once the pipeline is loaded
        with use_run(self._run), self._guard(work):
            outcome = self._workplace.do(work, self._inputs(work))
        if "logged_in" in outcome.facts:
            self._store.flush()  # logged metrics must be stored before the end is reported
        return outcome.without_results()

    def _guard(self, work: Work) -> AbstractContextManager[None]:
        """Refuse sums whose order depends on the number of workers, in a step with shards."""
        if self._rank is None or work.node.step.shards is None:
            return nullcontext()
        return only_fixed_order()

    def _inputs(self, work: Work) -> dict[str, Any] | Exception:
        try:
            return {path: self._store.load(record) for path, record in work.inputs.items()}
        except Exception as error:  # noqa: BLE001 - reported as the step's failure
            return error


class Relay:
    """A text stream that sends written text to the run's process, which displays the text."""

    encoding = "utf-8"

    def __init__(self, connection: Connection, lock: threading.Lock) -> None:
        self._connection, self._lock = connection, lock

    def write(self, text: str) -> int:
        """Send text."""
        with self._lock, suppress(OSError):
            self._connection.send(("said", text))
        return len(text)

    def flush(self) -> None:
        """Do nothing: no text is buffered."""

    def isatty(self) -> bool:
        """Return False: progress bars are for terminals."""
        return False

    def fileno(self) -> int:
        """Return the descriptor that child processes write to."""
        return 2


def serve(connection: Connection) -> None:
    """Execute the work that is sent until the connection is closed."""
    setup: Setup = connection.recv()
    sys.path[:] = list(setup.path)
    lock = threading.Lock()
    relay: TextIO = Relay(connection, lock)  # type: ignore[assignment] # what a stream is asked for
    sys.stdout = sys.stderr = relay
    store = open_store(setup.store, artifacts=setup.artifacts)
    worker = Worker(setup, store)
    with lock:
        connection.send(("ready", os.getpid()))
    with suppress(EOFError, OSError):
        while True:
            name, packed = connection.recv()
            outcome = worker.execute(name, packed)
            with lock:
                connection.send(("done", outcome))
    store.close()


def restore_path() -> None:
    """Restore the run's environment for steps, and for the programs that they start."""
    own = os.environ.pop(OWN_PATH, "")
    if own:
        os.environ["PYTHONPATH"] = own
    else:
        os.environ.pop("PYTHONPATH", None)


def main() -> None:
    """Serve on the inherited connection: connection number and parent's id are arguments."""
    number, parent = map(int, sys.argv[1:3])
    restore_path()
    if os.getppid() != parent:  # the parent died before
        sys.exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the run's process decides which processes end
    serve(Connection(number))


if __name__ == "__main__":
    main()
