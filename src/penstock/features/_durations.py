"""ToSeconds and ClockParts: durations and times of day as numbers."""

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from sklearn.utils.validation import check_is_fitted

from penstock.core import DataError
from penstock.features._columns import NamedColumns
from penstock.features._cycles import DAY
from penstock.tables import typed_column

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SECOND_US = 1_000_000
_SECOND_NS = 1_000_000_000


class ToSeconds(NamedColumns):
    """Transformer of durations to seconds; missing values are NaN.

    Numbers count as seconds already, as in a request.

    >>> import polars as pl
    >>> from datetime import timedelta
    >>> waits = pl.DataFrame({"wait": [timedelta(minutes=1, milliseconds=500), None]})
    >>> ToSeconds().fit_transform(waits).tolist()
    [[60.5], [nan]]
    """

    def transform(self, X: object) -> "NDArray[np.float64]":  # noqa: N803 - scikit-learn's word
        """Return an array of shape (rows, columns).

        Raises:
            DataError: If a value is no duration.
        """
        check_is_fitted(self)
        return np.column_stack([_seconds(typed_column(column)) for column in self._read(X)])


class ClockParts(NamedColumns):
    """Transformer of times of day to seconds since midnight, and sine and cosine of the position.

    >>> import polars as pl
    >>> from datetime import time
    >>> opened = pl.DataFrame({"open": [time(6, 0)]})
    >>> ClockParts().fit_transform(opened).round(6).tolist()
    [[21600.0, 1.0, 0.0]]
    """

    def transform(self, X: object) -> "NDArray[np.float64]":  # noqa: N803 - scikit-learn's word
        """Return an array of shape (rows, columns x 3).

        Raises:
            DataError: If a value is no time of day.
        """
        check_is_fitted(self)
        return np.column_stack(
            [part for column in self._read(X) for part in _clock(typed_column(column))]
        )

    def get_feature_names_out(self, input_features: object = None) -> "NDArray[Any]":  # noqa: ARG002
        """Return ``column_seconds``, ``column_day_sin`` and ``column_day_cos`` for every column."""
        check_is_fitted(self)
        parts = ("seconds", *DAY)
        return np.asarray(
            [f"{name}_{part}" for name in self._names() for part in parts], dtype=object
        )


def _seconds(column: pl.Series) -> "NDArray[np.float64]":
    if column.dtype == pl.Duration:
        return _floats(column.dt.total_microseconds()) / _SECOND_US
    if not (column.dtype.is_numeric() or column.dtype == pl.Null):
        raise _refuse(column, "duration", "a duration, or a number of seconds")
    return _floats(column)


def _clock(column: pl.Series) -> list["NDArray[np.float64]"]:
    if column.dtype not in (pl.Time, pl.Null):
        raise _refuse(column, "time of day", "a time of day")
    times = column.cast(pl.Time)
    # The date does not matter: the cyclic parts read hour and minute.
    return [
        _floats(times.cast(pl.Int64)) / _SECOND_NS,
        *(_floats(part(times)) for part in DAY.values()),
    ]


def _floats(column: pl.Series) -> "NDArray[np.float64]":
    # Divided by NumPy, which rounds once: polars multiplies by the reciprocal.
    return column.cast(pl.Float64).fill_null(np.nan).to_numpy()


def _refuse(column: pl.Series, noun: str, expected: str) -> DataError:
    first = column.drop_nulls().head(1).to_list()
    return DataError(
        what=f"Column {column.name!r} holds {first[0] if first else None!r}, which is no {noun}.",
        why=f"The model was trained on values of the type {noun}.",
        fix=f"Give {expected}, or null.",
        column=column.name,
    )
