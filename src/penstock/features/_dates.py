"""DateParts: what a model can use of a date or a time."""

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from penstock.data import read_times
from penstock.features._columns import columns_of, names_of

_PARTS = ("year", "month", "day", "weekday", "hour", "epoch_days")


class DateParts(TransformerMixin, BaseEstimator):  # type: ignore[misc] - scikit-learn has no types
    """Turn dates and times into year, month, day, weekday (1 Monday), hour and days since 1970.

    Times with a zone are read in UTC. Texts and numbers are understood as in ``read_times``, so a
    request may send ISO text or seconds since 1970.

    >>> import polars as pl
    >>> from datetime import date
    >>> DateParts(parts=["year", "weekday"]).fit_transform(
    ...     pl.DataFrame({"d": [date(2016, 1, 1)]})
    ... ).tolist()
    [[2016.0, 5.0]]

    Args:
        parts: Which parts, in this order; None for all six.
    """

    def __init__(self, parts: list[str] | None = None) -> None:
        self.parts = parts

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: N803, ARG002 - scikit-learn's words
        """Remember the columns' names."""
        self.feature_names_in_ = names_of(columns_of(X))
        self.n_features_in_ = len(self.feature_names_in_)
        return self

    def transform(self, X: Any) -> "np.ndarray[Any, Any]":  # noqa: N803
        """Give an array of shape (rows, columns x parts); NaN where the time is missing.

        Raises:
            DataError: If a value is no time.
        """
        check_is_fitted(self)
        return np.column_stack([_parts(column, self._chosen()) for column in columns_of(X)])

    def get_feature_names_out(self, input_features: Any = None) -> "np.ndarray[Any, Any]":  # noqa: ARG002
        """Give ``column_part`` for every column and part."""
        check_is_fitted(self)
        names = [f"{name}_{part}" for name in self.feature_names_in_ for part in self._chosen()]
        return np.asarray(names, dtype=object)

    def _chosen(self) -> list[str]:
        return list(_PARTS) if self.parts is None else list(self.parts)


def _parts(column: Any, chosen: list[str]) -> "np.ndarray[Any, Any]":
    import polars as pl

    if column.dtype == pl.Object:
        column = pl.Series(column.name, column.to_list(), strict=False)
    times = read_times(column)
    if times.dtype == pl.Datetime and times.dtype.time_zone is not None:
        times = times.dt.convert_time_zone("UTC")
    stamps = times.cast(pl.Datetime("us")).dt
    values = {
        "year": stamps.year,
        "month": stamps.month,
        "day": stamps.day,
        "weekday": stamps.weekday,
        "hour": stamps.hour,
        "epoch_days": lambda: (stamps.epoch("s") / 86_400).floor(),
    }
    parts = [values[part]().cast(pl.Float64).fill_null(np.nan).to_numpy() for part in chosen]
    return np.column_stack(parts)
