"""A rank: a process among those that execute a step together; started by torch's elastic agent.

The request and the outcomes are files in a folder of the step; torch's environment names the rank.
"""

import pickle
import sys
import time
from pathlib import Path
from typing import TextIO

from penstock.distributed import find_world, join_world
from penstock.execution.runners._rank_files import ECHO, outcome_path, request_path
from penstock.execution.runners._setup import Setup
from penstock.execution.runners._worker import Worker
from penstock.execution.step import Outcome, failed
from penstock.stores import open_store

_LINGER_S = 1.0  # a rank that lost a peer ends after the peer was noticed


class _Echo:
    """A text stream that writes to a file, which the supervising process shows."""

    encoding = "utf-8"

    def __init__(self, path: Path | None) -> None:
        self._file = None if path is None else path.open("a", buffering=1, encoding="utf-8")

    def write(self, text: str) -> int:
        """Write text."""
        if self._file is not None:
            self._file.write(text)
        return len(text)

    def flush(self) -> None:
        """Write buffered output."""
        if self._file is not None:
            self._file.flush()

    def isatty(self) -> bool:
        """Return False: progress bars are for terminals."""
        return False

    def fileno(self) -> int:
        """Return the descriptor that child processes write to."""
        return 2


def main() -> None:
    """Execute the work in the folder that the command line names; ends with 1 after a failure."""
    folder, world = Path(sys.argv[1]), find_world()
    request: tuple[Setup, str, bytes] = pickle.loads(request_path(folder).read_bytes())  # noqa: S301 - written by our own process
    setup, name, packed = request
    sys.path[:] = list(setup.path)
    echo: TextIO = _Echo(folder / ECHO if world.rank == 0 else None)  # type: ignore[assignment] # what a stream is asked for
    sys.stdout = sys.stderr = echo
    outcome = _execute(folder, setup, name, packed)
    path = outcome_path(folder, world.rank)
    path.with_suffix(".part").write_bytes(pickle.dumps(outcome))
    path.with_suffix(".part").rename(path)
    echo.flush()
    if outcome.error is not None:
        time.sleep(_LINGER_S)
        sys.exit(1)


def _execute(folder: Path, setup: Setup, name: str, packed: bytes) -> Outcome:
    world = find_world()
    with open_store(setup.store, artifacts=setup.artifacts) as store:
        try:
            worker = Worker(setup, store, rank=world.rank)
            join_world()
            if world.rank:
                worker.follow(open_store(str(folder / f"rank-{world.rank}")))
        except Exception as error:  # noqa: BLE001 - a step that cannot start has failed
            return failed(name, error)
        return worker.execute(name, packed)


if __name__ == "__main__":
    main()
