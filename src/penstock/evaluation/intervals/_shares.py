"""Intervals of shares, and of the metrics of classes that are made of shares."""

from collections.abc import Callable
from math import sqrt

import numpy as np

from penstock.evaluation._bootstrap import LEVEL
from penstock.evaluation._moves import find_moves
from penstock.evaluation._outcomes import Outcomes
from penstock.evaluation.intervals._carrying import count_carrying, student
from penstock.evaluation.intervals._ends import Ends, Z, bisect

_HANDFUL = 5  # rows below which Wilson's interval holds in 79 to 89 of 100 samples at worst
_NEAR = 3  # counts this close to an end are treated as Poisson
_DRAWS = 2_000


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


def share_of_variance(value: float, variance: float, rows: float) -> Ends:
    """Compute the interval of a figure as of the share with the same variance."""
    if variance > 0 and 0 < value < 1:
        rows = min(rows, value * (1 - value) / variance)
    return share_interval(value * rows, rows)


def _exact_ends(hits: float, rows: float) -> Ends:
    """Compute the mid-P ends: more hits, plus half of equal hits, have a chance of 1 in 40."""
    from scipy.special import betainc

    def above(share: float) -> float:
        least = 1.0 if hits <= 0 else float(betainc(hits, rows - hits + 1, share))
        more = 0.0 if hits >= rows else float(betainc(hits + 1, rows - hits, share))
        return (least + more) / 2

    tail = (1 - LEVEL) / 2
    share = hits / rows
    low = bisect(lambda end: above(end) < tail, 0.0, share) if hits > 0 else 0.0
    high = bisect(lambda end: above(end) < 1 - tail, share, 1.0) if hits < rows else 1.0
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


def label_interval(name: str, outcomes: Outcomes, value: float) -> Ends:
    """Compute the interval of a metric of several labels per row: of the share with the same variance.

    Args:
        name: A metric of a ``multilabel`` target.
        outcomes: The rows.
        value: The metric on the rows.
    """
    rows = len(outcomes)
    if name == "subset_accuracy":
        return share_interval(value * rows, rows)
    moves = find_moves(name, outcomes)
    # Where few rows carry the variance, it is uncertain itself.
    wider = (student(moves) / Z) ** 2 if count_carrying(moves) else 1.0
    variance = float(moves @ moves) * rows / max(rows - 1, 1) * wider
    # A mean over a row's labels varies less than a share of rows, but not less than one of labels.
    most = rows * len(outcomes.classes) if variance > 0 else rows
    return share_of_variance(value, variance, most)


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
    right, wrong, missed, true_positives = draws.T
    above = true_positives * right - wrong * missed
    below = np.sqrt(
        (true_positives + missed) * (true_positives + wrong) * (right + missed) * (right + wrong)
    )
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
