"""RolloutRules and Rollout: limits and progress of a rollout; plain data, no decisions."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import Any

from penstock.core import ParameterError, RolloutState, did_you_mean, now, parse_duration
from penstock.evaluation.sequential import METRICS

DEFAULT_STEPS = (5, 25, 100)


@dataclass(frozen=True, slots=True)
class RolloutRules:
    """The limits by which a rollout advances and is rolled back.

    >>> RolloutRules(step_requests=200, metric=("accuracy", -0.02)).step_requests
    200

    Args:
        step_requests: Fewest requests of the new version in each step; a batch counts as a single
            request. More are needed until the evidence is sufficient, see
            ``max_error_rate_increase``.
        max_error_rate_increase: How much higher (0 to 1) the new version's error rate may be than
            the control's. A step is passed when the increase is below this limit with the certainty
            of ``pass_alpha``; without a single error that takes about 4 divided by the limit
            requests.
        alpha: Chance (0 to 1) of rolling back although nothing is wrong, over the whole rollout and
            all looks.
        pass_alpha: Chance (0 to 1) of promoting a version whose error rate is higher by the limit
            or more, over the whole rollout and all looks.
        metric: A metric of the posted ground truth and the smallest difference (new minus control)
            that is acceptable; for errors and losses the sign is turned, so that less is always
            worse. A step is passed when a smaller difference is excluded with the same certainty.
        step_truth: Fewest posted true values of the new version per step; only with ``metric``.
        step_time: Longest time for a step, as a duration; after it the rollout is rolled back. None
            for no limit.
        grace: How long the new version may be without requests before the rollout pauses; after
            twice that time the rollout is rolled back.
        patience: How long the missing evidence may take at the present rate of requests; a rollout
            that would need longer pauses, and reports how long.
        accepted_changes: Why a version with a different signature is rolled out all the same, in
            the owner's words; None to refuse changes that would break the control's callers.

    Raises:
        ParameterError: If a value is out of range or the metric is not known.
    """

    step_requests: int = 100
    max_error_rate_increase: float = 0.005
    alpha: float = 0.01
    pass_alpha: float = 0.05
    metric: tuple[str, float] | None = None
    step_truth: int = 50
    step_time: str | None = None
    grace: str = "1h"
    patience: str = "7d"
    accepted_changes: str | None = None

    def __post_init__(self) -> None:
        _require(self.step_requests >= 1, "step_requests", self.step_requests, "1 or more")
        _require(
            0 < self.max_error_rate_increase < 1,
            "max_error_rate_increase",
            self.max_error_rate_increase,
            "above 0 and below 1: no number of requests excludes every increase",
        )
        _require(0 < self.alpha < 1, "alpha", self.alpha, "between 0 and 1")
        _require(0 < self.pass_alpha < 1, "pass_alpha", self.pass_alpha, "between 0 and 1")
        _require(self.step_truth >= 2, "step_truth", self.step_truth, "2 or more")  # noqa: PLR2004 - a variance needs two
        parse_duration(self.grace)
        parse_duration(self.patience)
        if self.step_time is not None:
            parse_duration(self.step_time)
        if self.metric is not None and self.metric[0] not in METRICS:
            raise ParameterError(
                what=f"A rollout cannot watch {self.metric[0]!r}.",
                why="It must be computable from single answers and their truth.",
                fix=did_you_mean(self.metric[0], METRICS),
                metric=self.metric[0],
            )

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "RolloutRules":
        """Read the JSON of ``to_json``, also of rules from before evidence was required."""
        metric, limit = value.get("metric"), value.get("max_error_rate_increase")
        return cls(
            **{
                **value,
                "metric": (str(metric[0]), float(metric[1])) if metric else None,
                # Older rules could allow no increase at all, which no evidence can show.
                "max_error_rate_increase": limit or cls().max_error_rate_increase,
            }
        )

    def to_json(self) -> dict[str, Any]:
        """Return the rules as plain JSON."""
        return {**asdict(self), "metric": list(self.metric) if self.metric else None}


@dataclass(frozen=True, slots=True)
class Rollout:
    """A running or finished rollout, as stored in ``DeploymentRecord.rollout``.

    Args:
        state: See RolloutState.
        version: The new version.
        control: The version that the new version is compared with.
        steps: Percent of units per step, rising, the last 100.
        position: Index of the present step, from 0.
        rules: See RolloutRules.
        started_at: When the rollout began.
        step_started_at: When the present step began.
        reason: Why the rollout is in this state; empty while running.
        passed: Figures of each passed step: percent, requests, errors, seconds.
    """

    state: RolloutState
    version: int
    control: int
    steps: tuple[int, ...]
    position: int
    rules: RolloutRules
    started_at: datetime
    step_started_at: datetime
    reason: str = ""
    passed: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def start(
        cls, version: int, control: int, steps: tuple[int, ...], rules: RolloutRules
    ) -> "Rollout":
        """Start a rollout at the first step.

        Raises:
            ParameterError: If the steps do not rise to 100.
        """
        rising = all(low < high for low, high in pairwise(steps))
        if not steps or not rising or steps[0] <= 0 or steps[-1] != 100:  # noqa: PLR2004 - percent
            raise ParameterError(
                what=f"Canary steps {list(steps)} do not rise to 100.",
                why="Each step is a larger percent of the units, and the last is all of them.",
                fix="Use for example canary=(5, 25, 100).",
                steps=steps,
            )
        time = now()
        return cls(RolloutState.RUNNING, version, control, steps, 0, rules, time, time)

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | None) -> "Rollout | None":
        """Read the JSON of ``to_json``; None for a deployment without a rollout."""
        if value is None:
            return None
        return cls(
            state=RolloutState(value["state"]),
            version=int(value["version"]),
            control=int(value["control"]),
            steps=tuple(int(step) for step in value["steps"]),
            position=int(value["position"]),
            rules=RolloutRules.from_json(value["rules"]),
            started_at=datetime.fromisoformat(value["started_at"]),
            step_started_at=datetime.fromisoformat(value["step_started_at"]),
            reason=str(value.get("reason", "")),
            passed=tuple(value.get("passed", ())),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the rollout as plain JSON, in the form of the metadata store."""
        return {
            "state": str(self.state),
            "version": self.version,
            "control": self.control,
            "steps": list(self.steps),
            "position": self.position,
            "percent": self.percent,
            "rules": self.rules.to_json(),
            "started_at": self.started_at.isoformat(),
            "step_started_at": self.step_started_at.isoformat(),
            "reason": self.reason,
            "passed": [dict(step) for step in self.passed],
        }

    @property
    def is_open(self) -> bool:
        """True while the rollout is neither promoted nor rolled back."""
        return self.state in {RolloutState.RUNNING, RolloutState.PAUSED}

    @property
    def percent(self) -> int:
        """The present step's percent of units."""
        return self.steps[self.position]

    @property
    def at_last_step(self) -> bool:
        """True if passing this step ends the rollout."""
        return self.position == len(self.steps) - 1

    @property
    def weights(self) -> dict[int, float]:
        """Shares of the present step by version."""
        share = self.percent / 100
        return {self.control: round(1 - share, 6), self.version: share}

    def next_step(self, facts: Mapping[str, Any]) -> "Rollout":
        """Return the rollout at the next step, with the passed step's figures added."""
        return replace(
            self,
            state=RolloutState.RUNNING,
            position=self.position + 1,
            step_started_at=now(),
            reason="",
            passed=(*self.passed, facts),
        )


def _require(holds: bool, name: str, value: object, allowed: str) -> None:
    if not holds:
        raise ParameterError(
            what=f"RolloutRules {name} is {value!r}.",
            why=f"It must be {allowed}.",
            fix=f"Give {name} another value.",
        )
