"""95 % interval of the difference between two models' figures on the same rows.

Each row moves both figures (``_moves``); the similarity of the moves is the figures' correlation.

means of errors  Student's t of the differences of the moves
others           each figure keeps the skewed interval of the figure alone (``intervals``), and both
                 are read as a normal pair with that correlation: two nearly equal models differ by
                 nearly nothing, two that have little in common by the result of MOVER (Zou and
                 Donner 2008, Statistics in Medicine 27, 1693)

Few rows, or none, may distinguish two models. Therefore an unseen row is added for each model, as
Bonett and Price (2012, Journal of Educational and Behavioral Statistics 37, 479) do for shares: as
large as the rows seen, and at least as large as a further mispredicted row. Where few rows are
ranked wrongly, the correlation is at least the value derived from the correlation of the scores
within the classes (Hanley and McNeil 1983, Radiology 148, 839; their table lies above the cube).
"""

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from penstock.evaluation._bootstrap import LEVEL
from penstock.evaluation._moves import find_moves, find_steps
from penstock.evaluation._outcomes import Outcomes
from penstock.evaluation.intervals import (
    FEWEST_WEIGHTY,
    Ends,
    Z,
    count_carrying,
    logit_ends,
    student,
)

Floats = NDArray[np.float64]
Sides = tuple[Outcomes, Outcomes]

MEANS = frozenset({"log_loss", "brier", "rmse", "mae", "medae", "r2", "mape", "bias"})
"""Metrics whose difference is a mean over rows, in good approximation."""

_RANKED = frozenset({"roc_auc", "average_precision"})
_GRID = 100  # positions at which each of two normal variables is evaluated


def paired_ends(
    name: str, sides: Sides, values: tuple[float, float], alone: tuple[Ends, Ends]
) -> Ends:
    """Compute the interval of the first model's metric minus the second's.

    Args:
        name: A metric that both models define.
        sides: Both models' outcomes of the same rows in the same order.
        values: The metric of each model.
        alone: The metric's interval for each model; not used for ``MEANS``.
    """
    difference = values[0] - values[1]
    if _is_one_model(*sides):
        return difference, difference
    moves = find_moves(name, sides[0]), find_moves(name, sides[1])
    if name in MEANS:
        half = _half_of_mean(moves[0] - moves[1])
        return difference - half, difference + half
    if name in _RANKED and min(values) > 0 and max(values) < 1:
        # The same shape for both: pairing cannot cancel a difference between two shapes.
        far = max(student(moves[0]), student(moves[1]))
        alone = (
            logit_ends(values[0], far * _error(moves[0])),
            logit_ends(values[1], far * _error(moves[1])),
        )
    low, high = _join(values, alone, _correlation(name, sides, moves))
    return min(low, difference), max(high, difference)


def _is_one_model(ours: Outcomes, theirs: Outcomes) -> bool:
    """Return whether numbers or scores agree in every row; equal labels would say little."""
    if not np.array_equal(ours.prediction, theirs.prediction):
        return False
    if ours.scores is None or theirs.scores is None:
        return ours.task == "regression"
    return np.array_equal(ours.scores, theirs.scores)


def _error(moves: Floats) -> float:
    return sqrt(float(moves @ moves))


def _half_of_mean(apart: Floats) -> float:
    rows = len(apart)
    return student(apart) * _error(apart) * sqrt(rows / max(rows - 1, 1))


def _correlation(name: str, sides: Sides, moves: tuple[Floats, Floats]) -> float:
    """Compute the correlation of the moves, with an additional row of each model; -1 to 1."""
    ours, theirs = moves
    steps = (_carried(find_steps(name, side)) for side in sides)
    unseen = max(_carried(ours - theirs), *steps)
    own = (float(ours @ ours) + unseen) * (float(theirs @ theirs) + unseen)
    tie = float(ours @ theirs) / sqrt(own) if own > 0 else 0.0
    if name in _RANKED and min(map(count_carrying, moves)) < FEWEST_WEIGHTY:
        tie = max(tie, _alike(*sides) ** 3)
    return min(max(tie, -1.0), 1.0)


def _carried(moves: Floats) -> float:
    """Return the square of a typical move that carries the variance."""
    squares = moves**2
    total = float(squares.sum())
    return float(squares @ squares) / total if total > 0 else 0.0


def _alike(ours: Outcomes, theirs: Outcomes) -> float:
    """Compute how similarly both models rank the rows of a class: the lower value; at least 0."""
    from scipy.stats import rankdata

    assert ours.scores is not None
    assert theirs.scores is not None
    shares = [1.0]
    for code in (0, 1) if ours.scores.ndim == 1 else ():
        rows = ours.truth == code
        ranks = [rankdata(side.scores[rows]) for side in (ours, theirs)]  # type: ignore[index]
        varied = rows.sum() > 1 and all(np.ptp(each) > 0 for each in ranks)
        shares.append(float(np.corrcoef(*ranks)[0, 1]) if varied else 0.0)
    return max(min(shares), 0.0) if len(shares) > 1 else 0.0


def _join(values: tuple[float, float], alone: tuple[Ends, Ends], tie: float) -> Ends:
    """Compute the quantiles of the difference of two figures whose own intervals are known."""
    from scipy.special import ndtri

    steps = ndtri((np.arange(_GRID) + 0.5) / _GRID)
    # Sum and difference of a normal pair are independent: the models are interchangeable.
    common = sqrt((1 + tie) / 2) * steps[:, None]
    apart = sqrt((1 - tie) / 2) * steps[None, :]
    first = _quantile(values[0], alone[0], common + apart)
    second = _quantile(values[1], alone[1], common - apart)
    low, high = np.quantile(first - second, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return float(low), float(high)


def _quantile(value: float, ends: Ends, steps: Floats) -> Floats:
    """Return quantiles of an interval as a normal distribution whose two halves differ in width."""
    below, above = (value - ends[0]) / Z, (ends[1] - value) / Z
    return np.asarray(value + np.where(steps < 0, below, above) * steps)
