"""Reporter: the seam to whoever wants to be told how a run goes."""

from collections.abc import Sequence
from typing import Protocol

from penstock.execution._result import PipelineResult, StepResult


class Reporter(Protocol):
    """Tells people how a run goes; called in the runner's thread, must not raise."""

    def run_started(self, run_id: str, name: str, steps: Sequence[str]) -> None: ...
    def step_started(self, step: str) -> None: ...
    def step_finished(self, result: StepResult) -> None: ...
    def run_finished(self, result: PipelineResult) -> None: ...
