"""Reporters: progress of a run on a terminal, as plain lines, or not at all."""

import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from penstock.core import RunState, StepRunRecord, StepState
from penstock.execution.engine import KEPT, PipelineResult, Reporter

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

_LOOKS = {
    StepState.FINISHED: ("✓", "green"),
    StepState.CACHED: ("≡", "cyan"),
    StepState.FAILED: ("✗", "bold red"),
    StepState.SKIPPED: ("-", "yellow"),
    StepState.QUEUED: ("?", "bold yellow"),
    StepState.KILLED: ("✗", "bold red"),
}


class QuietReporter:
    """Reporter without output."""

    def run_started(self, run_id: str, name: str, steps: Sequence[str]) -> None:
        """See Reporter."""

    def step_started(self, step: str) -> None:
        """See Reporter."""

    def items_started(self, step: str, count: int) -> None:
        """See Reporter."""

    def item_finished(self, step: str, record: StepRunRecord) -> None:
        """See Reporter."""

    def step_finished(self, record: StepRunRecord) -> None:
        """See Reporter."""

    def run_finished(self, result: PipelineResult) -> None:
        """See Reporter."""


class LineReporter:
    """Reporter that writes a plain line per step; for logs and pipes.

    Args:
        stream: Stream to write to; standard error by default.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._width = 0
        self._items = _Items()

    def run_started(self, run_id: str, name: str, steps: Sequence[str]) -> None:
        """See Reporter."""
        self._width = max((len(step) for step in steps), default=0)
        self._say(f"run {run_id}: {name}, {_count(len(steps), 'step')}")

    def step_started(self, step: str) -> None:
        """See Reporter."""

    def items_started(self, step: str, count: int) -> None:
        """See Reporter."""
        if not self._items.begin(step, count) and "[" not in step:  # inner maps: see outer
            self._say(f"  {step:<{self._width}}  {_count(count, 'item')}")

    def item_finished(self, step: str, record: StepRunRecord) -> None:
        """See Reporter."""
        for line in self._items.ended(step, record):
            self._say(f"  {line}")
        if "[" not in step and self._items.is_due(step):
            self._say(f"  {step:<{self._width}}  {self._items.progress(step)}")

    def step_finished(self, record: StepRunRecord) -> None:
        """See Reporter."""
        executed = record.state is StepState.FINISHED and KEPT not in record.facts
        took = f"  {_duration(record.seconds)}" if executed else ""
        self._say(f"  {record.step:<{self._width}}  {_state_of(record)}{took}")
        for line in _explanation(record):
            self._say(f"    {line}")

    def run_finished(self, result: PipelineResult) -> None:
        """See Reporter."""
        for line in _ending(result):
            self._say(line)

    def _say(self, text: str) -> None:
        print(text, file=self._stream or sys.stderr)


class RichReporter:
    """Reporter with a spinner for the running step, and a mark for each step that has ended.

    Args:
        console: Console to write to; standard error by default.
    """

    def __init__(self, console: "Console | None" = None) -> None:
        self._given = console
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._width = 0
        self._items = _Items()

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
        if self._progress and "[" not in step:  # items are reported with their map
            self._tasks[step] = self._progress.add_task(f"{step:<{self._width}}", total=None)

    def items_started(self, step: str, count: int) -> None:
        """See Reporter."""
        self._items.begin(step, count)

    def item_finished(self, step: str, record: StepRunRecord) -> None:
        """See Reporter."""
        for line in self._items.ended(step, record):
            self._console.print(f"    {line}", highlight=False, markup=False)
        if self._progress and step in self._tasks:
            text = f"{step:<{self._width}}  {self._items.progress(step)}"
            self._progress.update(self._tasks[step], description=text)

    def step_finished(self, record: StepRunRecord) -> None:
        """See Reporter."""
        task = self._tasks.pop(record.step, None)
        if self._progress and task is not None:
            self._progress.remove_task(task)
        state = StepState.CACHED if KEPT in record.facts else record.state
        mark, look = _LOOKS.get(state, ("·", "dim"))
        executed = record.state is StepState.FINISHED and KEPT not in record.facts
        text = _duration(record.seconds) if executed else _state_of(record)
        self._console.print(
            f"[{look}]{mark}[/] {record.step:<{self._width}}  [dim]{text}[/]", highlight=False
        )
        for line in _explanation(record):
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


class _Items:
    """Counter of the items of maps, which also decides when to report them."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._ended: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._reported_at: dict[str, float] = {}

    def begin(self, step: str, count: int) -> bool:
        """Add to the number of items; return True if the step had items already, as a loop has."""
        known = step in self._counts
        self._counts[step] = self._counts.get(step, 0) + count
        self._reported_at.setdefault(step, time.monotonic())
        return known

    def ended(self, step: str, record: StepRunRecord) -> list[str]:
        """Count an item; return lines about the failure, for the first few failed items."""
        self._ended[step] += 1
        if record.state is not StepState.FAILED:
            return []
        self._failed[step] += 1
        if self._failed[step] > _SHOWN_FAILURES:
            return []
        return [f"{record.step}  failed", *(f"  {line}" for line in _explanation(record))]

    def is_due(self, step: str) -> bool:
        """Return whether no line was written for a while."""
        moment = time.monotonic()
        if moment - self._reported_at[step] < _EVERY_S:
            return False
        self._reported_at[step] = moment
        return True

    def progress(self, step: str) -> str:
        """Return the progress as text."""
        text = f"{self._ended[step]:,} of {self._counts[step]:,}"
        return text + (f", {self._failed[step]:,} failed" if self._failed[step] else "")


def default_reporter() -> Reporter:
    """Return a rich reporter if standard error is a terminal, else a line reporter."""
    return RichReporter() if sys.stderr.isatty() else LineReporter()


def _state_of(record: StepRunRecord) -> str:
    return "kept" if KEPT in record.facts else record.state.value


def _explanation(record: StepRunRecord) -> list[str]:
    """Explain why a step has no result; frames of the user's code follow the sentence."""
    if record.state in {StepState.SKIPPED, StepState.QUEUED} and record.error:
        return [record.error]
    unfollowed = record.facts.get("key_parts", {}).get("unfollowed")
    if record.state is StepState.FINISHED and unfollowed:
        places = ", ".join(unfollowed)
        return [f"never reused: {places} runs what only the run knows; see @step(uses=…)"]
    if record.state is not StepState.FAILED or not record.error:
        return []
    frames = [
        line
        for line in (record.traceback or "").splitlines()
        if line.startswith(("  File", "    "))
    ]
    return [record.error, *frames[-_SHOWN_FRAMES:]]


def _ending(result: PipelineResult) -> list[str]:
    lines = [f"run {result.run_id} {result.state.value}"]
    if result.error:
        lines[0] += f": {result.error}"
    if result.waits_for:
        lines.append(f"Approve with:  {result.approve_command}")
    if result.state is not RunState.FINISHED:
        lines.append(f"Resume with:  {result.resume_command}")
    if result.model_version:
        text = "registered, but a gate failed" if result.refused else "registered"
        lines.append(f"{text}: {result.model_version}")
        following = "models" if result.refused else "promote"
        lines.append(f"Next:  penstock {following} {result.model_version}")
    return lines


_SHOWN_FRAMES = 8
_SHOWN_FAILURES = 5
_EVERY_S = 10.0


def _duration(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds < 60 else f"{seconds / 60:.1f} min"  # noqa: PLR2004


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
