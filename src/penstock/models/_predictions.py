"""Predictions: all that a model returns for rows, in a single object."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from penstock.core import DataError, ServingError
from penstock.tables import plain_value

if TYPE_CHECKING:
    from numpy.typing import NDArray

_INFINITE = float("inf")


@dataclass(frozen=True, slots=True)
class Predictions:
    """The predictions for n rows, in row order.

    Args:
        values: Class labels or numbers, as plain Python values; for several targets a dictionary by
            target.
        probabilities: Class probabilities, shape (n, classes) in the order of the signature's
            classes; None for a regression and for classifiers without probabilities.
        scores: Probability of the positive class, or of the likeliest of several classes; the
            decision value of an outlier detector, below 0 for an outlier; else None.
        warnings: Warnings for the sender of each row; empty for rows that came as a frame.
        extras: The further outputs that were asked for, by name: shape (n,) or (n, width).
    """

    values: list[Any]
    probabilities: "NDArray[Any] | None"
    scores: Sequence[float | None]
    warnings: Sequence[tuple[str, ...]]
    extras: "Mapping[str, NDArray[Any]]" = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.values)


def plain_values(output: Any) -> list[Any]:
    """Convert an estimator's predictions to a list of Python values in row order.

    >>> import numpy as np
    >>> plain_values(np.array([[1.5], [2.0]]))
    [1.5, 2.0]

    Raises:
        DataError: If there is several values per row.
    """
    shape = getattr(output, "shape", None)
    if shape is not None and len(shape) > 1:
        if shape[1] != 1:
            raise DataError(
                what=f"The model predicts {shape[1]} values per row.",
                why="Here a prediction is one label or number.",
                fix="Use the model of a single target: Model.for_target.",
            )
        output = output.to_numpy() if hasattr(output, "to_numpy") else output
        output = output.reshape(-1)
    values = output.tolist() if hasattr(output, "tolist") else list(output)
    return [plain_value(value) for value in values]


def require_usable(values: Sequence[Any], rows: int) -> None:
    """Check that every row has a prediction that is a label or a finite number.

    Raises:
        ServingError: If there are more or fewer values than rows, or a value is NaN or infinite.
    """
    if len(values) != rows:
        raise ServingError(
            what=f"The model returned {len(values)} predictions for {rows} rows.",
            why="Each row needs one prediction.",
            fix="Let predict() return one value per row.",
        )
    for index, value in enumerate(values):
        if not _is_usable(value):
            raise ServingError(
                what=f"The model predicted {value} for row {index}.",
                why="A prediction is a label or a finite number.",
                fix="Look at the row's values; roll back if it happens often.",
                row=index,
            )


def _is_usable(value: Any) -> bool:
    if type(value) is dict:
        return all(map(_is_usable, value.values()))
    return value is not None and not (type(value) is float and not -_INFINITE < value < _INFINITE)
