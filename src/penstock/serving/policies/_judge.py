"""The next move of a canary, from the evidence so far; pure, for simulations."""

from penstock.core import RolloutRecord, RolloutState, parse_duration
from penstock.evaluation.sequential import METRICS, rate_bounds
from penstock.serving.policies._evidence import (
    MissingEvidence,
    increase_at_most,
    missing_evidence,
)
from penstock.serving.policies._policy import Evidence, Move, RolloutDecision


def judge(rollout: RolloutRecord, evidence: Evidence) -> RolloutDecision:
    """Decide the next move of a rollout.

    Harm is checked before progress, so that a step is never passed on bad evidence.

    Args:
        rollout: The rollout, at the present step.
        evidence: The evidence so far.
    """
    for look in (_fault, _errors, _metric, _no_data, _too_long):
        decision = look(rollout, evidence)
        if decision is not None:
            return decision
    return _progress(rollout, evidence)


def _fault(_rollout: RolloutRecord, evidence: Evidence) -> RolloutDecision | None:
    return RolloutDecision(Move.ROLL_BACK, evidence.fault) if evidence.fault else None


def _errors(rollout: RolloutRecord, evidence: Evidence) -> RolloutDecision | None:
    """Compare error rates: alpha/2 for each side's bound, so both hold with chance 1 - alpha."""
    rules = rollout.rules
    if evidence.new.rate <= evidence.control.rate:
        return None  # no bound can say otherwise
    low, _ = rate_bounds(evidence.new.errors, evidence.new.requests, rules.alpha / 2)
    _, high = rate_bounds(evidence.control.errors, evidence.control.requests, rules.alpha / 2)
    if rollout.steps[0] == 100 and not evidence.control.requests:  # noqa: PLR2004 - percent
        high = 0.0  # no control beside the new version: compare with a version that never fails
    if low <= high + rules.max_error_rate_increase:
        return None
    return RolloutDecision(
        Move.ROLL_BACK,
        f"Version {rollout.version} failed {evidence.new.errors:,} of {evidence.new.requests:,} requests "
        f"({evidence.new.rate:.2%}, at least {low:.2%}); version {rollout.control} failed "
        f"{evidence.control.errors:,} of {evidence.control.requests:,} ({evidence.control.rate:.2%}, "
        f"at most {high:.2%}). Allowed: {rules.max_error_rate_increase:.2%} more.",
    )


def _metric(rollout: RolloutRecord, evidence: Evidence) -> RolloutDecision | None:
    new, control = evidence.outcomes.get(rollout.version), evidence.outcomes.get(rollout.control)
    if rollout.rules.metric is None or new is None or control is None:
        return None
    name, least = rollout.rules.metric
    sign = 1 if METRICS[name] else -1
    difference = sign * (new.value - control.value)
    half = new.half_width(rollout.rules.alpha / 2) + control.half_width(rollout.rules.alpha / 2)
    if not difference + half < least:  # NaN is no evidence
        return None
    return RolloutDecision(
        Move.ROLL_BACK,
        f"{name} of version {rollout.version} is {new.value:.4f} on {new.rows:,} truths against "
        f"{control.value:.4f} of version {rollout.control} on {control.rows:,}: "
        f"{'worse' if sign > 0 else 'higher'} by more than the allowed {abs(least):g}.",
    )


def _no_data(rollout: RolloutRecord, evidence: Evidence) -> RolloutDecision | None:
    grace_s = parse_duration(rollout.rules.grace).total_seconds()
    if evidence.idle_s <= grace_s:
        return None
    if evidence.idle_s > 2 * grace_s:
        return RolloutDecision(
            Move.ROLL_BACK,
            f"Version {rollout.version} had no request for {evidence.idle_s:,.0f} s, so nothing is "
            "known about it.",
        )
    if rollout.state is RolloutState.PAUSED:
        return RolloutDecision(Move.STAY, rollout.reason)
    return RolloutDecision(
        Move.PAUSE, f"Version {rollout.version} had no request for {evidence.idle_s:,.0f} s."
    )


def _too_long(rollout: RolloutRecord, evidence: Evidence) -> RolloutDecision | None:
    limit = rollout.rules.step_time
    if limit is None or evidence.step_s <= parse_duration(limit).total_seconds():
        return None
    missing = missing_evidence(rollout, evidence)
    if missing is None:
        return None
    return RolloutDecision(
        Move.ROLL_BACK,
        f"The step of {rollout.percent} % was not passed within {limit}: {missing.reason}",
    )


def _progress(rollout: RolloutRecord, evidence: Evidence) -> RolloutDecision:
    missing = missing_evidence(rollout, evidence)
    if missing is not None:
        return _wait(rollout, evidence, missing)
    new, control = evidence.new, evidence.control
    reason = (
        f"{rollout.percent} % passed: {_many(evidence.step_requests, 'request')} in this step, "
        f"{_many(new.errors, 'error')} in {_many(new.requests, 'request')} of the rollout "
        f"({control.errors:,} in {control.requests:,} of version {rollout.control}); its error "
        f"rate is at most {increase_at_most(rollout, new, control):.2%} higher."
    )
    return RolloutDecision(Move.PROMOTE if rollout.is_at_last_step else Move.ADVANCE, reason)


def _wait(rollout: RolloutRecord, evidence: Evidence, missing: MissingEvidence) -> RolloutDecision:
    """Stay for the missing evidence; pause if that would take longer than the rule's patience."""
    patience_s = parse_duration(rollout.rules.patience).total_seconds()
    watched = evidence.step_s >= parse_duration(rollout.rules.grace).total_seconds()
    paused = rollout.state is RolloutState.PAUSED
    if watched and missing.seconds > patience_s:
        reason = (
            f"Too little traffic for {rollout.percent} %: {missing.reason} That is more than "
            f"{rollout.rules.patience}: choose larger steps or a larger limit."
        )
        return RolloutDecision(Move.STAY if paused else Move.PAUSE, reason)
    # Half, so that a fluctuating rate does not pause and resume the rollout all the time.
    if paused and missing.seconds <= patience_s / 2:
        return RolloutDecision(Move.RESUME, "Requests came again.")
    return RolloutDecision(Move.STAY, missing.reason)


def _many(count: int, word: str) -> str:
    return f"{count:,} {word}" + ("" if count == 1 else "s")
