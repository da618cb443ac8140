"""Columns of a polars or pandas frame as polars Series, whatever type a single row gave them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.core import DataError

if TYPE_CHECKING:
    import polars as pl


def columns_of(frame: Any) -> "list[pl.Series]":
    """Give a frame's columns (or a single column) as polars Series.

    Args:
        frame: A polars or pandas frame or series.

    Raises:
        DataError: If it is something else.
    """
    import polars as pl

    if isinstance(frame, pl.Series):
        return [frame]
    if isinstance(frame, pl.DataFrame):
        return list(frame.iter_columns())
    if hasattr(frame, "iloc"):
        if frame.ndim == 1:
            return [_from_pandas(frame)]
        return [_from_pandas(frame.iloc[:, position]) for position in range(frame.shape[1])]
    raise DataError(
        what=f"A {type(frame).__name__} has no column names.",
        why="Columns are told apart by name.",
        fix="Give a polars or pandas frame.",
    )


def names_of(columns: "Sequence[pl.Series]") -> "np.ndarray[Any, Any]":
    """Give column names as scikit-learn keeps them."""
    return np.asarray([column.name for column in columns], dtype=object)


def _from_pandas(series: Any) -> "pl.Series":
    """Read a pandas column without pyarrow: numbers and times as arrays, the rest value by value."""
    import polars as pl

    name = str(series.name)
    kind = getattr(series.dtype, "kind", "O")
    if isinstance(series.dtype, np.dtype) and kind in "biuf":
        return pl.Series(name, series.to_numpy())
    if kind == "M":
        zoned = getattr(series.dtype, "tz", None) is not None
        plain = series.dt.tz_convert("UTC").dt.tz_localize(None) if zoned else series
        times = pl.Series(name, plain.to_numpy().astype("datetime64[us]"))
        return times.dt.replace_time_zone("UTC") if zoned else times
    missing = series.isna().to_numpy()
    values = [None if gone else value for gone, value in zip(missing, series, strict=True)]
    return pl.Series(name, values, strict=False)
