"""Runner and Reporter: the seams of execution that others may implement."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from penstock.execution._result import PipelineResult, StepResult

if TYPE_CHECKING:
    from penstock.execution._session import Session


class Runner(Protocol):
    """Executes the steps of a session and records each in its store.

    ``run`` is called once, in the thread that the user waits in. It records every step before it
    returns, and lets KeyboardInterrupt through after marking the step that was running as killed.
    """

    def run(self, session: "Session") -> list[StepResult]:
        """Execute every step that can run, in order, and give their results."""
        ...


class Reporter(Protocol):
    """Tells people how a run goes; called in the runner's thread, must not raise."""

    def run_started(self, run_id: str, name: str, steps: Sequence[str]) -> None: ...
    def step_started(self, step: str) -> None: ...
    def step_finished(self, result: StepResult) -> None: ...
    def run_finished(self, result: PipelineResult) -> None: ...
