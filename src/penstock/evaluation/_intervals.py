"""95 % intervals of metrics that hold in small samples too: one method per kind of figure.

shares           Wilson's score interval on the figure's own denominator, with Poisson ends near 0
                 and 1 (Brown, Cai and DasGupta 2001); of a handful of rows exact ones (mid-P,
                 Agresti and Gottard 2007); F1 by way of Jaccard's share, of which it is
                 a rising function; sums of independent shares by MOVER (Zou and Donner 2008)
areas            score interval with Hanley and McNeil's variance as a function of the area
                 (Newcombe 2006), scaled to DeLong's (1988) as far as rows are ranked wrongly
average precision  normal interval of the logit (Boyd, Eng and Page 2013), with the variance of its
                 influence function as far as rows are ranked wrongly
correlation      Jeffreys' posterior of the four counts
means of errors  bootstrap-t on the logarithm (Efron and Tibshirani 1993, chapter 12)
median           order statistics (exact)

The percentile bootstrap is not among them: in 40 rows, or where classes are nearly separated, its
"95 %" held the truth in 36 to 88 of 100 samples.
"""

from collections.abc import Callable
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from penstock.evaluation._bootstrap import LEVEL, draw_weights
from penstock.evaluation._outcomes import Outcomes, order_scores

Floats = NDArray[np.float64]
Ends = tuple[float, float]

FEWEST_EVENTS = 10
"""Rows of the rarer class below which no method holds for figures of scores."""

FEWEST_RANKED = 20
"""The same for average precision, which only sees the positive rows."""

FEWEST_NUMBERS = 10
"""Rows below which no method holds for figures of numbers."""

FEWEST_WEIGHTY = 6
"""Rows that must carry a mean of errors, counted as (sum)² / (sum of squares): a mean that hangs on
fewer says nothing about the large errors which these rows happen not to show."""

Z = 1.959963984540054
_HANDFUL = 5  # rows below which Wilson's interval holds in 79 to 89 of 100 samples at the worst
_NEAR = 3  # so many counts from an end are Poisson's
_TRUST = 2.0  # rows ranked wrongly at which a smaller variance than Hanley's is half believed
_TRUST_RANKED = 10.0  # the same for average precision, whose few wrong rows weigh more
_UNSEEN = 3.0  # share by which a log loss's ends move, per row that carries it
_HALVINGS = 40
_MANY = 5_000  # above so many rows a mean is normal, and resamples would only add noise
_DRAWS = 2_000
_HIGHEST = 300.0  # logarithm of an end that means "no idea"


def share_interval(hits: float, rows: float) -> Ends:
    """Find the interval of a share.

    >>> tuple(round(end, 3) for end in share_interval(24, 24))
    (0.862, 1.0)

    Args:
        hits: Rows that count; may be a fraction where a share stands for others.
        rows: The share's own denominator, above 0.
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
    """Find the ends at which more hits, and half of as many, come by chance in 1 of 40 samples (mid-P)."""
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
    """Find the interval of a metric that is made of counts.

    Args:
        name: accuracy, balanced_accuracy, precision, recall, f1, macro_f1 or mcc.
        outcomes: The rows.
        value: The metric on them.
    """
    return _CLASS_INTERVALS[name](_Counts(outcomes), value)


class _Counts:
    """Rows by true class, by predicted class, and where both agree; each shape (K,)."""

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
    either = counts.actual[1] + counts.predicted[1] - counts.hits[1]
    low, high = share_interval(counts.hits[1], either)
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
    """Treat the mean as a share of as many rows as give it the variance of its influences."""
    both = counts.actual + counts.predicted
    known = both > 0
    score = np.divide(2 * counts.hits, both, out=np.zeros_like(both), where=known)
    scale = np.divide(1.0, both, out=np.zeros_like(both), where=known) / known.sum()
    truth, said = counts.outcomes.truth, counts.outcomes.prediction
    moves = np.where(truth == said, 2.0, 0.0) * scale[truth]
    moves -= score[truth] * scale[truth] + score[said] * scale[said]
    return _share_of_variance(value, float(moves @ moves), counts.rows)


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
    """Find the interval of the area under the ROC curve (for several classes of their mean)."""
    scores = outcomes.scores
    assert scores is not None
    if scores.ndim == 1:
        positive = outcomes.truth == 1
        moves = _area_moves(positive, scores)
        return _score_interval(value, _variance(moves, positive), positive)
    moves, classes = np.zeros(len(outcomes)), scores.shape[1]
    for code in range(classes):
        moves += _area_moves(outcomes.truth == code, scores[:, code]) / classes
    return _share_of_variance(value, float(moves @ moves), float(len(outcomes)))


def _area_moves(positive: NDArray[np.bool_], scores: Floats) -> Floats:
    """Give how much each row moves the area: DeLong's components over their numbers."""
    order, starts, ends = order_scores(scores)
    ranked = positive if order is None else positive[order]
    positives, negatives = int(ranked.sum()), int((~ranked).sum())
    if not positives or not negatives:
        return np.zeros(len(scores))
    below = np.concatenate([[0], np.cumsum(~ranked)])
    found = np.concatenate([[0], np.cumsum(ranked)])
    beaten = (below[starts] + below[ends + 1]) / (2 * negatives)
    beating = 1 - (found[starts] + found[ends + 1]) / (2 * positives)
    area = beaten[ranked].mean()
    moves: Floats = np.where(ranked, (beaten - area) / positives, (beating - area) / negatives)
    if order is None:
        return moves
    placed: Floats = np.empty_like(moves)
    placed[order] = moves
    return placed


def _variance(moves: Floats, positive: NDArray[np.bool_]) -> float:
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
    ratio = variance / expected if expected > 0 and variance > 0 else 1.0
    wrong = min(value, 1 - value) * min(positives, negatives)
    if ratio < 1:  # a small variance seen in few wrong pairs is luck
        ratio **= wrong / (wrong + _TRUST)

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


def ranked_interval(outcomes: Outcomes, value: float) -> Ends:
    """Find the interval of average precision: of its logit, with the variance of its influences."""
    scores = outcomes.scores
    assert scores is not None
    positive = outcomes.truth == 1
    positives = float(positive.sum())
    near = 1 / (2 * positives)
    inside = min(max(value, near), 1 - near) if positives > 1 else 0.5
    expected = inside * (1 - inside) / positives
    variance, wrong = _ranked_variance(positive, scores)
    ratio = variance / expected if variance > 0 else 1.0
    if ratio < 1:  # as with the area
        ratio **= wrong / (wrong + _TRUST_RANKED)
    width = Z * sqrt(expected * ratio) / (inside * (1 - inside))
    odds = np.log(inside / (1 - inside))
    low, high = (float(1 / (1 + np.exp(-odds + side))) for side in (width, -width))
    return min(low, value), (1.0 if value >= 1 else max(high, value))


def _ranked_variance(positive: NDArray[np.bool_], scores: Floats) -> tuple[float, int]:
    """Measure the variance of average precision, and in how many rows wrong ranks were seen.

    A row moves the precision at its own rank and, by being counted, at all ranks below it; the
    variance is the sum of the squares of these moves.
    """
    order, starts, ends = order_scores(scores)
    ranked = positive if order is None else positive[order]
    positives = int(ranked.sum())
    if positives < 2:  # noqa: PLR2004 - one row has no variance
        return 0.0, 0
    found = positives - np.concatenate([[0], np.cumsum(ranked)])[starts]  # as high or higher
    passed = (~ranked).sum() - np.concatenate([[0], np.cumsum(~ranked)])[starts]
    above = (found + passed).astype(float)
    precision = found / above
    # By how much one more positive (negative) row above moves the precision at each positive row.
    helped = np.cumsum(np.where(ranked, passed / above**2, 0.0))[ends]
    harmed = np.cumsum(np.where(ranked, found / above**2, 0.0))[ends]
    own = precision - precision[ranked].mean()
    moves = np.where(ranked, own + helped, -harmed) / positives
    lowest = int(np.argmax(ranked))
    wrong = min(int((ranked & (passed > 0)).sum()), int((~ranked[lowest:]).sum()))
    return float(moves @ moves) * positives / (positives - 1), wrong


# Means


def mean_interval(
    values: Floats, *, seed: int, resamples: int, positive: bool, wide: Floats | None = None
) -> Ends:
    """Find the interval of a mean, studentised; of a positive one on the logarithm.

    Args:
        values: One per row, shape (n,).
        seed: Equal seeds give equal ends.
        resamples: Bootstrap resamples.
        positive: Whether the values are 0 or more.
        wide: Divide the mean by the mean of these (shape (n,)); None for the mean itself.
    """
    one = np.ones(len(values))
    weights = np.ones((1, len(values)))
    centre, error = (float(each[0]) for each in _student(weights, values, wide, positive=positive))
    if not np.isfinite(centre) or not error > 0:
        ratio = values.mean() if wide is None else values.mean() / wide.mean()
        return float(ratio), float(ratio)
    low, high = -Z, Z
    if len(values) <= _MANY:
        found = []
        for drawn in draw_weights(one, resamples=max(resamples, 200), seed=seed):
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
    """Give centre and standard error in each resample."""
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
    """Find the interval of a metric of numbers.

    Args:
        name: rmse, mae, medae, r2, mape or bias.
        outcomes: The rows.
        seed: Equal seeds give equal ends.
        resamples: Bootstrap resamples.
    """
    errors: Floats = outcomes.prediction - outcomes.truth
    if name == "medae":
        return _median_interval(np.sort(np.abs(errors)))
    if name == "bias":
        return mean_interval(errors, seed=seed, resamples=resamples, positive=False)
    if name == "r2":
        spread = (outcomes.truth - outcomes.truth.mean()) ** 2
        low, high = mean_interval(
            errors**2, seed=seed, resamples=resamples, positive=True, wide=spread
        )
        return 1 - high, 1 - low
    values = _errors(name, outcomes)
    low, high = mean_interval(values, seed=seed, resamples=resamples, positive=True)
    return (sqrt(low), sqrt(high)) if name == "rmse" else (low, high)


def probability_interval(name: str, outcomes: Outcomes, *, seed: int, resamples: int) -> Ends:
    """Find the interval of log_loss or brier: means of one value per row."""
    values = _losses(name, outcomes)
    low, high = mean_interval(values, seed=seed, resamples=resamples, positive=True)
    mean = float(values.mean())
    if name == "brier" or not mean > 0:
        return low, high
    # Where few rows carry the loss, larger ones are unseen: the ends go outward, on the logarithm.
    wider = 1 + _UNSEEN / _weighty(values)
    return mean * (low / mean) ** wider, mean * (high / mean) ** wider


def _losses(name: str, outcomes: Outcomes) -> Floats:
    scores = outcomes.scores
    assert scores is not None
    if name == "brier":
        return np.asarray((scores - outcomes.truth) ** 2)
    if scores.ndim == 1:
        chance = np.where(outcomes.truth == 1, scores, 1 - scores)
    else:
        chance = scores[np.arange(len(outcomes)), outcomes.truth]
    return np.asarray(-np.log(np.clip(chance, outcomes.epsilon, 1 - outcomes.epsilon)))


def _errors(name: str, outcomes: Outcomes) -> Floats:
    """Give the errors whose mean a metric is; for rmse the root of it."""
    errors = np.abs(outcomes.prediction - outcomes.truth)
    if name == "mape":
        errors = errors / np.abs(outcomes.truth)
    return np.asarray(errors**2 if name in {"rmse", "r2"} else errors)


def _median_interval(ordered: Floats) -> Ends:
    from scipy.stats import binom

    rows = len(ordered)
    first = int(binom.ppf((1 - LEVEL) / 2, rows, 0.5))
    if first < 1:
        return float(ordered[0]), float(ordered[-1])
    return float(ordered[first - 1]), float(ordered[rows - first])


# What is missing


def why_too_few(name: str, outcomes: Outcomes) -> str:
    """Say what an interval lacks to hold; empty if it holds."""
    rows = len(outcomes)
    if outcomes.task == "regression":
        if rows < FEWEST_NUMBERS:
            return f"{rows} rows, {FEWEST_NUMBERS} are needed"
        return "" if name in {"bias", "medae"} else _why_too_light(_errors(name, outcomes))
    needed = _FEWEST.get(name, 0)
    if not needed:
        return ""
    if name == "log_loss" and outcomes.task == "multiclass":
        return f"{rows} rows, {needed} are needed" if rows < needed else ""
    counts = np.bincount(outcomes.truth, minlength=len(outcomes.classes))
    rarest = 1 if name == "average_precision" else int(counts.argmin())
    if counts[rarest] < needed:
        return f"{counts[rarest]} rows of class {outcomes.classes[rarest]!r}, {needed} are needed"
    return _why_too_light(_losses(name, outcomes)) if name in {"log_loss", "brier"} else ""


_FEWEST = {
    "balanced_accuracy": 1,
    "macro_f1": 1,
    "roc_auc": FEWEST_EVENTS,
    "log_loss": FEWEST_EVENTS,
    "brier": FEWEST_EVENTS,
    "average_precision": FEWEST_RANKED,
}


def _weighty(values: Floats) -> float:
    """Count the rows that carry a sum: all of them if they are equal, one if it is alone."""
    square = float(values @ values)
    return float(values.sum()) ** 2 / square if square > 0 else 0.0


def _why_too_light(values: Floats) -> str:
    weighty = _weighty(values)
    if weighty >= FEWEST_WEIGHTY:
        return ""
    return f"it hangs on {round(weighty)} rows with large errors, {FEWEST_WEIGHTY} are needed"
