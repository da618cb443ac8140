"""Estimates and paired differences of user metrics."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from penstock.core import DataError
from penstock.evaluation._measuring import Measured
from penstock.evaluation._metrics import Estimate
from penstock.evaluation._user_metrics import (
    Floats,
    JudgedRows,
    UserMetric,
    accelerated_ends,
    resample,
    values_of,
    why_not_resampled,
)
from penstock.evaluation.intervals import (
    FEWEST_NUMBERS,
    Z,
    count_carrying,
    mean_interval,
    share_interval,
    student,
)

Ends = tuple[float, float]
_FEWEST_RESAMPLES = 200  # with fewer, the outer quantiles are those of a handful of resamples


def measure_user_metrics(
    metrics: tuple[UserMetric, ...], rows: JudgedRows, *, resamples: int, seed: int
) -> Measured:
    """Compute user metrics with intervals; a failing metric is absent with the reason.

    Args:
        metrics: The metrics.
        rows: The rows, in any order.
        resamples: Bootstrap resamples; 0 for values only.
        seed: Seed of the resamples.
    """
    estimates, absent = {}, {}
    ordered = rows.ordered() if metrics else rows
    for each in metrics:
        try:
            estimate = _estimate(each, ordered, resamples, seed)
        except DataError as error:
            absent[each.name] = error.what.rstrip(".")
            continue
        if np.isfinite(estimate.value):
            estimates[each.name] = estimate
        else:
            absent[each.name] = "the function returned no finite number"
    return Measured(estimates, absent)


def _estimate(metric: UserMetric, rows: JudgedRows, resamples: int, seed: int) -> Estimate:
    if not len(rows):
        raise DataError(what="There are no rows.")
    values = values_of(metric, rows)
    value = float(values.mean())
    if not resamples or not np.isfinite(value):
        return Estimate(value, value, value)
    if values.ndim:
        needs = _why_too_few(metric, len(values))
        if np.isin(values, (0.0, 1.0)).all():
            # A mean of zeros and ones is a share: 24 of 24 is not 1 for certain.
            return Estimate(value, *share_interval(float(values.sum()), len(values)), needs)
        low, high = mean_ends(values, resamples=resamples, seed=seed)
        return Estimate(value, low, high, needs)
    low, high, needs = _resampled_ends(
        lambda places: float(values_of(metric, rows.take(places))),
        value,
        len(rows),
        resamples=resamples,
        seed=seed,
    )
    return Estimate(value, low, high, needs)


def _why_too_few(metric: UserMetric, units: int) -> str:
    """Return how many rows, or groups of rows, a mean lacks for an interval; empty if none."""
    unit = f"values of {metric.by!r}" if metric.by else "rows"
    return f"{units} {unit}, {FEWEST_NUMBERS} are needed" if units < FEWEST_NUMBERS else ""


def mean_ends(values: Floats, *, resamples: int, seed: int) -> Ends:
    """Compute the interval of a mean of values of any sign; includes the mean."""
    mean = float(values.mean())
    low, high = mean_interval(values, seed=seed, resamples=resamples, positive=False)
    off = values - mean
    wider = student(off) / Z if count_carrying(off) else 1.0
    return min(mean - (mean - low) * wider, mean), max(mean + (high - mean) * wider, mean)


def _resampled_ends(
    call: Callable[[NDArray[np.intp]], float],
    value: float,
    rows: int,
    *,
    resamples: int,
    seed: int,
) -> tuple[float, float, str]:
    if needs := why_not_resampled(rows, 0, resamples):
        return value, value, needs
    resamples = max(resamples, _FEWEST_RESAMPLES)
    drawn, failed = resample(call, rows, resamples=resamples, seed=seed)
    if needs := why_not_resampled(rows, failed, resamples):
        return value, value, needs
    try:
        return *accelerated_ends(value, drawn, call, rows), ""
    except DataError:
        return value, value, "the function fails where a few rows are left out"


def compare_user_metric(
    metric: UserMetric, sides: tuple[JudgedRows, JudgedRows], *, resamples: int, seed: int
) -> tuple[float, float, float, float, str]:
    """Compute a user metric of two models on the same rows, with the difference's interval.

    Args:
        metric: The metric.
        sides: Challenger and champion, row by row.
        resamples: Bootstrap resamples.
        seed: Seed of the resamples.

    Returns:
        Both values, the ends of the difference's interval, and the interval's lacks.

    Raises:
        DataError: If the function fails.
    """
    values = [values_of(metric, side) for side in sides]
    ours, theirs = (float(each.mean()) for each in values)
    rows = len(sides[0])
    if values[0].ndim and values[1].ndim:
        needs = _why_too_few(metric, len(values[0]))
        ends = mean_ends(values[0] - values[1], resamples=resamples, seed=seed)
        return ours, theirs, *ends, needs

    def apart(places: NDArray[np.intp]) -> float:
        first, second = (float(values_of(metric, side.take(places)).mean()) for side in sides)
        return first - second

    return (
        ours,
        theirs,
        *_resampled_ends(apart, ours - theirs, rows, resamples=resamples, seed=seed),
    )
