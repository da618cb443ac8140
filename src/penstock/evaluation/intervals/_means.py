"""Intervals of means of errors and losses, and of the median error."""

from math import exp, log, sqrt

import numpy as np

from penstock.evaluation._bootstrap import LEVEL, draw_weights
from penstock.evaluation._moves import errors, find_moves, losses
from penstock.evaluation._outcomes import Outcomes
from penstock.evaluation.intervals._carrying import student
from penstock.evaluation.intervals._ends import HIGHEST, Ends, Floats, Z

_MANY = 5_000  # with more rows a mean is normal, and resamples would only add noise
_LEAST = 1e-300  # the same for the lower end, as a share of the mean


def mean_interval(
    values: Floats, *, seed: int, resamples: int, positive: bool, wide: Floats | None = None
) -> Ends:
    """Compute the studentised interval of a mean; for a positive mean, on the logarithm.

    Args:
        values: Value of each row, shape (n,).
        seed: Equal seeds give equal ends.
        resamples: Bootstrap resamples.
        positive: Whether the values are 0 or more.
        wide: Divide the mean by the mean of these values (shape (n,)); None for the mean itself.
    """
    weights = np.ones((1, len(values)))
    centre, error = (float(each[0]) for each in _student(weights, values, wide, positive=positive))
    if not np.isfinite(centre) or not error > 0:
        ratio = values.mean() if wide is None else values.mean() / wide.mean()
        return float(ratio), float(ratio)
    low, high = -Z, Z
    if len(values) <= _MANY:
        means = []
        for drawn in draw_weights(len(values), resamples=max(resamples, 200), seed=seed):
            centres, errors = _student(drawn, values, wide, positive=positive)
            with np.errstate(divide="ignore", invalid="ignore"):
                means.append((centres - centre) / errors)
        pivots = np.concatenate(means)
        pivots = pivots[np.isfinite(pivots)]
        if len(pivots):
            tail = (1 - LEVEL) / 2
            low, high = np.quantile(pivots, (tail, 1 - tail))
    ends = centre - high * error, centre - low * error
    first, last = (float(np.exp(min(end, HIGHEST))) for end in ends) if positive else ends
    return float(first), float(last)


def number_interval(name: str, outcomes: Outcomes, *, seed: int, resamples: int) -> Ends:
    """Compute the interval of a metric of numbers.

    Args:
        name: rmse, mae, medae, r2, mape or bias.
        outcomes: The rows.
        seed: Equal seeds give equal ends.
        resamples: Bootstrap resamples.
    """
    off: Floats = outcomes.prediction - outcomes.truth
    if name == "medae":
        return _median_interval(np.sort(np.abs(off)))
    wider = student(find_moves(name, outcomes)) / Z
    if name == "bias":
        low, high = mean_interval(off, seed=seed, resamples=resamples, positive=False)
        mean = float(off.mean())
        return mean - (mean - low) * wider, mean + (high - mean) * wider
    spread = (outcomes.truth - outcomes.truth.mean()) ** 2 if name == "r2" else None
    values = errors(name, outcomes)
    ends = mean_interval(values, seed=seed, resamples=resamples, positive=True, wide=spread)
    mean = float(values.mean()) if spread is None else float(values.mean() / spread.mean())
    low, high = _widen(mean, ends, wider)
    if name == "r2":
        return 1 - high, 1 - low
    return (sqrt(low), sqrt(high)) if name == "rmse" else (low, high)


def probability_interval(name: str, outcomes: Outcomes, *, seed: int, resamples: int) -> Ends:
    """Compute the interval of log_loss or brier: means of a value per row."""
    values = losses(name, outcomes)
    ends = mean_interval(values, seed=seed, resamples=resamples, positive=True)
    return _widen(float(values.mean()), ends, student(find_moves(name, outcomes)) / Z)


def _student(
    weights: Floats, values: Floats, wide: Floats | None, *, positive: bool
) -> tuple[Floats, Floats]:
    """Return centre and standard error in each resample."""
    rows = weights.sum(axis=1)
    mean, square = weights @ values / rows, weights @ values**2 / rows
    with np.errstate(divide="ignore", invalid="ignore"):
        if wide is not None:
            below = weights @ wide / rows
            spread = (
                square / mean**2
                - 2 * (weights @ (values * wide) / rows) / (mean * below)
                + weights @ wide**2 / rows / below**2
            )
            return np.log(mean / below), np.sqrt(np.maximum(spread, 0) / rows)
        error = np.sqrt(np.maximum(square - mean**2, 0) / (rows - 1))
        return (np.log(mean), error / mean) if positive else (mean, error)


def _widen(mean: float, ends: Ends, wider: float) -> Ends:
    """Move the ends of a positive mean outward, on the logarithm."""
    if not mean > 0:
        return ends
    sides = (log(max(end / mean, _LEAST)) * wider for end in ends)
    low, high = (mean * exp(min(side, HIGHEST)) for side in sides)
    return low, high


def _median_interval(ordered: Floats) -> Ends:
    from scipy.stats import binom

    rows = len(ordered)
    first = int(binom.ppf((1 - LEVEL) / 2, rows, 0.5))
    if first < 1:
        return float(ordered[0]), float(ordered[-1])
    return float(ordered[first - 1]), float(ordered[rows - first])
