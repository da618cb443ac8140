"""``predict_with``: predict in the table form of the training, and return plain arrays."""

import importlib.util
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from penstock.core import DataError, PenstockError, did_you_mean, summarize_error
from penstock.evaluation._outcomes import Outcomes, encode_labels, sort_labels
from penstock.tables import plain_value

if TYPE_CHECKING:
    import polars as pl


Floats = NDArray[np.float64]

_ROUNDING = 1e-3  # a half-precision softmax sums to 1 within this tolerance


@dataclass(frozen=True, slots=True)
class Prediction:
    """A model's prediction for n rows.

    Args:
        values: Labels or numbers, shape (n,).
        scores: Probabilities (n, K), decision values (n,) or (n, K); None if the model has no
            scores.
        probability: True if the scores are probabilities.
        classes: The model's labels in the order of the scores' columns; None if unknown.
        form: Form of the input: ``polars``, ``pandas`` or ``numpy``.
    """

    values: NDArray[Any]
    scores: Floats | None
    probability: bool
    classes: tuple[Any, ...] | None
    form: str
    epsilon: float = float(np.finfo(np.float64).eps)


def predict_with(model: Any, frame: "pl.DataFrame") -> Prediction:
    """Predict rows with a scikit-learn-like model.

    The frame is passed as polars, then as pandas, then as an array, until the model accepts it.

    Args:
        model: Has ``predict``, and optionally ``predict_proba`` or ``decision_function``,
            ``classes_``.
        frame: The feature columns; columns unknown to the model are left out.

    Raises:
        DataError: If columns are missing or the model accepts no form of the table.
    """
    frame = _select_features(model, frame)
    form, table, values = _first_that_works(model.predict, frame)
    classes = getattr(model, "classes_", None)
    scores, probability, epsilon = _scores(model, table)
    return Prediction(
        values=_one_per_row(values, frame.height),
        scores=scores,
        probability=probability,
        classes=None if classes is None else tuple(plain_value(label) for label in classes),
        form=form,
        epsilon=epsilon,
    )


def align(
    prediction: Prediction,
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
        return Outcomes(task, (), _numbers(truth), _numbers(prediction.values))
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


def _align_scores(prediction: Prediction, classes: tuple[Any, ...]) -> tuple[Floats | None, bool]:
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


def _select_features(model: Any, frame: "pl.DataFrame") -> "pl.DataFrame":
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        return frame
    missing = [str(name) for name in names if name not in frame.columns]
    if len(missing) == len(names) == frame.width:
        return frame  # made-up names (lightgbm's Column_0, …): only the order is known
    if missing:
        shown = ", ".join(repr(name) for name in missing[:5])
        raise DataError(
            what=f"The model needs {len(missing)} column(s) that the rows do not have: {shown}.",
            why="It cannot predict rows without the columns it was trained on.",
            fix=did_you_mean(missing[0], frame.columns),
            columns=missing,
        )
    return frame.select([str(name) for name in names])


def _first_that_works(predict: Callable[[Any], Any], frame: "pl.DataFrame") -> tuple[str, Any, Any]:
    errors: list[Exception] = []
    for form, convert in _FORMS:
        try:
            table = convert(frame)
            with warnings.catch_warnings():
                # The model was fitted on an array: names and their order were never checked.
                warnings.filterwarnings("error", message="X has feature names")
                warnings.filterwarnings("ignore", message="X does not have valid feature names")
                return form, table, predict(table)
        except PenstockError:
            raise
        except Exception as error:  # noqa: BLE001 - the user's model may raise anything
            errors.append(error)
    raise DataError(
        what=f"The model cannot predict these rows: {summarize_error(errors[0], 200)}.",
        why="It was offered the rows as a polars frame, a pandas frame and an array.",
        fix="Check that model.predict(split.test.X) works in the training step.",
    ) from errors[0]


def _one_per_row(values: Any, rows: int) -> NDArray[Any]:
    array = np.asarray(values)
    if array.size != rows:
        raise DataError(
            what=f"The model gave {array.size:,} answers to {rows:,} rows.",
            why="Each row needs one prediction.",
            fix="Use a model with a single output.",
        )
    return array.reshape(rows)


def _to_pandas(frame: "pl.DataFrame") -> Any:
    if not (importlib.util.find_spec("pandas") and importlib.util.find_spec("pyarrow")):
        raise ImportError("pandas and pyarrow are not installed")
    return frame.to_pandas()


_FORMS: Sequence[tuple[str, Callable[["pl.DataFrame"], Any]]] = (
    ("polars", lambda frame: frame),
    ("pandas", _to_pandas),
    ("numpy", lambda frame: frame.to_numpy()),
)


def _scores(model: Any, table: Any) -> tuple[Floats | None, bool, float]:
    for method, probability in (("predict_proba", True), ("decision_function", False)):
        if not hasattr(model, method):
            continue
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="X does not have valid feature names")
            try:
                raw = np.asarray(getattr(model, method)(table))
            except Exception:  # noqa: BLE001, S112 - some models have the method and refuse to answer
                continue
        if raw.dtype.kind not in "fiu":
            continue
        epsilon = float(np.finfo(raw.dtype if raw.dtype.kind == "f" else np.float64).eps)
        scores = raw.astype(np.float64)
        return scores, probability and _are_probabilities(scores), epsilon
    return None, False, float(np.finfo(np.float64).eps)


def _are_probabilities(scores: Floats) -> bool:
    """Return whether scores are probabilities: a custom ``predict_proba`` may return any scores.

    The log loss of such scores would be computed from clipped values, and be meaningless.
    """
    known = scores[np.isfinite(scores).all(axis=tuple(range(1, scores.ndim)))]
    inside = bool(((known >= -_ROUNDING) & (known <= 1 + _ROUNDING)).all())
    whole = scores.ndim == 1 or bool((np.abs(known.sum(axis=1) - 1) <= _ROUNDING).all())
    return inside and whole
