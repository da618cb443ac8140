"""Moves of a figure by each row: the influence function at the row, over the number of rows.

The moves of a figure sum to 0, and the sum of their squares is the figure's variance (the
infinitesimal jackknife). The difference of two models' moves belongs to the difference of their
figures, so that the difficulty of a row cancels out.

Source: Efron (1982), The Jackknife, the Bootstrap and Other Resampling Plans, chapter 6; for areas
DeLong, DeLong and Clarke-Pearson (1988).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from penstock.evaluation._formulas import exact_rows, row_counts, row_f1, wrong_labels
from penstock.evaluation._outcomes import Outcomes, order_scores

Floats = NDArray[np.float64]


def find_moves(name: str, outcomes: Outcomes) -> Floats:
    """Compute how much each row moves a metric that the rows define.

    Args:
        name: The metric.
        outcomes: The rows.

    Returns:
        Shape (n,), in the metric's unit.
    """
    return (_LABEL_MOVES if outcomes.task == "multilabel" else _MOVES)[name](outcomes)


# Classes


def _accuracy(outcomes: Outcomes) -> Floats:
    return _of_mean((outcomes.truth == outcomes.prediction).astype(float))


def _balanced_accuracy(outcomes: Outcomes) -> Floats:
    right = (outcomes.truth == outcomes.prediction).astype(float)
    rows = np.bincount(outcomes.truth, minlength=len(outcomes.classes))
    hits = np.bincount(outcomes.truth, weights=right, minlength=len(outcomes.classes))
    recall = hits / np.maximum(rows, 1)
    scale = 1 / (np.maximum(rows, 1) * (rows > 0).sum())
    return np.asarray((right - recall[outcomes.truth]) * scale[outcomes.truth])


def _macro_f1(outcomes: Outcomes) -> Floats:
    truth, said = outcomes.truth, outcomes.prediction
    score, scale = _f1_by_class(outcomes)
    moves = np.where(truth == said, 2.0, 0.0) * scale[truth]
    moves -= score[truth] * scale[truth] + score[said] * scale[said]
    return np.asarray(moves)


def _f1_by_class(outcomes: Outcomes) -> tuple[Floats, Floats]:
    """Return each class's F1, and the weight of an additional true or predicted row in the mean."""
    truth, said, classes = outcomes.truth, outcomes.prediction, len(outcomes.classes)
    both = np.bincount(truth, minlength=classes) + np.bincount(said, minlength=classes)
    hits = np.bincount(truth[truth == said], minlength=classes)
    known = both > 0
    score = np.divide(2 * hits, both, out=np.zeros(classes), where=known)
    return score, np.divide(1.0, both, out=np.zeros(classes), where=known) / known.sum()


def _by_cell(name: str) -> Callable[[Outcomes], Floats]:
    def moves(outcomes: Outcomes) -> Floats:
        return np.asarray(_slopes(name, outcomes)[outcomes.truth, outcomes.prediction])

    return moves


def _slopes(name: str, outcomes: Outcomes) -> Floats:
    """Return how much an additional row in each cell (truth, prediction) moves a metric."""
    table = np.zeros((2, 2))
    np.add.at(table, (outcomes.truth, outcomes.prediction), 1.0)
    actual, said = table.sum(axis=1), table.sum(axis=0)
    if name == "mcc":
        below = np.sqrt(actual.prod() * said.prod())
        if below == 0:
            return np.zeros((2, 2))
        value = (table[1, 1] * table[0, 0] - table[0, 1] * table[1, 0]) / below
        opposite = table[::-1, ::-1] * np.array([[1, -1], [-1, 1]])
        return np.asarray(opposite / below - value / 2 * (1 / actual[:, None] + 1 / said))
    # A share of hits: how often each cell counts in the numerator and in the denominator.
    above, below = _SHARES[name]
    value = (above * table).sum() / (below * table).sum()
    return np.asarray((above - value * below) / (below * table).sum())


_HIT = np.array([[0.0, 0.0], [0.0, 1.0]])
_SHARES = {
    "precision": (_HIT, np.array([[0.0, 1.0], [0.0, 1.0]])),
    "recall": (_HIT, np.array([[0.0, 0.0], [1.0, 1.0]])),
    "f1": (2 * _HIT, np.array([[0.0, 1.0], [1.0, 2.0]])),
}


def find_steps(name: str, outcomes: Outcomes) -> Floats:
    """Compute how far a class metric moves if an additional row of each class is mispredicted.

    Args:
        name: The metric.
        outcomes: The rows.

    Returns:
        Shape (K,), 0 or more, or (1,) for several labels per row; empty for metrics that are not computed from counts.
    """
    if outcomes.task == "multilabel":
        # A row whose labels are all wrong counts as one more of the rows.
        return np.full(1, 1 / len(outcomes))
    classes = len(outcomes.classes)
    rows = np.bincount(outcomes.truth, minlength=classes) if classes else np.zeros(0)
    if name == "accuracy":
        return np.where(rows > 0, 1 / len(outcomes), 0.0)
    if name == "balanced_accuracy":
        return np.where(rows > 0, 1 / (np.maximum(rows, 1) * (rows > 0).sum()), 0.0)
    if name == "macro_f1":
        score, scale = _f1_by_class(outcomes)
        return np.asarray((2 - score) * scale)
    if name in _SHARES or name == "mcc":
        return np.asarray(np.abs(np.diff(_slopes(name, outcomes), axis=1))[:, 0])
    return np.zeros(0)


def _of_mean(values: Floats) -> Floats:
    return np.asarray((values - values.mean()) / len(values))


# Scores


def _roc_auc(outcomes: Outcomes) -> Floats:
    scores = outcomes.scores
    assert scores is not None
    if scores.ndim == 1:
        return area_moves(outcomes.truth == 1, scores)
    classes = scores.shape[1]
    each = (area_moves(outcomes.truth == code, scores[:, code]) for code in range(classes))
    return np.asarray(sum(each) / classes)


def area_moves(positive: NDArray[np.bool_], scores: Floats) -> Floats:
    """Compute how much each row moves the area: DeLong's components over their numbers."""
    order, starts, ends = order_scores(scores)
    ranked = positive if order is None else positive[order]
    positives, negatives = int(ranked.sum()), int((~ranked).sum())
    if not positives or not negatives:
        return np.zeros(len(scores))
    below = np.concatenate([[0], np.cumsum(~ranked)])
    cumulated = np.concatenate([[0], np.cumsum(ranked)])
    beaten = (below[starts] + below[ends + 1]) / (2 * negatives)
    beating = 1 - (cumulated[starts] + cumulated[ends + 1]) / (2 * positives)
    area = beaten[ranked].mean()
    moves: Floats = np.where(ranked, (beaten - area) / positives, (beating - area) / negatives)
    return _put_back(moves, order)


def _average_precision(outcomes: Outcomes) -> Floats:
    """Compute the moves: a row changes the precision at the row's rank and at all ranks below."""
    assert outcomes.scores is not None
    order, starts, ends = order_scores(outcomes.scores)
    positive = outcomes.truth == 1
    ranked = positive if order is None else positive[order]
    positives = int(ranked.sum())
    hits = positives - np.concatenate([[0], np.cumsum(ranked)])[starts]  # scored as high or higher
    passed = (~ranked).sum() - np.concatenate([[0], np.cumsum(~ranked)])[starts]
    above = (hits + passed).astype(float)
    precision = hits / above
    # Effect of an additional positive (negative) row above on the precision at each positive row.
    helped = np.cumsum(np.where(ranked, passed / above**2, 0.0))[ends]
    harmed = np.cumsum(np.where(ranked, hits / above**2, 0.0))[ends]
    own = precision - precision[ranked].mean()
    return _put_back(np.where(ranked, own + helped, -harmed) / positives, order)


def _put_back(moves: Floats, order: NDArray[np.intp] | None) -> Floats:
    if order is None:
        return moves
    placed: Floats = np.empty_like(moves)
    placed[order] = moves
    return placed


def losses(name: str, outcomes: Outcomes) -> Floats:
    """Return the loss of each row, whose mean is log_loss or brier; shape (n,)."""
    scores = outcomes.scores
    assert scores is not None
    if name == "brier":
        return np.asarray((scores - outcomes.truth) ** 2)
    if scores.ndim == 1:
        chance = np.where(outcomes.truth == 1, scores, 1 - scores)
    else:
        chance = scores[np.arange(len(outcomes)), outcomes.truth]
    return np.asarray(-np.log(np.clip(chance, outcomes.epsilon, 1 - outcomes.epsilon)))


# Numbers


def errors(name: str, outcomes: Outcomes) -> Floats:
    """Return the errors whose mean is the metric (for rmse, the root of the mean); shape (n,)."""
    off = np.abs(outcomes.prediction - outcomes.truth)
    if name == "mape":
        off = off / np.abs(outcomes.truth)
    return np.asarray(off**2 if name in {"rmse", "r2"} else off)


def _rmse(outcomes: Outcomes) -> Floats:
    squares = errors("rmse", outcomes)
    root = np.sqrt(squares.mean())
    return _of_mean(squares) / (2 * root) if root > 0 else np.zeros(len(squares))


def _r2(outcomes: Outcomes) -> Floats:
    spread = (outcomes.truth - outcomes.truth.mean()) ** 2
    squares = errors("r2", outcomes)
    unexplained = squares.mean() / spread.mean()
    return np.asarray((unexplained * spread - squares) / (len(squares) * spread.mean()))


def _medae(outcomes: Outcomes) -> Floats:
    """Estimate the slope at the median from the median's interval (McKean, Schrader 1984)."""
    off = errors("medae", outcomes)
    ordered, rows = np.sort(off), len(off)
    half = 1.96 * np.sqrt(rows) / 2
    first = max(int(np.floor(rows / 2 - half)), 0)
    last = min(int(np.ceil(rows / 2 + half)), rows - 1)
    slope = (ordered[last] - ordered[first]) / max(last - first, 1)  # per row passed
    return np.asarray(np.sign(off - np.median(off)) / 2 * slope)


# Several labels per row


def _micro_f1(outcomes: Outcomes) -> Floats:
    hits, both = row_counts(outcomes)
    return np.asarray((hits - hits.sum() / both.sum() * both) / both.sum())


def _macro_label_f1(outcomes: Outcomes) -> Floats:
    hits = 2.0 * outcomes.truth * outcomes.prediction
    both = 1.0 * outcomes.truth + outcomes.prediction
    known = np.flatnonzero(both.sum(axis=0) > 0)
    hits, both = hits[:, known], both[:, known]
    score = hits.sum(axis=0) / both.sum(axis=0)
    return np.asarray(((hits - score * both) / both.sum(axis=0)).mean(axis=1))


def _micro_average_precision(outcomes: Outcomes) -> Floats:
    # The labels of a row depend on one another: their moves are added up.
    return np.asarray(
        _average_precision(outcomes.all_labels()).reshape(outcomes.truth.shape).sum(axis=1)
    )


def _macro_average_precision(outcomes: Outcomes) -> Floats:
    labels = range(len(outcomes.classes))
    return np.asarray(
        np.mean([_average_precision(outcomes.of_label(code)) for code in labels], axis=0)
    )


_LABEL_MOVES: dict[str, Callable[[Outcomes], Floats]] = {
    "micro_f1": _micro_f1,
    "macro_f1": _macro_label_f1,
    "samples_f1": lambda outcomes: _of_mean(row_f1(outcomes)),
    "subset_accuracy": lambda outcomes: _of_mean(exact_rows(outcomes)),
    "hamming_loss": lambda outcomes: _of_mean(wrong_labels(outcomes)),
    "micro_average_precision": _micro_average_precision,
    "macro_average_precision": _macro_average_precision,
}
_MOVES: dict[str, Callable[[Outcomes], Floats]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "precision": _by_cell("precision"),
    "recall": _by_cell("recall"),
    "f1": _by_cell("f1"),
    "macro_f1": _macro_f1,
    "mcc": _by_cell("mcc"),
    "roc_auc": _roc_auc,
    "average_precision": _average_precision,
    "log_loss": lambda outcomes: _of_mean(losses("log_loss", outcomes)),
    "brier": lambda outcomes: _of_mean(losses("brier", outcomes)),
    "rmse": _rmse,
    "mae": lambda outcomes: _of_mean(errors("mae", outcomes)),
    "medae": _medae,
    "r2": _r2,
    "mape": lambda outcomes: _of_mean(errors("mape", outcomes)),
    "bias": lambda outcomes: _of_mean(outcomes.prediction - outcomes.truth),
}
