"""Formulas of the metrics over weighted rows, for many resamples at once, as in scikit-learn.

Notation: R resamples, n rows, W (R, n) count of each row in each resample. A formula returns (R,)
values, not-a-number where a resample has no such value (no positive row, constant target).
"""

from collections.abc import Callable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from penstock.evaluation._outcomes import Outcomes, order_scores

Floats = NDArray[np.float64]
_CLASS_BLOCK = 64  # bounds the one-hot matrix when there are many classes


class WeightedRows:
    """Outcomes with weights; caches the intermediate results that several formulas need.

    Args:
        outcomes: The rows.
        weights: Shape (R, n), 0 or more.
    """

    def __init__(self, outcomes: Outcomes, weights: Floats) -> None:
        self.outcomes, self.weights = outcomes, weights

    @cached_property
    def total(self) -> Floats:
        """Weight of all rows, shape (R,)."""
        total: Floats = self.weights.sum(axis=1)
        return total

    def mean(self, values: NDArray[np.float64]) -> Floats:
        """Return the weighted mean of a value per row, shape (R,)."""
        total: Floats = self.weights @ values
        return _divide(total, self.total)

    @cached_property
    def hits(self) -> Floats:
        """Weight by class of rows predicted correctly, shape (R, K)."""
        rows = self.outcomes
        return self._by_class(np.where(rows.truth == rows.prediction, rows.truth, -1))

    @cached_property
    def actual(self) -> Floats:
        """Weight by true class, shape (R, K)."""
        return self._by_class(self.outcomes.truth)

    @cached_property
    def predicted(self) -> Floats:
        """Weight by predicted class, shape (R, K)."""
        return self._by_class(self.outcomes.prediction)

    def _by_class(self, codes: NDArray[np.int64]) -> Floats:
        blocks = []
        for first in range(0, len(self.outcomes.classes), _CLASS_BLOCK):
            block = np.arange(first, min(first + _CLASS_BLOCK, len(self.outcomes.classes)))
            blocks.append(self.weights @ (codes[:, None] == block).astype(np.float64))
        return np.concatenate(blocks, axis=1)


def _divide(above: Floats, below: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: Floats = above / below
    return ratio


# Classes


def _accuracy(rows: WeightedRows) -> Floats:
    return _divide(rows.hits.sum(axis=1), rows.total)


def _balanced_accuracy(rows: WeightedRows) -> Floats:
    return _mean_of_defined(_divide(rows.hits, rows.actual))


def _macro_f1(rows: WeightedRows) -> Floats:
    return _mean_of_defined(_divide(2 * rows.hits, rows.actual + rows.predicted))


def _mean_of_defined(values: Floats) -> Floats:
    known = ~np.isnan(values)
    return _divide(np.where(known, values, 0.0).sum(axis=1), known.sum(axis=1).astype(np.float64))


def _precision(rows: WeightedRows) -> Floats:
    return _divide(rows.hits[:, 1], rows.predicted[:, 1])


def _recall(rows: WeightedRows) -> Floats:
    return _divide(rows.hits[:, 1], rows.actual[:, 1])


def _f1(rows: WeightedRows) -> Floats:
    return _divide(2 * rows.hits[:, 1], rows.actual[:, 1] + rows.predicted[:, 1])


def _mcc(rows: WeightedRows) -> Floats:
    true_negative, true_positive = rows.hits.T
    false_negative = rows.actual[:, 1] - true_positive
    false_positive = rows.predicted[:, 1] - true_positive
    above = true_positive * true_negative - false_positive * false_negative
    below = np.sqrt(np.prod(rows.actual, axis=1) * np.prod(rows.predicted, axis=1))
    # A constant prediction has no correlation; scikit-learn defines this as 0.
    return np.where(below == 0, 0.0, _divide(above, np.where(below == 0, 1.0, below)))


# Scores


def _log_loss(rows: WeightedRows) -> Floats:
    outcomes = rows.outcomes
    scores = outcomes.scores
    assert scores is not None
    if scores.ndim == 1:
        chance = np.where(outcomes.truth == 1, scores, 1.0 - scores)
    else:
        chance = scores[np.arange(len(outcomes)), outcomes.truth]
    return rows.mean(-np.log(np.clip(chance, outcomes.epsilon, 1.0 - outcomes.epsilon)))


def _brier(rows: WeightedRows) -> Floats:
    assert rows.outcomes.scores is not None
    return rows.mean((rows.outcomes.scores - rows.outcomes.truth) ** 2)


def _roc_auc(rows: WeightedRows) -> Floats:
    return _area(rows.weights, rows.outcomes.truth == 1, rows.outcomes.score_order)


def _roc_auc_one_against_rest(rows: WeightedRows) -> Floats:
    outcomes = rows.outcomes
    assert outcomes.scores is not None
    areas = [
        _area(rows.weights, outcomes.truth == code, order_scores(scores))
        for code, scores in enumerate(outcomes.scores.T)
    ]
    mean: Floats = np.mean(areas, axis=0)
    return mean


def _area(
    weights: Floats,
    positive: NDArray[np.bool_],
    ties: tuple[NDArray[np.intp] | None, NDArray[np.intp], NDArray[np.intp]],
) -> Floats:
    """Compute the chance of a positive row above a negative row, ties as half (Mann-Whitney)."""
    order, starts, ends = ties
    if order is not None:
        weights, positive = weights[:, order], positive[order]
    below = np.cumsum(np.where(positive, 0.0, weights), axis=1)
    places = np.flatnonzero(positive)
    gains, first = weights[:, places], starts[places]
    beaten = below[:, ends[places]] + np.where(first > 0, below[:, first - 1], 0.0)
    total = below[:, -1] if below.shape[1] else np.zeros(len(weights))
    return _divide(0.5 * np.einsum("ij,ij->i", gains, beaten), gains.sum(axis=1) * total)


def _average_precision(rows: WeightedRows) -> Floats:
    order, starts, _ = rows.outcomes.score_order
    weights, positive = rows.weights, rows.outcomes.truth == 1
    if order is not None:
        weights, positive = weights[:, order], positive[order]
    places = np.flatnonzero(positive)
    gains, first = weights[:, places], starts[places]
    # Rows with at least this score = all rows minus the rows below the tie.
    chosen = rows.total[:, None] - _below(weights, first)
    hits = gains.sum(axis=1, keepdims=True) - _below(np.where(positive, weights, 0.0), first)
    share = np.where(gains > 0, _divide(hits, chosen), 0.0)
    return _divide(np.einsum("ij,ij->i", gains, share), gains.sum(axis=1))


def _below(weights: Floats, first: NDArray[np.intp]) -> Floats:
    sums = np.cumsum(weights, axis=1)
    return np.where(first > 0, sums[:, first - 1], 0.0)


# Several labels per row


def row_f1(outcomes: Outcomes) -> Floats:
    """Return the F1 of each row's labels, (n,); 1 where there are none and none are predicted."""
    hits, both = row_counts(outcomes)
    return np.divide(hits, both, out=np.ones(len(hits)), where=both > 0)


def row_counts(outcomes: Outcomes) -> tuple[Floats, Floats]:
    """Return twice the hits of each row, and the true plus the predicted labels, both (n,)."""
    truth, prediction = (each.astype(np.float64) for each in (outcomes.truth, outcomes.prediction))
    return 2 * (truth * prediction).sum(axis=1), (truth + prediction).sum(axis=1)


def exact_rows(outcomes: Outcomes) -> Floats:
    """Return 1 for each row with exactly the right labels, (n,)."""
    return np.asarray((outcomes.truth == outcomes.prediction).all(axis=1), dtype=np.float64)


def wrong_labels(outcomes: Outcomes) -> Floats:
    """Return the share of each row's labels that are wrong, (n,)."""
    return np.asarray((outcomes.truth != outcomes.prediction).mean(axis=1))


def _micro_f1(rows: WeightedRows) -> Floats:
    hits, both = row_counts(rows.outcomes)
    return _divide(rows.weights @ hits, rows.weights @ both)


def _macro_label_f1(rows: WeightedRows) -> Floats:
    truth, prediction = rows.outcomes.truth, rows.outcomes.prediction
    hits = rows.weights @ (2.0 * truth * prediction)
    return _mean_of_defined(_divide(hits, rows.weights @ (1.0 * truth + prediction)))


def _micro_average_precision(rows: WeightedRows) -> Floats:
    labels = len(rows.outcomes.classes)
    weights = np.repeat(rows.weights, labels, axis=1)
    return _average_precision(WeightedRows(rows.outcomes.all_labels(), weights))


def _macro_average_precision(rows: WeightedRows) -> Floats:
    precisions = [
        _average_precision(WeightedRows(rows.outcomes.of_label(code), rows.weights))
        for code in range(len(rows.outcomes.classes))
    ]
    mean: Floats = np.mean(precisions, axis=0)
    return mean


# Numbers


def _residuals(rows: WeightedRows) -> Floats:
    residuals: Floats = rows.outcomes.prediction - rows.outcomes.truth
    return residuals


def _rmse(rows: WeightedRows) -> Floats:
    return np.sqrt(rows.mean(_residuals(rows) ** 2))


def _mae(rows: WeightedRows) -> Floats:
    return rows.mean(np.abs(_residuals(rows)))


def _bias(rows: WeightedRows) -> Floats:
    return rows.mean(_residuals(rows))


def _mape(rows: WeightedRows) -> Floats:
    return rows.mean(np.abs(_residuals(rows)) / np.abs(rows.outcomes.truth))


def _r2(rows: WeightedRows) -> Floats:
    centred = rows.outcomes.truth - rows.outcomes.truth.mean()
    spread = rows.mean(centred**2) - rows.mean(centred) ** 2
    # A resample of a single value has no spread; rounding may leave a tiny remainder.
    spread = np.where(spread > 1e-12 * np.mean(centred**2), spread, np.nan)
    return 1.0 - _divide(rows.mean(_residuals(rows) ** 2), spread)


def _medae(rows: WeightedRows) -> Floats:
    errors = np.abs(_residuals(rows))
    order = np.argsort(errors, kind="stable")
    errors, reached = errors[order], np.cumsum(rows.weights[:, order], axis=1)
    half = reached[:, -1] / 2
    # The middle two of an even number: the first row past half, from either side.
    lower = np.sum(reached < half[:, None], axis=1)
    upper = np.minimum(np.sum(reached <= half[:, None], axis=1), len(errors) - 1)
    middle: Floats = (errors[lower] + errors[upper]) / 2
    return middle


FORMULAS: dict[str, dict[str, Callable[[WeightedRows], Floats]]] = {
    "binary": {
        "roc_auc": _roc_auc,
        "average_precision": _average_precision,
        "log_loss": _log_loss,
        "brier": _brier,
        "accuracy": _accuracy,
        "balanced_accuracy": _balanced_accuracy,
        "precision": _precision,
        "recall": _recall,
        "f1": _f1,
        "mcc": _mcc,
    },
    "multiclass": {
        "accuracy": _accuracy,
        "balanced_accuracy": _balanced_accuracy,
        "macro_f1": _macro_f1,
        "log_loss": _log_loss,
        "roc_auc": _roc_auc_one_against_rest,
    },
    "multilabel": {
        "micro_f1": _micro_f1,
        "macro_f1": _macro_label_f1,
        "samples_f1": lambda rows: rows.mean(row_f1(rows.outcomes)),
        "subset_accuracy": lambda rows: rows.mean(exact_rows(rows.outcomes)),
        "hamming_loss": lambda rows: rows.mean(wrong_labels(rows.outcomes)),
        "micro_average_precision": _micro_average_precision,
        "macro_average_precision": _macro_average_precision,
    },
    "regression": {
        "rmse": _rmse,
        "mae": _mae,
        "medae": _medae,
        "r2": _r2,
        "mape": _mape,
        "bias": _bias,
    },
}
