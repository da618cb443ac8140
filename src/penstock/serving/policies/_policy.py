"""TrafficPolicy: the protocol of every rollout, with evidence and moves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from penstock.core import PassedStep, RolloutRecord
from penstock.evaluation.sequential import SequentialEstimate


class Move(StrEnum):
    """A move of a rollout."""

    STAY = "stay"
    ADVANCE = "advance"
    PROMOTE = "promote"
    ROLL_BACK = "roll_back"
    PAUSE = "pause"
    RESUME = "resume"


@dataclass(frozen=True, slots=True)
class RolloutDecision:
    """A move with a reason, for people; the reason of a stay names the missing evidence."""

    move: Move
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RequestCounts:
    """Requests and errors of a version since the rollout began."""

    requests: int = 0
    errors: int = 0

    @property
    def rate(self) -> float:
        """Share of failed requests."""
        return self.errors / self.requests if self.requests else 0.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """The evidence that a decision rests on.

    Args:
        new: RequestCounts of the new version since the rollout began.
        control: RequestCounts of the control since then.
        step_requests: Requests of the new version in the present step.
        step_errors: Errors among them.
        step_s: Seconds since the step began.
        idle_s: Seconds since the new version's last request, or since the step began.
        outcomes: The watched metric by version; empty if no metric is watched.
        fault: A hard fault of the new version: not loadable, or returned no number; empty if
            none.
    """

    new: RequestCounts
    control: RequestCounts
    step_requests: int
    step_errors: int = 0
    step_s: float = 0.0
    idle_s: float = 0.0
    outcomes: Mapping[int, SequentialEstimate] = field(default_factory=dict)
    fault: str = ""


class TrafficPolicy(Protocol):
    """How a deployment's traffic moves from the control to a new version.

    A policy is a class here and an entry in ``POLICIES``; ``TrafficPolicyContract`` in
    ``penstock.testing`` is the test. The RolloutController reads the evidence, asks the policy, and
    changes the store: a policy has no side effects. A policy holds only the start of a new rollout;
    everything that a running rollout needs is in the RolloutRecord, so that the server that
    continues after a kill decides alike.

    Threads: a policy may be asked from any thread.
    """

    @property
    def name(self) -> str:
        """Name of the policy in ``RolloutRecord.policy``."""
        ...

    def start(self, version: int, control: int) -> RolloutRecord:
        """Return the first state of a rollout.

        Args:
            version: The new version.
            control: The version in production.

        Raises:
            ParameterError: If the policy's options allow no rollout.
        """
        ...

    def weights(self, rollout: RolloutRecord) -> dict[int, float]:
        """Return the share of units (0 to 1) by version in the present step; they sum to 1."""
        ...

    def judge(self, rollout: RolloutRecord, evidence: Evidence) -> RolloutDecision:
        """Decide the next move.

        Args:
            rollout: The rollout, at the present step.
            evidence: The evidence so far.
        """
        ...

    def next_step(self, rollout: RolloutRecord, passed: PassedStep) -> RolloutRecord:
        """Return the rollout at the next step; called after ``Move.ADVANCE``.

        Args:
            rollout: The rollout, at the step that was passed.
            passed: Figures of that step, for the record.
        """
        ...

    def outlook(self, rollout: RolloutRecord, evidence: Evidence) -> list[str]:
        """Describe in sentences the conditions and times of the present step."""
        ...
