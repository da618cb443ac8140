"""A model's predictions of several targets as arrays, for evaluation; requests get dictionaries."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.core import DataError
from penstock.models._estimator_call import EstimatorCall
from penstock.models._model import Model
from penstock.models._targets import Target
from penstock.models._threads import threads_for
from penstock.tables import convert_frame

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class SeveralPredictions:
    """Predictions of T targets for n rows.

    Args:
        values: Labels or numbers, shape (n, T).
        scores: Probability of each target's last label, or the decision value, shape (n, T); None
            if the model has neither.
        probability: True if the scores are probabilities.
    """

    values: "NDArray[Any]"
    scores: "NDArray[np.float64] | None" = None
    probability: bool = False


def predict_several(model: Model, frame: "pl.DataFrame") -> SeveralPredictions:
    """Predict the rows of a frame with a model of several targets, without a check of the values.

    Args:
        model: A model whose signature has targets.
        frame: The inputs, shape (n, inputs), in any column order; further columns are ignored.

    Raises:
        DataError: If an input column is missing, or the model predicts a single value per row.
    """
    import numpy as np

    width = len(model.signature.targets)
    if not width:
        raise DataError(
            what="The model predicts one value per row.",
            why="Several are compared here: a label or a quantile each.",
            fix="Fit it on a y with a column for each.",
        )
    missing = [name for name in model.signature.names if name not in frame.columns]
    if missing:
        raise DataError(
            what=f"Column {missing[0]!r} is missing.",
            why="The model was trained with it.",
            columns=missing,
        )
    table = convert_frame(frame.select(model.signature.names), model.signature.frame)
    call, targets = EstimatorCall(model.estimator), model.signature.targets
    with threads_for(frame.height):
        values = np.asarray(call.predict(table))
        if not all(target.classes for target in targets):
            return SeveralPredictions(values)
        ways = {True: (call.has_probabilities, lambda: call.predict_both(table)[1])}
        ways[False] = call.has_decisions, lambda: call.decide(table)
        for probability, (known, ask) in ways.items():
            scores = _scores(ask, targets) if known else None
            if scores is not None and scores.shape == values.shape:
                return SeveralPredictions(values, scores, probability)
    return SeveralPredictions(values)


def _scores(ask: Callable[[], Any], targets: Sequence[Target]) -> "NDArray[np.float64] | None":
    import numpy as np

    try:
        output = ask()
    except Exception:  # noqa: BLE001 - some models have the method and refuse to answer
        return None
    if isinstance(output, list):
        # The probabilities of each target's labels, in the order of its classes.
        output = np.stack(
            [_last(*pair) for pair in zip(output, targets, strict=True)],
            axis=1,
        )
    return np.asarray(output, dtype=np.float64)


def _last(shares: Any, target: Target) -> "NDArray[np.float64]":
    """Return the probability that the label applies (1); training rows may all have had the label."""
    import numpy as np

    array = np.asarray(shares, dtype=np.float64)
    if array.ndim == 2 and array.shape[1] == 2:  # noqa: PLR2004 - two labels
        return array[:, 1]
    return np.full(len(array), float(target.classes[-1] == 1))
