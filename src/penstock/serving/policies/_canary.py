"""Canary: a growing share of the units gets the new version, as far as the evidence allows."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from penstock.core import (
    ParameterError,
    PassedStep,
    RolloutRecord,
    RolloutRules,
    RolloutState,
    now,
)
from penstock.serving.policies._evidence import missing_evidence, requests_needed
from penstock.serving.policies._judge import judge
from penstock.serving.policies._policy import Evidence, RolloutDecision

DEFAULT_STEPS = (5, 25, 100)


class Canary:
    """A policy that raises the new version's share in steps; see TrafficPolicy.

    >>> rollout = Canary((25, 100)).start(version=4, control=3)
    >>> Canary().weights(rollout)
    {3: 0.75, 4: 0.25}

    Args:
        steps: Percent of units per step, rising to 100.
        rules: When the rollout advances and when it is rolled back.
    """

    name = "canary"

    def __init__(
        self, steps: Sequence[int] = DEFAULT_STEPS, rules: RolloutRules | None = None
    ) -> None:
        self.steps, self.rules = tuple(steps), rules or RolloutRules()

    def start(self, version: int, control: int) -> RolloutRecord:
        """Return the rollout at the first step.

        Raises:
            ParameterError: If the steps do not rise to 100.
        """
        rising = all(low < high for low, high in pairwise(self.steps))
        if not self.steps or not rising or self.steps[0] <= 0 or self.steps[-1] != 100:  # noqa: PLR2004 - percent
            raise ParameterError(
                what=f"Canary steps {list(self.steps)} do not rise to 100.",
                why="Each step is a larger percent of the units, and the last is all of them.",
                fix="Use for example canary=(5, 25, 100).",
                steps=self.steps,
            )
        time = now()
        return RolloutRecord(
            RolloutState.RUNNING,
            version,
            control,
            self.steps,
            self.rules,
            started_at=time,
            step_started_at=time,
            policy=self.name,
        )

    def weights(self, rollout: RolloutRecord) -> dict[int, float]:
        """Return the present step's share for the new version, the rest for the control."""
        share = rollout.percent / 100
        return {rollout.control: round(1 - share, 6), rollout.version: share}

    def judge(self, rollout: RolloutRecord, evidence: Evidence) -> RolloutDecision:
        """Decide by the error rates and the watched metric; harm is checked before progress."""
        return judge(rollout, evidence)

    def next_step(self, rollout: RolloutRecord, passed: PassedStep) -> RolloutRecord:
        """Return the rollout at the next step, with the passed step's figures added."""
        return replace(
            rollout,
            state=RolloutState.RUNNING,
            position=rollout.position + 1,
            step_started_at=now(),
            reason="",
            passed=(*rollout.passed, passed),
        )

    def outlook(self, rollout: RolloutRecord, evidence: Evidence) -> list[str]:
        """Describe the missing evidence, and before the first request the whole rollout's need."""
        missing = missing_evidence(rollout, evidence)
        lines = [f"Step of {rollout.percent} %: " + (missing.reason if missing else "passed.")]
        needed = requests_needed(rollout.rules)
        if needed is not None and not evidence.new.requests:
            total = round(needed * 100 / rollout.percent)
            lines.append(
                f"Without an error it takes {needed:,} requests to version {rollout.version}, about "
                f"{total:,} in all at {rollout.percent} %, and then {rollout.rules.step_requests:,} "
                "in each further step; a batch is one request."
            )
        return lines
