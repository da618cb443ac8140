"""ToNumber and ToText: columns of one plain type, also where a single row had no value to show it."""

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from penstock.core import DataError
from penstock.features._columns import columns_of, names_of

MISSING = "(missing)"
"""What a text column says where it says nothing."""


class ToNumber(TransformerMixin, BaseEstimator):  # type: ignore[misc] - scikit-learn has no types
    """Turn columns of numbers and booleans into an array of floats; missing and infinite are NaN.

    >>> import polars as pl
    >>> ToNumber().fit_transform(pl.DataFrame({"a": [1, None], "b": [True, False]})).tolist()
    [[1.0, 1.0], [nan, 0.0]]
    """

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: N803, ARG002 - scikit-learn's words
        """Remember the columns' names."""
        self.feature_names_in_ = names_of(columns_of(X))
        self.n_features_in_ = len(self.feature_names_in_)
        return self

    def transform(self, X: Any) -> "np.ndarray[Any, Any]":  # noqa: N803
        """Give an array of shape (rows, columns).

        Raises:
            DataError: If a text is no number.
        """
        check_is_fitted(self)
        columns = [_numbers(column) for column in columns_of(X)]
        return np.column_stack(columns) if columns else np.empty((len(X), 0))

    def get_feature_names_out(self, input_features: Any = None) -> "np.ndarray[Any, Any]":  # noqa: ARG002
        """Give the columns' names."""
        check_is_fitted(self)
        return self.feature_names_in_  # type: ignore[no-any-return]


class ToText(TransformerMixin, BaseEstimator):  # type: ignore[misc] - scikit-learn has no types
    """Turn columns into an array of texts; a missing value is the text ``(missing)``.

    >>> import polars as pl
    >>> ToText().fit_transform(pl.DataFrame({"city": ["Bonn", None]})).tolist()
    [['Bonn'], ['(missing)']]
    """

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: N803, ARG002
        """Remember the columns' names."""
        self.feature_names_in_ = names_of(columns_of(X))
        self.n_features_in_ = len(self.feature_names_in_)
        return self

    def transform(self, X: Any) -> "np.ndarray[Any, Any]":  # noqa: N803
        """Give an array of texts of shape (rows, columns)."""
        check_is_fitted(self)
        columns = [texts_of(column) for column in columns_of(X)]
        return np.column_stack(columns) if columns else np.empty((len(X), 0), dtype=object)

    def get_feature_names_out(self, input_features: Any = None) -> "np.ndarray[Any, Any]":  # noqa: ARG002
        """Give the columns' names."""
        check_is_fitted(self)
        return self.feature_names_in_  # type: ignore[no-any-return]


def texts_of(column: Any) -> "np.ndarray[Any, Any]":
    """Give a polars column as an array of Python texts."""
    import polars as pl

    if column.dtype == pl.Object:
        column = pl.Series(column.name, [None if v is None else str(v) for v in column], pl.String)
    texts = column.cast(pl.String).fill_null(MISSING)
    return np.asarray(texts.to_list(), dtype=object)


def _numbers(column: Any) -> "np.ndarray[Any, Any]":
    import polars as pl

    if column.dtype == pl.Object:
        column = pl.Series(column.name, column.to_list(), strict=False)
    try:
        values = column.cast(pl.Float64).fill_null(np.nan).to_numpy()
    except pl.exceptions.PolarsError as error:
        raise DataError(
            what=f"Column {column.name!r} should hold numbers, but holds {column.drop_nulls()[0]!r}.",
            why="The model was trained on numbers.",
            fix="Send a number, or null.",
            column=column.name,
        ) from error
    return np.where(np.isfinite(values), values, np.nan)
