"""judge_columns: evidence and effect sizes of all checks to verdicts, each with a reason."""

from collections.abc import Sequence
from dataclasses import replace

from penstock.monitoring._column_drift import Check, ColumnDrift
from penstock.monitoring._evidence import holm
from penstock.monitoring._limits import Limits

_UNITS = {
    "w1": "robust standard deviations",
    "tvd": "of the rows changed",
    "share": "points",
    "ratio": "times",
}


def judge_columns(
    features: Sequence[ColumnDrift], predictions: Sequence[ColumnDrift], limits: Limits
) -> tuple[tuple[ColumnDrift, ...], tuple[ColumnDrift, ...]]:
    """Set the verdicts: drift is significant over all checks, and above the minimum effect.

    Args:
        features: Compared columns.
        predictions: Compared predictions and scores.
        limits: Source of the chance of a false alarm for the whole report.

    Returns:
        The same columns, with verdicts.
    """
    every = [*features, *predictions]
    # Adjusted over all columns together, so that alpha holds for the whole report.
    adjusted = iter(holm([check.p for drift in every for check in drift.checks]))
    judged = [
        replace(
            drift,
            checks=_without_repeats(
                [_judged(drift, check, next(adjusted), limits) for check in drift.checks]
            ),
        )
        for drift in every
    ]
    return tuple(judged[: len(features)]), tuple(judged[len(features) :])


def _without_repeats(checks: list[Check]) -> tuple[Check, ...]:
    """Remove the rare category's check where the whole distribution has drifted."""
    moved = any(check.drifted and check.aspect == "distribution" for check in checks)
    return tuple(check for check in checks if not (moved and check.aspect == "level"))


def _judged(drift: ColumnDrift, check: Check, p: float, limits: Limits) -> Check:
    evident, large = p < limits.alpha, check.effect.low > check.minimum
    return replace(
        check,
        p_adjusted=p,
        drifted=evident and large,
        reason=_reason(drift, check, evident=evident, large=large),
    )


def _reason(drift: ColumnDrift, check: Check, *, evident: bool, large: bool) -> str:
    effect = check.effect
    figures = f"{effect.value:.3f} [{effect.low:.3f}, {effect.high:.3f}]"
    if evident and large:
        return f"{_subject(drift, check)} {figures} {_UNITS[check.statistic]}, {_limit(check)}."
    if evident and effect.value > check.minimum:
        return f"A change of {figures} is significant, but may be too small to matter: {_limit(check)}."
    if evident:
        return f"A change of {figures} is significant, but negligible: {_limit(check)}."
    if effect.value > check.minimum and check.is_unclear:
        return f"A change of {figures} may be chance: too few rows ({drift.rows:,})."
    if effect.value > check.minimum:  # steady: the reason must not call the column unknown
        return f"A change of {figures} may be chance; a larger one than {effect.high:.3f} is ruled out."
    return "As in training."


def _subject(drift: ColumnDrift, check: Check) -> str:
    then, now = drift.missing
    if check.aspect == "missing":
        return f"Missing values rose from {then:.1%} to {now:.1%}, by"
    if check.aspect == "level":
        return f"{check.subject},"
    if check.aspect == "new":
        return f"Values that training never saw (such as {', '.join(drift.new_values[:3])}):"
    return "Moved by" if check.statistic == "w1" else "Shares moved:"


def _limit(check: Check) -> str:
    return f"the limit is {check.minimum:g}"
