"""A worker process of a run pool: executes ordered runs in sequence; started by penstock only."""

import os
import signal
import sys
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import TextIO

from penstock.execution.runners._run_order import RunExecutor, RunOrder
from penstock.execution.runners._run_pool import RunSetup, pipeline_of
from penstock.execution.runners._worker import Relay, restore_path
from penstock.stores import open_store


class _Sender:
    """RunListener that sends to the process that ordered the runs."""

    def __init__(self, connection: Connection, lock: threading.Lock) -> None:
        self._connection, self._lock = connection, lock

    def started(self, run_id: str) -> None:
        """See RunListener."""
        with self._lock:
            self._connection.send(("started", run_id))

    def reported(self, run_id: str, value: float, step: float | None) -> bool:  # noqa: ARG002
        """See RunListener."""
        with self._lock:
            self._connection.send(("reported", value, step))
            return bool(self._connection.recv())


def serve(connection: Connection) -> None:
    """Execute the ordered runs until the connection is closed."""
    setup: RunSetup = connection.recv()
    sys.path[:] = list(setup.path)
    lock = threading.Lock()
    relay: TextIO = Relay(connection, lock)  # type: ignore[assignment] # what a stream is asked for
    sys.stdout = sys.stderr = relay
    store = open_store(setup.store, artifacts=setup.artifacts)
    executor = RunExecutor(pipeline_of(setup), store, _Sender(connection, lock))
    with executor, suppress(EOFError, OSError):
        while True:
            order: RunOrder = connection.recv()
            end = executor.execute(order)
            with lock:
                connection.send(("ended", end))
    store.close()


def main() -> None:
    """Serve on the inherited connection: connection number and parent's id are arguments."""
    number, parent = map(int, sys.argv[1:3])
    restore_path()
    if os.getppid() != parent:  # the parent died before
        sys.exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the ordering process decides what ends
    serve(Connection(number))


if __name__ == "__main__":
    main()
