"""Intervals of figures of scores: areas under curves, by their moves."""

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from penstock.evaluation._moves import find_moves
from penstock.evaluation._outcomes import Outcomes
from penstock.evaluation.intervals._carrying import count_carrying, student
from penstock.evaluation.intervals._ends import Ends, Floats, Z, bisect, logit_ends
from penstock.evaluation.intervals._enough import FEWEST_WEIGHTY
from penstock.evaluation.intervals._shares import share_of_variance

_SHOWING = 30  # rows that contain, in 95 of 100 samples, a kind of row that is a tenth of all


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
    return share_of_variance(value, variance, float(len(outcomes)))


def ranked_interval(outcomes: Outcomes, value: float) -> Ends:
    """Compute the interval of average precision: of the logit, with the variance of the moves."""
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

    low = bisect(lambda area: not holds(area), 0.0, value) if value > 0 else 0.0
    high = bisect(holds, value, 1.0) if value < 1 else 1.0
    return low, high
