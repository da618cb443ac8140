"""A run in a process of its own: started by command, so that it outlives who started it."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from penstock.stores import Store

_TOLD = 2000  # characters of what it printed last


@dataclass(frozen=True, slots=True)
class RunOrder:
    """What a process is to run.

    Args:
        target: ``file.py:name`` or ``module:name``.
        run_id: The id that the run gets, or of the run to resume.
        params: Parameters as plain JSON.
        tags: Marks on the run.
        partition: The partition to run for.
        runner: Where its steps run.
        workers: How many at once.
    """

    target: str
    run_id: str
    params: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    partition: str | None = None
    runner: str = "local"
    workers: int | None = None

    def command(self, *, resume: bool) -> Sequence[str]:
        """Give the command that starts the run, or goes on with it."""
        words = [sys.executable, "-P", "-m", "penstock.cli", "run", self.target, "--quiet"]
        words += ["--on", self.runner]
        if self.workers is not None:
            words += ["--workers", str(self.workers)]
        if resume:
            return [*words, "--resume", self.run_id]
        words += ["--run-id", self.run_id]
        if self.partition is not None:
            words += ["--partition", self.partition]
        for name, value in self.tags.items():
            words += ["--tag", f"{name}={value}"]
        for name, value in self.params.items():
            text = value if isinstance(value, str) else json.dumps(value)
            words += ["--set", f"{name}={text}"]
        return words


@contextmanager
def undisturbed() -> Iterator[None]:
    """Put Ctrl-C off until the block has ended: what was just started must not be forgotten."""
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
    """A started run.

    Args:
        order: What to run.
        store: Where it is recorded.
        project: The folder to run it in.
        resume: True to go on with a run that is there.
    """

    def __init__(self, order: RunOrder, store: Store, project: Path, *, resume: bool) -> None:
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
        """Give the exit code, or None while it goes on."""
        return self._process.poll()

    def interrupt(self) -> None:
        """Ask it to stop; the run is marked as killed and can be resumed."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGINT)

    def wait(self) -> int:
        """Wait for the end, and give the exit code."""
        return self._process.wait()

    def printed(self) -> str:
        """Give the end of what it printed."""
        self._printed.seek(0)
        return self._printed.read().decode(errors="replace").strip()[-_TOLD:]

    def close(self) -> None:
        """Forget it; if it goes on, it does so alone."""
        self._printed.close()
        if self._process.returncode is None:
            self._process.returncode = 0  # not to be warned of: it is meant to go on
