"""NamedColumns: the base of penstock's transformers, which learns only the columns' names."""

from datetime import date, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from penstock.core import DataError, with_article
from penstock.tables import column_of_values, columns_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


_PLAIN = (str, int, float, Decimal, np.generic, date, time, timedelta, type(None))


class NamedColumns(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Base of penstock's transformers: learns only the columns' names.

    A frame's columns have their names; an array's columns are ``x0``, ``x1`` … as in scikit-learn.
    """

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: N803, ARG002 - scikit-learn's words
        """Store the columns' names."""
        self._read(X, reset=True)
        return self

    def get_feature_names_out(self, input_features: Any = None) -> "NDArray[Any]":  # noqa: ARG002
        """Return the columns' names."""
        check_is_fitted(self)
        return np.asarray(self._names(), dtype=object)

    def _names(self) -> list[str]:
        names = getattr(self, "feature_names_in_", None)
        if names is not None:
            return [str(name) for name in names]
        return [f"x{position}" for position in range(self.n_features_in_)]

    def _read(self, X: Any, *, reset: bool = False) -> list[pl.Series]:  # noqa: N803
        """Return the columns as Series, and check their names and number after fit."""
        if not hasattr(X, "iloc") and not isinstance(X, pl.DataFrame):
            return self._read_array(X, reset=reset)
        columns = columns_of(X)
        if reset or [column.name for column in columns] != self._names():
            validate_data(self, X=X, reset=reset, skip_check_array=True)
        if not columns:
            raise DataError(
                what=f"{type(self).__name__} was given a table without columns.",
                fix="Give a table with the columns to transform.",
            )
        return columns

    def _read_array(self, X: Any, *, reset: bool) -> list[pl.Series]:  # noqa: N803
        array = check_array(X, dtype=None, ensure_all_finite=False, estimator=self)
        validate_data(self, X=array, reset=reset, skip_check_array=True)
        return [_of_array(name, array[:, position]) for position, name in enumerate(self._names())]

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags: missing values are allowed."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def _of_array(name: str, values: "NDArray[Any]") -> pl.Series:
    """Return an array's column as numbers, or as values in which NaN is missing."""
    if values.dtype.kind != "O":
        return pl.Series(name, np.ascontiguousarray(values))
    plain = [None if value is None or value != value else value for value in values]  # noqa: PLR0124 - NaN
    for value in plain:
        if not isinstance(value, _PLAIN):
            raise TypeError(
                f"The argument must be a table of a string, a number, or a time in each cell; a cell"
                f" holds {with_article(type(value).__name__)}."
            )
    return column_of_values(name, plain)


def is_count(value: Any) -> bool:
    """Return whether a value is a whole number of 1 or more."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
