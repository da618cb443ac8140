"""Conversion of a polars frame to an estimator's frame type, and of predictions to plain values."""

from typing import TYPE_CHECKING, Any

from penstock.core import DataError, require
from penstock.models._values import plain_number

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

FRAMES = ("polars", "pandas", "numpy")


def convert_frame(frame: "pl.DataFrame", kind: str) -> Any:
    """Convert a polars frame to the frame type of an estimator.

    >>> import polars as pl
    >>> convert_frame(pl.DataFrame({"a": [1, None]}), "numpy").tolist()
    [[1.0], [nan]]

    Raises:
        MissingPackageError: If the frame type is pandas and pandas is not installed.
    """
    return _CONVERTERS[kind](frame)


def plain_values(answer: Any) -> list[Any]:
    """Convert an estimator's predictions to a list of Python values in row order.

    >>> import numpy as np
    >>> plain_values(np.array([[1.5], [2.0]]))
    [1.5, 2.0]

    Raises:
        DataError: If there is more than one value per row.
    """
    shape = getattr(answer, "shape", None)
    if shape is not None and len(shape) > 1:
        if shape[1] != 1:
            raise DataError(
                what=f"The model answers {shape[1]} values per row.",
                why="A prediction is one label or number.",
                fix="Register one model per target.",
            )
        answer = answer.to_numpy() if hasattr(answer, "to_numpy") else answer
        answer = answer.reshape(-1)
    values = answer.tolist() if hasattr(answer, "tolist") else list(answer)
    return [plain_number(value) for value in values]


def _to_pandas(frame: "pl.DataFrame") -> Any:
    require("pandas", extra="pandas", purpose="a model that was trained on pandas frames")
    require("pyarrow", extra="pandas", purpose="a model that was trained on pandas frames")
    return frame.to_pandas()


_CONVERTERS: "dict[str, Callable[[pl.DataFrame], Any]]" = {
    "polars": lambda frame: frame,
    "pandas": _to_pandas,
    "numpy": lambda frame: frame.to_numpy(),
}
