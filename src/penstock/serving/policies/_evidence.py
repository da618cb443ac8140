"""Evidence of a rollout: the counts evidence, and the evidence missing before a step is passed; pure.

Apart from the decision, because `deploy` and the pages report the evidence too. Notation: p1 and p0
are the error rates of the new version and the control; the step is passed once p1 - p0 is below the
limit, that is an upper bound of p1 minus a lower bound of p0, each valid at every look.
"""

import math
from dataclasses import dataclass

from penstock.core import RolloutRecord, RolloutRules
from penstock.evaluation.sequential import (
    METRICS,
    log_e_value_below,
    rate_at_least,
    rate_at_most,
)
from penstock.serving.policies._policy import Evidence, RequestCounts

# The control usually has most of the requests, so that its bound costs little.
_CONTROL_SHARE = 0.2
_MOST_REQUESTS = 10_000_000


@dataclass(frozen=True, slots=True)
class MissingEvidence:
    """Evidence missing before a step is passed.

    Args:
        reason: A sentence with the missing amount and the expected time.
        seconds: Expected time in seconds at the rate of this step; infinite if unknown.
    """

    reason: str
    seconds: float


def increase_at_most(rollout: RolloutRecord, new: RequestCounts, control: RequestCounts) -> float:
    """Compute an upper bound of the increase of the new version's error rate over the control's.

    Args:
        rollout: Source of the certainty.
        new: RequestCounts of the new version.
        control: RequestCounts of the control; without a request the control counts as never failing.
    """
    alpha = rollout.rules.pass_alpha
    high = rate_at_most(new.errors, new.requests, alpha * (1 - _CONTROL_SHARE))
    low = rate_at_least(control.errors, control.requests, alpha * _CONTROL_SHARE)
    return high - low


def requests_needed(
    rules: RolloutRules, rate: float = 0.0, *, per_request: float = 19.0
) -> int | None:
    """Compute how many requests a new version, as good as the control, needs to pass a rollout.

    >>> requests_needed(RolloutRules())
    807

    Args:
        rules: Limit and certainty.
        rate: The error rate of both.
        per_request: Requests to the control for each request to the new version; 19 at 5 %.

    Returns:
        The count over all steps; None if no realistic number is enough.
    """
    certain = -math.log(rules.pass_alpha * (1 - _CONTROL_SHARE))

    def is_enough(count: int) -> bool:
        beside = count * per_request
        low = rate_at_least(rate * beside, beside, rules.pass_alpha * _CONTROL_SHARE)
        limit = low + rules.max_error_rate_increase
        return limit < 1 and log_e_value_below(rate * count, count, limit) >= certain

    # Doubling finds an upper limit, bisection the smallest count: evidence grows with the count.
    high = rules.step_requests
    while not is_enough(high):
        high *= 2
        if high > _MOST_REQUESTS:
            return None
    low = max(high // 2, rules.step_requests)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle + 1, high)
    return high


def missing_evidence(rollout: RolloutRecord, evidence: Evidence) -> MissingEvidence | None:
    """Return the evidence missing before the present step is passed; None if none is missing.

    Args:
        rollout: The rollout, at the present step.
        evidence: The evidence so far.
    """
    rules = rollout.rules
    high = increase_at_most(rollout, evidence.new, evidence.control)
    if high >= rules.max_error_rate_increase:
        return _missing_requests(rollout, evidence, high)
    if evidence.step_requests < rules.step_requests:
        missing = rules.step_requests - evidence.step_requests
        return _with_duration(
            f"{evidence.step_requests:,} of at least {rules.step_requests:,} requests in this step.",
            missing,
            evidence,
        )
    return _missing_truth(rollout, evidence)


def duration_text(seconds: float) -> str:
    """Format a duration for people.

    >>> duration_text(7_300)
    '2.0 hours'
    """
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:,.0f} seconds"


def _missing_requests(rollout: RolloutRecord, evidence: Evidence, high: float) -> MissingEvidence:
    new, control = evidence.new, evidence.control
    known = (
        f"no request to version {rollout.version} yet."
        if not new.requests
        else (
            f"after {new.requests:,} requests with {new.errors:,} errors the error rate of version "
            f"{rollout.version} may still be {high:.2%} higher than that of version "
            f"{rollout.control}; allowed are {rollout.rules.max_error_rate_increase:.2%}."
        )
    )
    # The estimate is for a version that is as good as the control.
    percent = rollout.percent
    beside = control.requests / new.requests if rollout.is_at_last_step and new.requests else 0.0
    needed = requests_needed(
        rollout.rules,
        max(control.rate, new.rate),
        per_request=max((100 - percent) / percent, beside),
    )
    if needed is None:
        return MissingEvidence(known[0].upper() + known[1:], math.inf)
    missing = max(needed - new.requests, 1)
    return _with_duration(known[0].upper() + known[1:], missing, evidence)


def _missing_truth(rollout: RolloutRecord, evidence: Evidence) -> MissingEvidence | None:
    """Check that the watched metric is certain enough to exclude a forbidden difference."""
    if rollout.rules.metric is None:
        return None
    name, least = rollout.rules.metric
    new, control = evidence.outcomes.get(rollout.version), evidence.outcomes.get(rollout.control)
    needed = rollout.rules.step_truth * (rollout.position + 1)
    if new is None or control is None or new.rows < needed:
        rows = new.rows if new else 0
        return MissingEvidence(
            f"{rows:,} of at least {needed:,} truths of version {rollout.version}.", 0.0
        )
    sign = 1 if METRICS[name] else -1
    # One-sided, with half of the chance for each version's interval.
    half = sum(outcome.half_width(rollout.rules.pass_alpha) for outcome in (new, control))
    worst = sign * (new.value - control.value) - half
    if worst >= least:
        return None
    return MissingEvidence(
        f"{name} of version {rollout.version} on {new.rows:,} truths may still be {-worst:.4f} "
        f"worse than that of version {rollout.control}; allowed are {abs(least):g}.",
        0.0,
    )


def _with_duration(known: str, missing: int, evidence: Evidence) -> MissingEvidence:
    """Build the text with the missing requests and the expected time."""
    if not evidence.step_requests or not evidence.step_s:
        return MissingEvidence(f"{known} About {missing:,} more are needed.", 0.0)
    seconds = missing * evidence.step_s / evidence.step_requests
    return MissingEvidence(
        f"{known} About {missing:,} more are needed, {duration_text(seconds)} at the present rate.",
        seconds,
    )
