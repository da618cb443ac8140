"""Reporter: the seam for progress reports of a run."""

from collections.abc import Sequence
from typing import Protocol

from penstock.core import StepRunRecord
from penstock.execution.engine._result import PipelineResult


class Reporter(Protocol):
    """Receiver of a run's progress; called in the runner's thread, must not raise."""

    def run_started(self, run_id: str, name: str, steps: Sequence[str]) -> None:
        """Report that a run begins, with the names of all steps."""
        ...

    def step_started(self, step: str) -> None:
        """Report that a step begins."""
        ...

    def items_started(self, step: str, count: int) -> None:
        """Report that a map or loop begins, with the number of items."""
        ...

    def item_finished(self, step: str, record: StepRunRecord) -> None:
        """Report the end of an item of a step."""
        ...

    def step_finished(self, record: StepRunRecord) -> None:
        """Report the end of a step: executed, cached, failed or skipped."""
        ...

    def run_finished(self, result: PipelineResult) -> None:
        """Report the end of the run."""
        ...
