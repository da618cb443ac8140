"""Several labels per row: a model's predictions beside the truth, and the figures of each label."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.core import DataError
from penstock.data import label_matrix
from penstock.evaluation._measuring import measure
from penstock.evaluation._outcomes import Outcomes
from penstock.evaluation._prediction import are_shares
from penstock.evaluation._slices import SliceResult
from penstock.models import Model, predict_several

if TYPE_CHECKING:
    import polars as pl

_SHOWN = ("f1", "average_precision", "precision", "recall", "roc_auc")
_UNNAMED = "target_"


def judge_labels(
    model: Model, frame: "pl.DataFrame", truth: "pl.Series", classes: Sequence[Any]
) -> Outcomes:
    """Predict the labels of rows, beside the true ones.

    Args:
        model: A model of a 0-1 value per label; fitted on ``split.train.Y``.
        frame: The feature columns, n rows.
        truth: Lists of labels, n rows.
        classes: The K labels.

    Raises:
        DataError: If the model has different labels, or predicts values that are not 0 or 1.
    """
    order = _order(model, classes)
    predictions = predict_several(model, frame)
    values = np.asarray(predictions.values)[:, order]
    if not np.isin(values, (0, 1)).all():
        odd = values[~np.isin(values, (0, 1))][0]
        raise DataError(
            what=f"The model predicts {odd} for a label.",
            why="A row has a label (1) or has not (0).",
            fix="Fit it on split.train.Y, a 0-1 column for each label.",
        )
    scores = (
        None if predictions.scores is None else np.ascontiguousarray(predictions.scores[:, order])
    )
    return Outcomes(
        task="multilabel",
        classes=tuple(classes),
        truth=label_matrix(truth, classes).astype(np.int64),
        prediction=values.astype(np.int64),
        scores=scores,
        probability=scores is not None and predictions.probability and are_shares(scores),
    )


def constant_labels(outcomes: Outcomes, train: "pl.Series") -> Outcomes:
    """Return the outcomes of a model that always gives the labels of most training rows."""
    shares = label_matrix(train, outcomes.classes).mean(axis=0)
    rows = len(outcomes)
    likely = np.tile((shares >= 0.5).astype(np.int64), (rows, 1))  # noqa: PLR2004 - most rows
    scores = np.tile(shares, (rows, 1))
    return replace(outcomes, prediction=likely, scores=scores, probability=True)


def measure_labels(outcomes: Outcomes, *, resamples: int, seed: int) -> tuple[SliceResult, ...]:
    """Measure each label as a target of two classes: present or not.

    Returns:
        For each label the number of rows with that label, and precision, recall, F1, average
        precision and area under the curve, as far as the rows define them.
    """
    results = []
    for code, label in enumerate(outcomes.classes):
        own = outcomes.of_label(code)
        metrics = measure(own, resamples=resamples, seed=seed).metrics
        shown = {name: metrics[name] for name in _SHOWN if name in metrics}
        results.append(SliceResult(str(label), int(own.truth.sum()), shown))
    return tuple(results)


def lists_of(matrix: "np.ndarray[Any, Any]", classes: Sequence[Any]) -> list[list[Any]]:
    """Return the labels of each row.

    >>> lists_of(np.array([[0, 1], [0, 0]]), ("a", "b"))
    [['b'], []]
    """
    return [[classes[code] for code in np.flatnonzero(row).tolist()] for row in matrix]


def _order(model: Model, classes: Sequence[Any]) -> list[int]:
    """Return the model's column of each label."""
    names = [target.name for target in model.signature.targets]
    wanted = [str(label) for label in classes]
    if sorted(names) == sorted(wanted):
        return [names.index(name) for name in wanted]
    if len(names) == len(wanted) and names == [f"{_UNNAMED}{i}" for i in range(len(names))]:
        return list(range(len(names)))  # fitted on an array: in the order of the labels
    held = f"the labels {', '.join(names[:5])}" if names else "one value per row"
    raise DataError(
        what=f"The model predicts {held}, but the target has {len(wanted)}: "
        f"{', '.join(wanted[:5])}.",
        why="Truth and prediction are compared label by label.",
        fix="Fit it on split.train.Y, a 0-1 column for each label.",
    )
