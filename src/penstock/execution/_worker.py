"""A worker process: takes one order after the other, executes it and answers; started by us only.

It dies with the process that started it: a watcher sees to that (see ``_watcher``), and it notices
by itself that nobody sends orders any more.
"""

import os
import signal
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any, TextIO

from penstock.execution._orders import Order, Setup, Workshop
from penstock.execution._shared_inputs import SharedInputs
from penstock.execution._work import Done, Work, failed
from penstock.execution._workplace import Workplace
from penstock.pipelines import Node
from penstock.stores import Store, open_store
from penstock.tracking import Run, use_run

OWN_PATH = "PENSTOCK_OWN_PYTHONPATH"
"""Variable in which a worker gets the PYTHONPATH of the run's process: its own finds penstock."""


class Worker:
    """Executes orders of one run.

    Args:
        setup: What it was told.
        store: The run's store.
    """

    def __init__(self, setup: Setup, store: Store) -> None:
        self._store = store
        record = store.metadata.runs.get(setup.run_id)
        self._run = Run(record, store)
        self._workshop = Workshop(setup, store, record.arguments)
        self._workplace = Workplace(store, self._workshop.project)
        if setup.scratch is not None:
            store.unpacked = SharedInputs(setup.scratch, store).load

    def execute(self, order: Order) -> Done:
        """Execute an order; whatever goes wrong is in the answer."""
        try:
            node = self._workshop.node(order)
            inputs = self._inputs(node, order)
        except Exception as error:  # noqa: BLE001 - a step that cannot be found or fed has failed
            return failed(order.name, error)
        self._workplace.project = self._workshop.project  # known once the pipeline is loaded
        with use_run(self._run):
            done = self._workplace.do(Work(node, order.record), inputs)
        if "logged_in" in done.facts:
            self._store.flush()  # before its end is told: what it logged is there by then
        return replace(done, values={})

    def _inputs(self, node: Node, order: Order) -> dict[str, Any] | Exception:
        try:
            return {
                path: self._store.load(order.inputs[path])
                for path in node.inputs
                if path in order.inputs
            }
        except Exception as error:  # noqa: BLE001 - told as the step's failure
            return error


class Relay:
    """A text stream that sends what is written to the run's process, which shows it."""

    encoding = "utf-8"

    def __init__(self, connection: Connection, lock: threading.Lock) -> None:
        self._connection, self._lock = connection, lock

    def write(self, text: str) -> int:
        """Send text."""
        with self._lock, suppress(OSError):
            self._connection.send(("said", text))
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""

    def isatty(self) -> bool:
        """Progress bars are for terminals."""
        return False

    def fileno(self) -> int:
        """Give where programs that this one starts write to."""
        return 2


def serve(connection: Connection) -> None:
    """Answer orders until nobody sends any."""
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
            order = connection.recv()
            done = worker.execute(order)
            with lock:
                connection.send(("done", done))
    store.close()


def _restore_path() -> None:
    """Give steps, and the programs that they start, the environment that the run has."""
    own = os.environ.pop(OWN_PATH, "")
    if own:
        os.environ["PYTHONPATH"] = own
    else:
        os.environ.pop("PYTHONPATH", None)


def main() -> None:
    """Serve on the connection that was inherited: its number and the parent's are arguments."""
    number, parent = map(int, sys.argv[1:3])
    _restore_path()
    if os.getppid() != parent:  # it died before
        sys.exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the run's process decides what is ended
    serve(Connection(number))


if __name__ == "__main__":
    main()
