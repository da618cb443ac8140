"""A run in a separate process, which outlives the process that started the run."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from penstock.execution import RunOptions
from penstock.pipelines import EntryPoint
from penstock.stores import Store

_TOLD = 2000  # characters kept of the end of the process's output


@dataclass(frozen=True, slots=True)
class RunCommand:
    """The command of a process that executes a run.

    Args:
        target: Entry point of the pipeline.
        params: Parameters of the pipeline as plain JSON.
        options: Options of the run, with the id of the new run or of the run to resume.
    """

    target: EntryPoint
    params: Mapping[str, Any]
    options: RunOptions

    @property
    def run_id(self) -> str:
        """Id of the run."""
        return str(self.options.run_id)

    def command(self, *, resume: bool) -> Sequence[str]:
        """Return the command that starts or resumes the run."""
        options = self.options
        words = [sys.executable, "-P", "-m", "penstock.cli", "run", str(self.target), "--quiet"]
        words += ["--runner", options.runner]
        if options.workers is not None:
            words += ["--workers", str(options.workers)]
        if resume:
            return [*words, "--resume", self.run_id]
        words += ["--run-id", self.run_id]
        if options.partition is not None:
            words += ["--partition", options.partition]
        for name, value in (options.tags or {}).items():
            words += ["--tag", f"{name}={value}"]
        for name, value in self.params.items():
            text = value if isinstance(value, str) else json.dumps(value)
            words += ["--set", f"{name}={text}"]
        return words


@contextmanager
def undisturbed() -> Iterator[None]:
    """Delay Ctrl-C until the block has ended, so that a process just started is not lost."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        signal.raise_signal(signal.SIGINT)


class RunProcess:
    """A started process of a run.

    Args:
        order: The run to execute.
        store: Store that records the run.
        project: Working directory of the run.
        resume: True to resume a recorded run.
    """

    def __init__(self, order: RunCommand, store: Store, project: Path, *, resume: bool) -> None:
        self.order = order
        self._printed: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        environment = {
            **os.environ,
            "PYTHONHASHSEED": "0",
            "PENSTOCK_STORE": store.address,
            "PENSTOCK_ARTIFACTS": store.artifacts.url,
            "PENSTOCK_PROJECT": str(project),
        }
        self._process = subprocess.Popen(  # noqa: S603 - our own module, no shell
            order.command(resume=resume),
            cwd=project,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a Ctrl-C meant for the scheduler is not meant for the run
        )

    def ended(self) -> int | None:
        """Return the exit code, or None while the process runs."""
        return self._process.poll()

    def interrupt(self) -> None:
        """Interrupt the process; the run is marked as killed and can be resumed."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGINT)

    def wait(self) -> int:
        """Wait for the process to end, and return the exit code."""
        return self._process.wait()

    def printed(self) -> str:
        """Return the end of the process's output."""
        self._printed.seek(0)
        return self._printed.read().decode(errors="replace").strip()[-_TOLD:]

    def close(self) -> None:
        """Release the process without ending the run."""
        self._printed.close()
        if self._process.returncode is None:
            # Prevents Popen's ResourceWarning: the process is meant to keep running.
            self._process.returncode = 0
