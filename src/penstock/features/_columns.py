"""Columns of a polars or pandas frame as polars Series, whatever type a single row has."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from penstock.core import DataError

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


def columns_of(frame: Any) -> list[pl.Series]:
    """Return a frame's columns as polars Series.

    Args:
        frame: A polars or pandas frame.

    Raises:
        DataError: If the value is no such frame.
    """
    if isinstance(frame, pl.DataFrame):
        return list(frame.iter_columns())
    if hasattr(frame, "iloc"):
        return [_from_pandas(frame.iloc[:, place]) for place in range(frame.shape[1])]
    raise DataError(
        what=f"A {type(frame).__name__} has no column names.",
        why="Columns are told apart by name.",
        fix="Give a polars or pandas frame.",
    )


def plain(column: pl.Series) -> pl.Series:
    """Convert a column of Python objects (a single row's null, for example) to the values' type."""
    if column.dtype != pl.Object:
        return column
    return pl.Series(column.name, column.to_list(), strict=False)


def _from_pandas(series: Any) -> pl.Series:
    """Convert a pandas column without pyarrow: numbers and times as arrays, the rest by value."""
    name = str(series.name)
    kind = getattr(series.dtype, "kind", "O")
    if isinstance(series.dtype, np.dtype) and kind in "biuf":
        return pl.Series(name, series.to_numpy())
    missing = series.isna().to_numpy()
    if kind == "M":
        zoned = getattr(series.dtype, "tz", None) is not None
        local = series.dt.tz_convert("UTC").dt.tz_localize(None) if zoned else series
        stamps = local.to_numpy().astype("datetime64[us]").astype(np.int64)
        # polars before 2 computes with the value below a null, and NaT is out of range there.
        present = pl.when(pl.Series(~missing)).then(pl.Series(name, np.where(missing, 0, stamps)))
        times = pl.select(present.alias(name)).to_series()
        return times.cast(pl.Datetime("us", "UTC" if zoned else None))
    values = [None if gone else value for gone, value in zip(missing, series, strict=True)]
    return pl.Series(name, values, strict=False)
