"""DateParts: numbers from dates and times for a model."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from sklearn.utils.validation import check_is_fitted

from penstock.data import as_moments, read_times
from penstock.features._columns import NamedColumns, plain
from penstock.tables import columns_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DAY = 86_400_000_000
_PARTS: dict[str, Callable[[pl.Series], pl.Series]] = {
    "year": lambda times: times.dt.year(),
    "month": lambda times: times.dt.month(),
    "day": lambda times: times.dt.day(),
    "weekday": lambda times: times.dt.weekday(),
    "hour": lambda times: times.dt.hour(),
    "epoch_days": lambda times: times.to_physical() // _DAY,
}


class DateParts(NamedColumns):
    """Transformer of dates and times: year, month, day, weekday (1 Monday), hour, days since 1970.

    Times with a zone are read in UTC. Texts and numbers are read as in ``read_times``, so a request
    may send ISO text or seconds since 1970.

    >>> import polars as pl
    >>> from datetime import date
    >>> days = pl.DataFrame({"d": [date(2016, 1, 1)]})
    >>> DateParts(parts=["year", "weekday"]).fit_transform(days).tolist()
    [[2016.0, 5.0]]

    Args:
        parts: Which parts, in this order; None for all six.
    """

    def __init__(self, parts: list[str] | None = None) -> None:
        self.parts = parts

    def transform(self, X: object) -> "NDArray[np.float64]":  # noqa: N803 - scikit-learn's word
        """Return an array of shape (rows, columns x parts); NaN where the time is missing.

        Raises:
            DataError: If a value is no time.
        """
        check_is_fitted(self)
        columns = []
        for column in columns_of(X):
            moments = as_moments(read_times(plain(column)))
            columns += [
                _PARTS[part](moments).cast(pl.Float64).fill_null(np.nan).to_numpy()
                for part in self._chosen()
            ]
        return np.column_stack(columns)

    def get_feature_names_out(self, input_features: object = None) -> "NDArray[Any]":  # noqa: ARG002
        """Return ``column_part`` for every column and part."""
        check_is_fitted(self)
        names = [f"{name}_{part}" for name in self.feature_names_in_ for part in self._chosen()]
        return np.asarray(names, dtype=object)

    def _chosen(self) -> list[str]:
        return list(_PARTS) if self.parts is None else list(self.parts)
