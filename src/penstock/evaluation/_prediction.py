"""``predict_with``: a model's predictions and scores as arrays; ``align``: beside the truth."""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from penstock.core import DataError, PenstockError, summarize_error
from penstock.evaluation._outcomes import Outcomes, encode_labels, sort_labels
from penstock.models import Model
from penstock.tables import Column

if TYPE_CHECKING:
    import polars as pl


Floats = NDArray[np.float64]

_SAMPLE = 200  # rows that the inputs are described by
_ROUNDING = 1e-3  # a half-precision softmax sums to 1 within this tolerance
_EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True)
class ScoredRows:
    """A model's predictions for n rows, as far as metrics need them.

    Args:
        values: Labels or numbers, n rows.
        scores: Probabilities (n, K), decision values (n,) or (n, K); None if the model has no
            scores.
        probability: True if the scores are probabilities.
        classes: The model's labels in the order of the scores' columns; empty if unknown.
        epsilon: Resolution of the scores as returned by the model.
        quantiles: Quantiles that the scores are forecasts of; empty for all further kinds of
            scores.
    """

    values: Sequence[Any]
    scores: Floats | None
    probability: bool
    classes: tuple[Any, ...]
    epsilon: float = _EPSILON
    quantiles: tuple[float, ...] = ()


def as_model(model: object, frame: "pl.DataFrame", *, columns: Iterable[Column] = ()) -> Model:
    """Return a model unchanged; make a model of a fitted estimator.

    Args:
        model: A Model, or an object with ``predict`` and optionally ``predict_proba`` or
            ``decision_function``, ``classes_``.
        frame: Rows to find the estimator's frame type with.
        columns: The training columns with their limits and categories, where known.

    Raises:
        DataError: If columns are missing, or the estimator takes no type of frame.
    """
    if isinstance(model, Model):
        return model
    return Model.of(model, frame.head(_SAMPLE), columns=columns)


def predict_with(model: Model, frame: "pl.DataFrame") -> ScoredRows:
    """Predict rows, and score them by probabilities, else by decision values.

    Args:
        model: The model.
        frame: The feature columns; columns unknown to the model are left out.

    Raises:
        DataError: If columns are missing or the model fails.
    """
    with warnings.catch_warnings():
        # The frame type was chosen with these warnings in mind.
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        try:
            predictions = model.predict_as_is(frame)
        except PenstockError:
            raise
        except Exception as error:
            raise DataError(
                what=f"The model cannot predict these rows: {summarize_error(error, 200)}.",
                why="It was offered the rows in the frame type that it takes.",
                fix="Check that model.predict(split.test.X) works in the training step.",
            ) from error
        scores, is_probability = predictions.probabilities, True
        if not _is_numeric(scores):
            scores, is_probability = model.decision_values(frame), False
    if len(predictions.values) != frame.height:
        raise DataError(
            what=f"The model returned {len(predictions.values):,} predictions for {frame.height:,} rows.",
            why="Each row needs one prediction.",
            fix="Use a model with a single output.",
        )
    if scores is None or not _is_numeric(scores):
        return ScoredRows(predictions.values, None, False, model.signature.classes)
    floats = scores.astype(np.float64)
    return ScoredRows(
        values=predictions.values,
        scores=floats,
        probability=is_probability and _are_probabilities(floats),
        classes=model.signature.classes,
        epsilon=float(np.finfo(scores.dtype if scores.dtype.kind == "f" else np.float64).eps),
    )


def _is_numeric(scores: NDArray[Any] | None) -> bool:
    return scores is not None and scores.dtype.kind in "fiu"


def align(
    prediction: ScoredRows,
    truth: Sequence[Any],
    *,
    task: str,
    classes: tuple[Any, ...],
) -> Outcomes:
    """Combine a model's prediction with the truth, in the labels and order of the classes.

    Args:
        prediction: The model's prediction, n rows.
        truth: Labels or numbers, n rows.
        task: ``binary``, ``multiclass`` or ``regression``.
        classes: All labels by code; (negative, positive) for a binary target.

    Raises:
        DataError: If the model predicts labels that are not among the classes, or text where
            numbers are expected.
    """
    if task == "regression":
        forecasts = prediction.scores if prediction.quantiles else None
        return Outcomes(task, (), _numbers(truth), _numbers(prediction.values), forecasts)
    scores, probability = _align_scores(prediction, classes)
    return Outcomes(
        task=task,
        classes=classes,
        truth=encode_labels(truth, classes, owner="target"),
        prediction=encode_labels(prediction.values, classes, owner="model's prediction"),
        scores=scores,
        probability=probability,
        epsilon=prediction.epsilon,
    )


def _numbers(values: Sequence[Any] | NDArray[Any]) -> Floats:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(
            what=f"A regression needs numbers, but it holds {type(values[0]).__name__} values.",
            fix="Train a regressor, or split with a target of classes.",
        ) from error


def _align_scores(prediction: ScoredRows, classes: tuple[Any, ...]) -> tuple[Floats | None, bool]:
    scores = prediction.scores
    if scores is None:
        return None, False
    # Without classes_ the columns follow the sorted labels, as in scikit-learn.
    labels = prediction.classes or sort_labels(classes)
    if scores.ndim == 1:
        scores = _two_columns(scores, probability=prediction.probability)
    if scores.ndim != 2 or scores.shape[1] != len(labels):  # noqa: PLR2004 - rows by classes
        return None, False
    column_of = {label: column for column, label in enumerate(labels)}
    empty = np.zeros(len(scores))
    columns = [scores[:, column_of[label]] if label in column_of else empty for label in classes]
    if len(classes) == 2:  # noqa: PLR2004 - binary
        return np.ascontiguousarray(columns[1]), prediction.probability
    return np.stack(columns, axis=1), prediction.probability


def _two_columns(scores: Floats, *, probability: bool) -> Floats:
    return np.stack([1.0 - scores if probability else -scores, scores], axis=1)


def are_shares(scores: Floats) -> bool:
    """Return whether all finite scores are between 0 and 1."""
    known = scores[np.isfinite(scores)]
    return bool(((known >= -_ROUNDING) & (known <= 1 + _ROUNDING)).all())


def _are_probabilities(scores: Floats) -> bool:
    """Return whether scores are probabilities: a custom ``predict_proba`` may return any scores.

    The log loss of such scores would be computed from clipped values, and be meaningless.
    """
    known = scores[np.isfinite(scores).all(axis=tuple(range(1, scores.ndim)))]
    inside = bool(((known >= -_ROUNDING) & (known <= 1 + _ROUNDING)).all())
    whole = scores.ndim == 1 or bool((np.abs(known.sum(axis=1) - 1) <= _ROUNDING).all())
    return inside and whole
