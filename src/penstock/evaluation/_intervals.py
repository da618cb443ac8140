"""95 % intervals of metrics that hold in small samples too, by the kind of figure.

shares           Wilson's score interval on the figure's own denominator, with Poisson ends near 0
                 and 1 (Brown, Cai and DasGupta 2001); for very few rows exact ends (mid-P,
                 Agresti and Gottard 2007); F1 by way of Jaccard's share, of which F1 is
                 a rising function; sums of shares by MOVER (Zou and Donner 2008)
areas            normal interval of the logit with DeLong's (1988) variance, by Student's t; where few rows
                 are ranked wrongly score interval with Hanley and McNeil's variance as a function
                 of the area (Newcombe 2006)
average precision  normal interval of the logit (Boyd, Eng and Page 2013) with the variance of its
                 influence function, by Student's t
correlation      Jeffreys' posterior of the four counts
means of errors  bootstrap-t on the logarithm (Efron and Tibshirani 1993, chapter 12), by Student's t
median           order statistics (exact)

By Student's t: a variance that depends on few rows is itself uncertain. The degrees of freedom are
twice the number of rows that carry the variance (Pan 2002, Computational Statistics and Data
Analysis 40, 143).

The percentile bootstrap is not used: with 40 rows, or where classes are nearly separated, the
"95 %" interval held the truth in 36 to 88 of 100 samples.
"""

from collections.abc import Callable
from math import exp, log, sqrt

import numpy as np
from numpy.typing import NDArray

from penstock.evaluation._bootstrap import LEVEL, draw_weights
from penstock.evaluation._moves import errors, find_moves, losses
from penstock.evaluation._outcomes import Outcomes

Floats = NDArray[np.float64]
Ends = tuple[float, float]

FEWEST_EVENTS = 10
"""Number of rows of the rarer class below which no method holds for figures of scores."""

FEWEST_NUMBERS = 10
"""Number of rows below which no method holds for figures of numbers."""

FEWEST_WEIGHTY = 6
"""Effective number of rows, (sum)² / (sum of squares), that a mean of errors needs: a mean that
depends on fewer rows says nothing about large errors that these rows happen not to have."""

Z = 1.959963984540054
_HANDFUL = 5  # rows below which Wilson's interval holds in 79 to 89 of 100 samples at worst
_NEAR = 3  # counts this close to an end are treated as Poisson
_SHOWING = 30  # rows that contain, in 95 of 100 samples, a kind of row that is a tenth of all
_HALVINGS = 40
_MANY = 5_000  # with more rows a mean is normal, and resamples would only add noise
_DRAWS = 2_000
_HIGHEST = 300.0  # logarithm of an end that is unbounded in practice
_LEAST = 1e-300  # the same for the lower end, as a share of the mean


def share_interval(hits: float, rows: float) -> Ends:
    """Compute the interval of a share.

    >>> tuple(round(end, 3) for end in share_interval(24, 24))
    (0.862, 1.0)

    Args:
        hits: Rows that count; may be a fraction if the share stands for a different figure.
        rows: Denominator of the share, above 0.
    """
    if rows <= 0:
        return 0.0, 1.0
    if rows < _HANDFUL:
        return _exact_ends(hits, rows)
    share = hits / rows
    middle = (share + Z * Z / (2 * rows)) / (1 + Z * Z / rows)
    half = Z * sqrt(share * (1 - share) / rows + Z * Z / (4 * rows * rows)) / (1 + Z * Z / rows)
    low, high = max(middle - half, 0.0), min(middle + half, 1.0)
    misses = rows - hits
    if 0 < hits <= min(_NEAR, misses):
        low = min(low, _poisson_end(hits) / rows)
    if 0 < misses <= min(_NEAR, hits):
        high = max(high, 1.0 - _poisson_end(misses) / rows)
    return (0.0 if hits == 0 else low), (1.0 if misses == 0 else high)


def _exact_ends(hits: float, rows: float) -> Ends:
    """Compute the mid-P ends: more hits, plus half of equal hits, have a chance of 1 in 40."""
    from scipy.special import betainc

    def above(share: float) -> float:
        least = 1.0 if hits <= 0 else float(betainc(hits, rows - hits + 1, share))
        more = 0.0 if hits >= rows else float(betainc(hits + 1, rows - hits, share))
        return (least + more) / 2

    tail = (1 - LEVEL) / 2
    share = hits / rows
    low = _bisect(lambda end: above(end) < tail, 0.0, share) if hits > 0 else 0.0
    high = _bisect(lambda end: above(end) < 1 - tail, share, 1.0) if hits < rows else 1.0
    return low, high


def _poisson_end(count: float) -> float:
    from scipy.special import gammaincinv

    return float(gammaincinv(count, 1 - LEVEL))


def class_interval(name: str, outcomes: Outcomes, value: float) -> Ends:
    """Compute the interval of a metric that is computed from counts.

    Args:
        name: accuracy, balanced_accuracy, precision, recall, f1, macro_f1 or mcc.
        outcomes: The rows.
        value: The metric on the rows.
    """
    return _CLASS_INTERVALS[name](_Counts(outcomes), value)


class _Counts:
    """Rows by true class, by predicted class, and where both agree; each of shape (K,)."""

    def __init__(self, outcomes: Outcomes) -> None:
        classes = max(len(outcomes.classes), 2)
        self.actual = np.bincount(outcomes.truth, minlength=classes).astype(float)
        self.predicted = np.bincount(outcomes.prediction, minlength=classes).astype(float)
        right = outcomes.truth[outcomes.truth == outcomes.prediction]
        self.hits = np.bincount(right, minlength=classes).astype(float)
        self.rows = float(len(outcomes))
        self.outcomes = outcomes


def _accuracy(counts: _Counts, _: float) -> Ends:
    return share_interval(counts.hits.sum(), counts.rows)


def _precision(counts: _Counts, _: float) -> Ends:
    return share_interval(counts.hits[1], counts.predicted[1])


def _recall(counts: _Counts, _: float) -> Ends:
    return share_interval(counts.hits[1], counts.actual[1])


def _f1(counts: _Counts, _: float) -> Ends:
    return _f1_ends(counts.hits[1], counts.actual[1] + counts.predicted[1] - counts.hits[1])


def _f1_ends(hits: float, either: float) -> Ends:
    low, high = share_interval(hits, either)
    return 2 * low / (1 + low), 2 * high / (1 + high)


def _balanced_accuracy(counts: _Counts, value: float) -> Ends:
    below, above, classes = 0.0, 0.0, 0
    for hits, rows in zip(counts.hits, counts.actual, strict=True):
        if rows:
            low, high = share_interval(hits, rows)
            below, above = below + (hits / rows - low) ** 2, above + (high - hits / rows) ** 2
            classes += 1
    return value - sqrt(below) / classes, value + sqrt(above) / classes


def _macro_f1(counts: _Counts, value: float) -> Ends:
    """Combine the classes' own ends; a misclassified row counts against both classes (MOVER)."""
    both = counts.actual + counts.predicted
    known = np.flatnonzero(both > 0)
    score = np.zeros(len(both))
    score[known] = 2 * counts.hits[known] / both[known]
    sides = np.zeros((2, len(both)))  # distance of each class's ends below and above
    for code in known:
        low, high = _f1_ends(counts.hits[code], both[code] - counts.hits[code])
        sides[:, code] = max(score[code] - low, 0.0), max(high - score[code], 0.0)
    squares = counts.hits * (2 - 2 * score) ** 2 + (both - 2 * counts.hits) * score**2
    own = np.divide(score, np.sqrt(squares), out=np.zeros(len(both)), where=squares > 0)
    truth, said = counts.outcomes.truth, counts.outcomes.prediction
    wrong = truth != said
    shared = own[truth[wrong]] * own[said[wrong]]
    below, above = (
        sqrt(float(side @ side) + 2 * float(shared @ (side[truth[wrong]] * side[said[wrong]])))
        for side in sides
    )
    return value - below / len(known), value + above / len(known)


def _mcc(counts: _Counts, value: float) -> Ends:
    hits = counts.hits
    table = np.array([hits[0], counts.actual[0] - hits[0], counts.actual[1] - hits[1], hits[1]])
    draws = np.random.default_rng(0).gamma(table + 0.5, size=(_DRAWS, 4))
    right, wrong, missed, found = draws.T
    above = found * right - wrong * missed
    below = np.sqrt((found + missed) * (found + wrong) * (right + missed) * (right + wrong))
    low, high = np.quantile(above / below, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return min(float(low), value), max(float(high), value)


_CLASS_INTERVALS: dict[str, Callable[[_Counts, float], Ends]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "precision": _precision,
    "recall": _recall,
    "f1": _f1,
    "macro_f1": _macro_f1,
    "mcc": _mcc,
}


def _share_of_variance(value: float, variance: float, rows: float) -> Ends:
    if variance > 0 and 0 < value < 1:
        rows = min(rows, value * (1 - value) / variance)
    return share_interval(value * rows, rows)


# Scores


def area_interval(outcomes: Outcomes, value: float) -> Ends:
    """Compute the interval of the area under the ROC curve (for several classes, of the mean)."""
    assert outcomes.scores is not None
    moves = find_moves("roc_auc", outcomes)
    binary = outcomes.scores.ndim == 1
    positive = outcomes.truth == 1
    variance = _two_sided_variance(moves, positive) if binary else float(moves @ moves)
    rarest = int(np.bincount(outcomes.truth).min())
    if 0 < value < 1 and rarest >= _SHOWING and count_carrying(moves) >= FEWEST_WEIGHTY:
        return logit_ends(value, sqrt(variance) * student(moves))
    if binary:
        return _score_interval(value, variance, positive)
    return _share_of_variance(value, variance, float(len(outcomes)))


def _two_sided_variance(moves: Floats, positive: NDArray[np.bool_]) -> float:
    total = 0.0
    for side in (moves[positive], moves[~positive]):
        if len(side) > 1:
            total += float(side @ side) * len(side) / (len(side) - 1)
    return total


def _score_interval(value: float, variance: float, positive: NDArray[np.bool_]) -> Ends:
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if not positives or not negatives:
        return 0.0, 1.0

    def model(area: float) -> float:
        spread = ((1 - area) / (2 - area) + area / (1 + area)) * (len(positive) / 2 - 1)
        return area * (1 - area) * (1 + spread) / (positives * negatives)

    expected = model(value)
    # A smaller variance, with so few rows that are ranked wrongly, is chance.
    ratio = max(variance / expected, 1.0) if expected > 0 else 1.0

    def holds(area: float) -> bool:
        return abs(value - area) <= Z * sqrt(model(area) * ratio)

    low = _bisect(lambda area: not holds(area), 0.0, value) if value > 0 else 0.0
    high = _bisect(holds, value, 1.0) if value < 1 else 1.0
    return low, high


def _bisect(goes_on: Callable[[float], bool], first: float, last: float) -> float:
    for _ in range(_HALVINGS):
        middle = (first + last) / 2
        first, last = (middle, last) if goes_on(middle) else (first, middle)
    return (first + last) / 2


def logit_ends(value: float, half: float) -> Ends:
    odds, half = log(value / (1 - value)), half / (value * (1 - value))
    low, high = (1 / (1 + exp(min(side - odds, _HIGHEST))) for side in (half, -half))
    return low, high


def ranked_interval(outcomes: Outcomes, value: float) -> Ends:
    """Compute the interval of average precision: of the logit, with the variance of its moves."""
    positives = float((outcomes.truth == 1).sum())
    if positives < 2:  # noqa: PLR2004 - a single row has no variance
        return 0.0, 1.0
    moves = find_moves("average_precision", outcomes)
    variance = float(moves @ moves) * positives / (positives - 1)
    near = 1 / (2 * positives)
    inside = min(max(value, near), 1 - near) if variance == 0 else value
    far = student(moves)
    if count_carrying(moves) < FEWEST_WEIGHTY:
        # A smaller variance than a share's, with so few rows, is chance.
        variance, far = max(variance * (far / Z) ** 2, inside * (1 - inside) / positives), Z
    low, high = logit_ends(inside, sqrt(variance) * far)
    return min(low, value), (1.0 if value >= 1 else max(high, value))


# Student


def count_carrying(moves: Floats) -> float:
    """Return the effective number of rows that carry a variance: all rows if moves are equal.

    Args:
        moves: How much each row moves the figure, shape (n,).
    """
    return _weighty(moves**2)


def student(moves: Floats) -> float:
    """Return the distance of the ends in standard errors, as the variance itself is uncertain.

    >>> round(student(np.ones(1000)), 2), round(student(np.array([0.0, 1.0, -1.0])), 2)
    (1.96, 2.78)

    Args:
        moves: How much each row moves the figure, shape (n,).
    """
    from scipy.special import stdtrit

    carrying = count_carrying(moves)
    return float(stdtrit(2 * carrying, (1 + LEVEL) / 2)) if carrying > 0 else Z


# Means


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
        found = []
        for drawn in draw_weights(len(values), resamples=max(resamples, 200), seed=seed):
            centres, errors = _student(drawn, values, wide, positive=positive)
            with np.errstate(divide="ignore", invalid="ignore"):
                found.append((centres - centre) / errors)
        pivots = np.concatenate(found)
        pivots = pivots[np.isfinite(pivots)]
        if len(pivots):
            tail = (1 - LEVEL) / 2
            low, high = np.quantile(pivots, (tail, 1 - tail))
    ends = centre - high * error, centre - low * error
    first, last = (float(np.exp(min(end, _HIGHEST))) for end in ends) if positive else ends
    return float(first), float(last)


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


def _widen(mean: float, ends: Ends, wider: float) -> Ends:
    """Move the ends of a positive mean outward, on the logarithm."""
    if not mean > 0:
        return ends
    sides = (log(max(end / mean, _LEAST)) * wider for end in ends)
    low, high = (mean * exp(min(side, _HIGHEST)) for side in sides)
    return low, high


def _median_interval(ordered: Floats) -> Ends:
    from scipy.stats import binom

    rows = len(ordered)
    first = int(binom.ppf((1 - LEVEL) / 2, rows, 0.5))
    if first < 1:
        return float(ordered[0]), float(ordered[-1])
    return float(ordered[first - 1]), float(ordered[rows - first])


# Why an interval does not hold


def why_too_few(name: str, outcomes: Outcomes) -> str:
    """Return what an interval lacks to hold; empty if the interval holds."""
    rows = len(outcomes)
    if outcomes.task == "regression":
        if rows < FEWEST_NUMBERS:
            return f"{rows} rows, {FEWEST_NUMBERS} are needed"
        return "" if name in {"bias", "medae"} else _why_too_light(errors(name, outcomes))
    needed = _FEWEST.get(name, 0)
    if not needed:
        return ""
    if name == "log_loss" and outcomes.task == "multiclass":
        few = f"{rows} rows, {needed} are needed" if rows < needed else ""
        return few or _why_too_light(losses(name, outcomes))
    counts = np.bincount(outcomes.truth, minlength=len(outcomes.classes))
    rarest = 1 if name == "average_precision" else int(counts.argmin())
    if counts[rarest] < needed:
        return f"{counts[rarest]} rows of class {outcomes.classes[rarest]!r}, {needed} are needed"
    return _why_too_light(losses(name, outcomes)) if name in {"log_loss", "brier"} else ""


_FEWEST = {
    "balanced_accuracy": 1,
    "macro_f1": 1,
    "roc_auc": FEWEST_EVENTS,
    "log_loss": FEWEST_EVENTS,
    "brier": FEWEST_EVENTS,
    "average_precision": FEWEST_EVENTS,
}


def _weighty(values: Floats) -> float:
    """Return the effective number of rows that carry a sum: all if equal, 1 if alone."""
    square = float(values @ values)
    return float(values.sum()) ** 2 / square if square > 0 else 0.0


def _why_too_light(values: Floats) -> str:
    weighty = _weighty(values)
    if weighty >= FEWEST_WEIGHTY:
        return ""
    return f"it hangs on {round(weighty)} rows with large errors, {FEWEST_WEIGHTY} are needed"
