"""Rollouts: progress and limits of a deployment's move to a new version."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Literal, Self, get_args

from penstock.core._durations import parse_duration
from penstock.core._errors import ParameterError, did_you_mean
from penstock.core._states import RolloutState
from penstock.core.records._empty import empty

ROLLOUT_FORM = 1
"""Form of a stored rollout. Form 0, without a number, knew no policy: all were canaries."""

SequentialMetric = Literal[
    "accuracy", "precision", "recall", "roc_auc", "brier", "log_loss", "mae", "rmse"
]
"""Metrics that can be judged while the rows arrive."""


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
        step_time: Longest time for a step, as a duration; then the rollout is rolled back. None
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
    metric: tuple[SequentialMetric, float] | None = None
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
        metrics = get_args(SequentialMetric)
        if self.metric is not None and self.metric[0] not in metrics:
            raise ParameterError(
                what=f"A rollout cannot watch {self.metric[0]!r}.",
                why="It must be computable from single answers and their truth.",
                fix=did_you_mean(self.metric[0], metrics),
                metric=self.metric[0],
            )

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read rules of any form, also from before evidence was required."""
        known = {field.name for field in fields(cls)}
        values = {name: value for name, value in document.items() if name in known}
        if values.get("metric"):
            name, limit = values["metric"]
            values["metric"] = (str(name), float(limit))
        if not values.get("max_error_rate_increase"):
            # Older rules could allow no increase at all, which no evidence can show.
            values.pop("max_error_rate_increase", None)
        return cls(**values)


@dataclass(frozen=True, slots=True)
class PassedStep:
    """Figures of a step that a rollout has passed.

    Args:
        percent: The step's percent of units.
        requests: Requests of the new version in the step.
        errors: Errors among them.
        seconds: Duration of the step.
        metric: The watched metric by version; empty if none is watched.
    """

    percent: int = 0
    requests: int = 0
    errors: int = 0
    seconds: float = 0.0
    metric: Mapping[str, float] = field(default_factory=empty)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read the figures of any form."""
        values = {
            field.name: document[field.name] for field in fields(cls) if field.name in document
        }
        metric = values.get("metric") or {}
        # JSON has no NaN: a metric that could not be computed is None there.
        numbers = {key: math.nan if value is None else value for key, value in metric.items()}
        return cls(**{**values, "metric": numbers})


@dataclass(frozen=True, slots=True)
class RolloutRecord:
    """A running or finished rollout of a deployment.

    Args:
        state: See RolloutState.
        version: The new version.
        control: The version that the new version is compared with.
        steps: Percent of units per step, rising, the last 100.
        rules: See RolloutRules.
        started_at: Start of the rollout.
        step_started_at: Start of the present step.
        position: Index of the present step, from 0.
        reason: Reason for the state; empty while running.
        passed: Figures of the passed steps.
        policy: Name of the TrafficPolicy.
    """

    state: RolloutState
    version: int
    control: int
    steps: tuple[int, ...]
    rules: RolloutRules
    started_at: datetime
    step_started_at: datetime
    position: int = 0
    reason: str = ""
    passed: tuple[PassedStep, ...] = ()
    policy: str = "canary"

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read a rollout of any form."""
        return cls(
            state=RolloutState(document["state"]),
            version=int(document["version"]),
            control=int(document["control"]),
            steps=tuple(int(percent) for percent in document["steps"]),
            rules=RolloutRules.from_json(document["rules"]),
            started_at=datetime.fromisoformat(document["started_at"]),
            step_started_at=datetime.fromisoformat(document["step_started_at"]),
            position=int(document["position"]),
            reason=str(document.get("reason", "")),
            passed=tuple(map(PassedStep.from_json, document.get("passed", ()))),
            policy=str(document.get("policy", "canary")),
        )

    @property
    def is_open(self) -> bool:
        """True while the rollout is neither promoted nor rolled back."""
        return self.state in {RolloutState.RUNNING, RolloutState.PAUSED}

    @property
    def percent(self) -> int:
        """The present step's percent of units."""
        return self.steps[self.position]

    @property
    def is_at_last_step(self) -> bool:
        """True if passing this step ends the rollout."""
        return self.position == len(self.steps) - 1


def _require(holds: bool, name: str, value: object, allowed: str) -> None:
    if not holds:
        raise ParameterError(
            what=f"RolloutRules {name} is {value!r}.",
            why=f"It must be {allowed}.",
            fix=f"Give {name} another value.",
        )
