"""What a rollout should do next, from what it has seen; pure, so that it can be simulated."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from penstock.core import RolloutState, parse_duration
from penstock.serving._outcomes import METRICS, Outcome
from penstock.serving._rules import Rollout
from penstock.serving._sequential import rate_bounds


class Move(StrEnum):
    """What to do with a rollout."""

    STAY = "stay"
    ADVANCE = "advance"
    PROMOTE = "promote"
    ROLL_BACK = "roll_back"
    PAUSE = "pause"
    RESUME = "resume"


@dataclass(frozen=True, slots=True)
class Counts:
    """Requests and errors of one version since the rollout began."""

    requests: int = 0
    errors: int = 0

    @property
    def rate(self) -> float:
        """Share of requests that failed."""
        return self.errors / self.requests if self.requests else 0.0


@dataclass(frozen=True, slots=True)
class Seen:
    """All that a decision rests on.

    Args:
        new: Counts of the new version since the rollout began.
        control: Counts of the control since then.
        step_requests: Requests of the new version in the present step.
        step_errors: Errors among them.
        step_s: Seconds since the step began.
        idle_s: Seconds since the new version's last request, or since the step began.
        outcomes: The watched metric by version; empty if no metric is watched.
        fault: A hard fault of the new version: it cannot be loaded, or gave no number; empty if none.
    """

    new: Counts
    control: Counts
    step_requests: int
    step_errors: int = 0
    step_s: float = 0.0
    idle_s: float = 0.0
    outcomes: Mapping[int, Outcome] = field(default_factory=dict)
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """A move with its reason, told for people."""

    move: Move
    reason: str = ""


def judge(rollout: Rollout, seen: Seen) -> Decision:
    """Decide what a rollout does next.

    Harm is looked for before progress, so that a step is never passed on bad evidence.

    Args:
        rollout: Where it stands.
        seen: What it saw.
    """
    for look in (_fault, _errors, _metric, _no_data, _too_long):
        decision = look(rollout, seen)
        if decision is not None:
            return decision
    return _progress(rollout, seen)


def _fault(_rollout: Rollout, seen: Seen) -> Decision | None:
    return Decision(Move.ROLL_BACK, seen.fault) if seen.fault else None


def _errors(rollout: Rollout, seen: Seen) -> Decision | None:
    """Compare error rates: alpha/2 for each side's bound, so both hold together with chance 1 - alpha."""
    rules = rollout.rules
    if seen.new.rate <= seen.control.rate:
        return None  # no bound can say otherwise
    low, _ = rate_bounds(seen.new.errors, seen.new.requests, rules.alpha / 2)
    _, high = rate_bounds(seen.control.errors, seen.control.requests, rules.alpha / 2)
    if rollout.steps[0] == 100 and not seen.control.requests:  # noqa: PLR2004 - percent
        high = 0.0  # no control beside it: it is judged against a version that never fails
    if low <= high + rules.max_error_rate_increase:
        return None
    return Decision(
        Move.ROLL_BACK,
        f"Version {rollout.version} failed {seen.new.errors:,} of {seen.new.requests:,} requests "
        f"({seen.new.rate:.2%}, at least {low:.2%}); version {rollout.control} failed "
        f"{seen.control.errors:,} of {seen.control.requests:,} ({seen.control.rate:.2%}, "
        f"at most {high:.2%}). Allowed: {rules.max_error_rate_increase:.2%} more.",
    )


def _metric(rollout: Rollout, seen: Seen) -> Decision | None:
    new, control = seen.outcomes.get(rollout.version), seen.outcomes.get(rollout.control)
    if rollout.rules.metric is None or new is None or control is None:
        return None
    name, least = rollout.rules.metric
    sign = 1 if METRICS[name] else -1
    difference = sign * (new.value - control.value)
    half = new.half_width(rollout.rules.alpha / 2) + control.half_width(rollout.rules.alpha / 2)
    if not difference + half < least:  # NaN is no evidence
        return None
    return Decision(
        Move.ROLL_BACK,
        f"{name} of version {rollout.version} is {new.value:.4f} on {new.rows:,} truths against "
        f"{control.value:.4f} of version {rollout.control} on {control.rows:,}: "
        f"{'worse' if sign > 0 else 'higher'} by more than the allowed {abs(least):g}.",
    )


def _no_data(rollout: Rollout, seen: Seen) -> Decision | None:
    grace_s = parse_duration(rollout.rules.grace).total_seconds()
    paused = rollout.state is RolloutState.PAUSED
    if seen.idle_s <= grace_s:
        # A rollout that waits for its promotion has passed all steps and needs no resuming.
        waits = paused and _progress(rollout, seen).move is Move.STAY
        return Decision(Move.RESUME, "Requests came again.") if waits else None
    if seen.idle_s > 2 * grace_s:
        return Decision(
            Move.ROLL_BACK,
            f"Version {rollout.version} had no request for {seen.idle_s:,.0f} s, so nothing is "
            "known about it.",
        )
    if paused:
        return Decision(Move.STAY)
    return Decision(
        Move.PAUSE, f"Version {rollout.version} had no request for {seen.idle_s:,.0f} s."
    )


def _too_long(rollout: Rollout, seen: Seen) -> Decision | None:
    limit = rollout.rules.step_time
    if limit is None or seen.step_s <= parse_duration(limit).total_seconds():
        return None
    if _progress(rollout, seen).move is not Move.STAY:
        return None
    return Decision(
        Move.ROLL_BACK,
        f"The step of {rollout.percent} % was not passed within {limit}: "
        f"{seen.step_requests:,} of {rollout.rules.step_requests:,} requests.",
    )


def _progress(rollout: Rollout, seen: Seen) -> Decision:
    if seen.step_requests < rollout.rules.step_requests or not _metric_holds(rollout, seen):
        return Decision(Move.STAY)
    reason = (
        f"{rollout.percent} % passed: {seen.step_requests:,} requests in this step, "
        f"{seen.new.errors:,} errors in {seen.new.requests:,} requests of the rollout."
    )
    return Decision(Move.PROMOTE if rollout.at_last_step else Move.ADVANCE, reason)


def _metric_holds(rollout: Rollout, seen: Seen) -> bool:
    """A watched metric must be seen, and not look too bad, before the step is passed."""
    if rollout.rules.metric is None:
        return True
    name, least = rollout.rules.metric
    new, control = seen.outcomes.get(rollout.version), seen.outcomes.get(rollout.control)
    needed = rollout.rules.step_truth * (rollout.position + 1)
    if new is None or control is None or new.rows < needed:
        return False
    sign = 1 if METRICS[name] else -1
    return sign * (new.value - control.value) >= least
