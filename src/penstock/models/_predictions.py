"""Predictions: what an estimator returned for rows, as plain values."""

from typing import Any

from penstock.core import DataError
from penstock.tables import plain_value


def plain_values(output: Any) -> list[Any]:
    """Convert an estimator's predictions to a list of Python values in row order.

    >>> import numpy as np
    >>> plain_values(np.array([[1.5], [2.0]]))
    [1.5, 2.0]

    Raises:
        DataError: If there is more than one value per row.
    """
    shape = getattr(output, "shape", None)
    if shape is not None and len(shape) > 1:
        if shape[1] != 1:
            raise DataError(
                what=f"The model answers {shape[1]} values per row.",
                why="A prediction is one label or number.",
                fix="Register one model per target.",
            )
        output = output.to_numpy() if hasattr(output, "to_numpy") else output
        output = output.reshape(-1)
    values = output.tolist() if hasattr(output, "tolist") else list(output)
    return [plain_value(value) for value in values]
