"""ToNumber and ToText: columns of a plain type, also where a single row has no value to show."""

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from sklearn.utils.validation import check_is_fitted

from penstock.core import DataError
from penstock.features._columns import NamedColumns
from penstock.tables import typed_column

if TYPE_CHECKING:
    from numpy.typing import NDArray

MISSING = "(missing)"
"""Text of a missing value in a text column."""

_LARGEST = float(np.sqrt(np.finfo(np.float64).max))


class ToNumber(NamedColumns):
    """Transformer of numbers and booleans to an array of floats; missing and infinite are NaN.

    A number whose square is no float (above 1e154) counts as infinite: medians and variances would
    overflow.

    >>> import polars as pl
    >>> ToNumber().fit_transform(pl.DataFrame({"a": [1, None], "b": [True, False]})).tolist()
    [[1.0, 1.0], [nan, 0.0]]
    """

    def transform(self, X: object) -> "NDArray[np.float64]":  # noqa: N803 - scikit-learn's word
        """Return an array of shape (rows, columns).

        Raises:
            DataError: If a value is no number.
        """
        check_is_fitted(self)
        return np.column_stack([_numbers(column) for column in self._read(X)])


class ToText(NamedColumns):
    """Transformer of columns to an array of texts; a missing value is the text ``(missing)``.

    >>> import polars as pl
    >>> ToText().fit_transform(pl.DataFrame({"city": ["Bonn", None]})).tolist()
    [['Bonn'], ['(missing)']]
    """

    def transform(self, X: object) -> "NDArray[Any]":  # noqa: N803 - scikit-learn's word
        """Return an array of texts of shape (rows, columns)."""
        check_is_fitted(self)
        return np.column_stack([texts_of(column) for column in self._read(X)])


def texts_of(column: pl.Series) -> "NDArray[Any]":
    """Return a column as an array of Python texts."""
    texts = typed_column(column).cast(pl.String).fill_null(MISSING)
    return np.asarray(texts.to_list(), dtype=object)


def _numbers(column: pl.Series) -> "NDArray[np.float64]":
    column = typed_column(column)
    try:
        values = column.cast(pl.Float64).fill_null(np.nan).to_numpy()
    except pl.exceptions.PolarsError as error:
        raise DataError(
            what=f"Column {column.name!r} holds {column.drop_nulls()[0]!r}, which is no number.",
            why="The model was trained on numbers.",
            fix="Send a number, or null.",
            column=column.name,
        ) from error
    return np.where(np.abs(values) < _LARGEST, values, np.nan)
