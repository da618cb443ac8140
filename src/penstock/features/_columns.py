"""NamedColumns: the base of penstock's transformers, which learns only the columns' names."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from penstock.tables import columns_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


class NamedColumns(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Base of penstock's transformers: learns only the columns' names."""

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: N803, ARG002 - scikit-learn's words
        """Store the columns' names."""
        names = [column.name for column in columns_of(X)]
        self.feature_names_in_ = np.asarray(names, dtype=object)
        self.n_features_in_ = len(names)
        return self

    def get_feature_names_out(self, input_features: Any = None) -> "NDArray[Any]":  # noqa: ARG002
        """Return the columns' names."""
        check_is_fitted(self)
        return self.feature_names_in_


def plain(column: pl.Series) -> pl.Series:
    """Convert a column of Python objects (a single row's null, for example) to the values' type."""
    if column.dtype != pl.Object:
        return column
    return pl.Series(column.name, column.to_list(), strict=False)
