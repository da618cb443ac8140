"""Reporters: how a run is told to people, on a terminal, as plain lines, or not at all."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from penstock.core import RunState, StepState
from penstock.execution._protocol import Reporter
from penstock.execution._result import PipelineResult, StepResult

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

_LOOKS = {
    StepState.FINISHED: ("✓", "green"),
    StepState.CACHED: ("≡", "cyan"),
    StepState.FAILED: ("✗", "bold red"),
    StepState.SKIPPED: ("-", "yellow"),
    StepState.KILLED: ("✗", "bold red"),
}


class QuietReporter:
    """Says nothing."""

    def run_started(self, run_id: str, name: str, steps: Sequence[str]) -> None:
        """See Reporter."""

    def step_started(self, step: str) -> None:
        """See Reporter."""

    def step_finished(self, result: StepResult) -> None:
        """See Reporter."""

    def run_finished(self, result: PipelineResult) -> None:
        """See Reporter."""


class LineReporter:
    """Writes a plain line per step; for logs and pipes.

    Args:
        stream: Where to; standard error by default.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._width = 0

    def run_started(self, run_id: str, name: str, steps: Sequence[str]) -> None:
        """See Reporter."""
        self._width = max((len(step) for step in steps), default=0)
        self._say(f"run {run_id}: {name}, {_count(len(steps), 'step')}")

    def step_started(self, step: str) -> None:
        """See Reporter."""

    def step_finished(self, result: StepResult) -> None:
        """See Reporter."""
        took = f"  {_duration(result.seconds)}" if result.state is StepState.FINISHED else ""
        self._say(f"  {result.name:<{self._width}}  {result.state.value}{took}")
        for line in _explanation(result):
            self._say(f"    {line}")

    def run_finished(self, result: PipelineResult) -> None:
        """See Reporter."""
        for line in _ending(result):
            self._say(line)

    def _say(self, text: str) -> None:
        print(text, file=self._stream or sys.stderr)


class RichReporter:
    """Shows a moving line for the step that runs, and a mark for each that has ended.

    Args:
        console: Where to; standard error by default.
    """

    def __init__(self, console: "Console | None" = None) -> None:
        self._given = console
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._width = 0

    def run_started(self, run_id: str, name: str, steps: Sequence[str]) -> None:
        """See Reporter."""
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._width = max((len(step) for step in steps), default=0)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=self._given or Console(stderr=True),
            transient=True,
        )
        self._console.print(
            f"[bold]{name}[/]  [dim]run {run_id}, {_count(len(steps), 'step')}[/]", highlight=False
        )
        self._progress.start()

    def step_started(self, step: str) -> None:
        """See Reporter."""
        if self._progress:
            self._task = self._progress.add_task(f"{step:<{self._width}}", total=None)

    def step_finished(self, result: StepResult) -> None:
        """See Reporter."""
        if self._progress and self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None
        mark, look = _LOOKS.get(result.state, ("·", "dim"))
        finished = result.state is StepState.FINISHED
        told = _duration(result.seconds) if finished else result.state.value
        self._console.print(
            f"[{look}]{mark}[/] {result.name:<{self._width}}  [dim]{told}[/]", highlight=False
        )
        for line in _explanation(result):
            self._console.print(f"    {line}", highlight=False, markup=False)

    def run_finished(self, result: PipelineResult) -> None:
        """See Reporter."""
        if self._progress:
            self._progress.stop()
        for line in _ending(result):
            self._console.print(line, highlight=False, markup=False)

    @property
    def _console(self) -> "Console":
        if self._progress is None:
            raise RuntimeError("run_started comes first")
        return self._progress.console


def default_reporter() -> Reporter:
    """Choose by where standard error goes: a terminal gets movement, a file plain lines."""
    return RichReporter() if sys.stderr.isatty() else LineReporter()


def _explanation(result: StepResult) -> list[str]:
    """Tell why a step has no result; the frames of the user's code stand below the sentence."""
    if result.state is StepState.SKIPPED and result.error:
        return [result.error]
    if result.state is not StepState.FAILED or not result.error:
        return []
    frames = [
        line
        for line in (result.traceback or "").splitlines()
        if line.startswith(("  File", "    "))
    ]
    return [result.error, *frames[-_SHOWN_FRAMES:]]


def _ending(result: PipelineResult) -> list[str]:
    lines = [f"run {result.run_id} {result.state.value}"]
    if result.error:
        lines[0] += f": {result.error}"
    if result.state is not RunState.FINISHED:
        lines.append(f"Go on with:  {result.resume_command}")
    if result.model_version:
        told = "registered, but a gate says no" if result.refused else "registered"
        lines.append(f"{told}: {result.model_version}")
    return lines


_SHOWN_FRAMES = 8


def _duration(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds < 60 else f"{seconds / 60:.1f} min"  # noqa: PLR2004


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
