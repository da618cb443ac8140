"""Step runs with their logs, decisions about them, and leases on what few may use."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Protocol

from penstock.core import ArtifactRecord, DecisionRecord, Edge, LogLine, StepRunRecord


class StepStore(Protocol):
    """Step runs with their logs, decisions about them, and leases on what few may use."""

    def start(self, step: StepRunRecord) -> None:
        """Record that a step run begins, or waits."""
        ...

    def finish(
        self,
        step: StepRunRecord,
        *,
        outputs: Sequence[ArtifactRecord] = (),
        edges: Iterable[Edge] = (),
        logs: Sequence[LogLine] = (),
        next_step: StepRunRecord | None = None,
    ) -> None:
        """Record a step's end with its artifacts, edges and log; start the next in the same commit.

        A step that was never started (cached, skipped) is inserted.
        """
        ...

    def find_cached(
        self, key: str, holds: Callable[[StepRunRecord], bool] | None = None
    ) -> StepRunRecord | None:
        """The newest finished step run with this key whose outputs are all still recorded.

        With ``holds``, the newest of which that says True; some of the newest are tried. The
        outputs are renewed, see renew_artifacts.
        """
        ...

    def add_decision(self, decision: DecisionRecord) -> None:
        """Record that someone let a step go on, or not; the latest counts."""
        ...

    def list_decisions(self, run_id: str) -> list[DecisionRecord]:
        """The decisions about steps of a run, oldest first."""
        ...

    def take_lease(self, name: str, holder: str, until: datetime, *, most: int = 1) -> bool:
        """Take one of so many leases of a name, or prolong one's own; False if all are taken.

        A lease that has run out is free. Any number of processes may ask at once.
        """
        ...

    def list_holders(self, name: str) -> list[str]:
        """Who holds a lease of a name."""
        ...

    def drop_lease(self, name: str, holder: str) -> None:
        """Give a lease back; nothing happens if it is not held."""
        ...

    def add_logs(self, run_id: str, lines: Sequence[LogLine]) -> None:
        """Add what a tracked run printed; it is listed by the run's id."""
        ...

    def list_logs(self, step_run_id: str) -> list[LogLine]:
        """What a step wrote, or a tracked run."""
        ...

    def list(self, run_id: str) -> list[StepRunRecord]:
        """Latest state of each step of the run, by position."""
        ...
