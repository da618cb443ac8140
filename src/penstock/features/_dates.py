"""DateParts: numbers from dates and times for a model."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from sklearn.utils.validation import check_is_fitted

from penstock.core import DataError, did_you_mean
from penstock.data import as_moments, read_times
from penstock.features._columns import NamedColumns
from penstock.features._cycles import DAY, WEEK, YEAR
from penstock.tables import typed_column

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
_ALL_PARTS = {**_PARTS, **YEAR, **WEEK, **DAY}


class DateParts(NamedColumns):
    """Transformer of dates and times: year, month, day, weekday (1 Monday), hour, days since 1970.

    Cyclic parts are sine and cosine of the position in the year, in the week and in the day:
    ``year_sin``, ``year_cos``, ``week_sin``, ``week_cos``, ``day_sin`` and ``day_cos``. Times with a zone are read in UTC. Texts and numbers are read as in ``read_times``, so a request
    may send ISO text or seconds since 1970.

    >>> import polars as pl
    >>> from datetime import date
    >>> days = pl.DataFrame({"d": [date(2016, 1, 1)]})
    >>> DateParts(parts=["year", "weekday"]).fit_transform(days).tolist()
    [[2016.0, 5.0]]

    Args:
        parts: Which parts, in this order; None for the six that are not cyclic.
    """

    def __init__(self, parts: list[str] | None = None) -> None:
        self.parts = parts

    def transform(self, X: object) -> "NDArray[np.float64]":  # noqa: N803 - scikit-learn's word
        """Return an array of shape (rows, columns x parts); NaN where the time is missing.

        Raises:
            DataError: If a value is no time, or a part is not known.
        """
        check_is_fitted(self)
        columns = []
        for column in self._read(X):
            moments = as_moments(read_times(typed_column(column)))
            columns += [
                _ALL_PARTS[part](moments).cast(pl.Float64).fill_null(np.nan).to_numpy()
                for part in self._chosen()
            ]
        return np.column_stack(columns)

    def get_feature_names_out(self, input_features: object = None) -> "NDArray[Any]":  # noqa: ARG002
        """Return ``column_part`` for every column and part."""
        check_is_fitted(self)
        names = [f"{name}_{part}" for name in self._names() for part in self._chosen()]
        return np.asarray(names, dtype=object)

    def _chosen(self) -> list[str]:
        chosen = list(_PARTS) if self.parts is None else list(self.parts)
        for part in chosen:
            if part not in _ALL_PARTS:
                raise DataError(
                    what=f"A date has no part {part!r}.", fix=did_you_mean(part, list(_ALL_PARTS))
                )
        return chosen
