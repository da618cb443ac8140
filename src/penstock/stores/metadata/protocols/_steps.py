"""Step runs with their logs, approvals and rejections, claims, and leases on limited resources."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Protocol

from penstock.core import (
    ArtifactRecord,
    DecisionRecord,
    Edge,
    LogLine,
    RunState,
    StepClaim,
    StepRunRecord,
)


class StepStore(Protocol):
    """Step runs with their logs, approvals and rejections, claims, and leases on limited resources."""

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
        """Record a step's end with artifacts, edges and log; start the next in the same commit.

        A step that was never started (cached, skipped) is inserted.
        """
        ...

    def find_cached(
        self, key: str, holds: Callable[[StepRunRecord], bool] | None = None
    ) -> StepRunRecord | None:
        """Return the newest finished step run with this key whose outputs are all still recorded.

        With ``holds``, the newest for which that returns True; some of the newest are tried. The
        outputs are renewed, see renew_artifacts.
        """
        ...

    def list_cached(self, key: str, *, limit: int = 16) -> list[StepRunRecord]:
        """List the newest finished step runs with this key, newest first; see find_cached.

        Whether their outputs are still recorded is not known.
        """
        ...

    def add_decision(self, decision: DecisionRecord) -> None:
        """Record an approval or rejection of a step; the latest counts."""
        ...

    def list_decisions(self, run_id: str) -> list[DecisionRecord]:
        """List the approvals and rejections of a run's steps, oldest first."""
        ...

    def take_lease(self, name: str, holder: str, until: datetime, *, most: int = 1) -> bool:
        """Acquire a lease of a name, or prolong the holder's own; False if all are taken.

        An expired lease is free. Any number of processes may call at once.
        """
        ...

    def list_holders(self, name: str) -> list[str]:
        """List the holders of leases of a name."""
        ...

    def drop_lease(self, name: str, holder: str) -> None:
        """Release a lease; nothing happens if the lease is not held."""
        ...

    def claim_step(self, claim: StepClaim) -> bool:
        """Claim a step of a run whose steps several processes execute, or renew the own claim.

        A claim ends after 60 s without renewal, or as soon as the process is seen to have ended;
        steps left running are killed then. The run is running while claims exist.

        Returns:
            False if a living process has claimed the step, or an outer step.

        Raises:
            ConflictError: If the run has finished, is executed as a whole by a second process, or
                was resumed elsewhere.
        """
        ...

    def release_step(self, claim: StepClaim, steps: Sequence[str]) -> RunState:
        """End a claim; the last claim to end decides how the run goes on.

        The run fails if a step has failed, finishes if all have ended well, and is queued
        otherwise: in the transaction that ends the claim, so that every step's end is seen by
        whoever decides. Nothing is decided for a run that was resumed elsewhere.

        Args:
            claim: The claim.
            steps: Names of all steps of the run, in order.

        Returns:
            The run's state afterwards.
        """
        ...

    def add_logs(self, run_id: str, lines: Sequence[LogLine]) -> None:
        """Add output of a tracked run, to be listed by the run's id."""
        ...

    def list_logs(self, step_run_id: str) -> list[LogLine]:
        """List the output of a step, or of a tracked run."""
        ...

    def find_run(self, step_run_id: str) -> str | None:
        """Return the run that has logs under an id: of one of its steps, or its own."""
        ...

    def list(self, run_id: str) -> list[StepRunRecord]:
        """List the latest state of each step of the run, by position."""
        ...
