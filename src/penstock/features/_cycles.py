"""Positions in a year, a week or a day as points of a circle: December is next to January.

The points are looked up, not computed by the processor's vector units, so that a row alone and a
row of many have the same numbers on every machine.
"""

import math
from collections.abc import Callable

import numpy as np
import polars as pl

_DAYS_OF_YEAR = 366
_MINUTES = 1_440


def _circle(
    steps: int, wave: Callable[[float], float]
) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return np.array([wave(2 * math.pi * step / steps) for step in range(steps)])


def _part(
    position: Callable[[pl.Series], pl.Series], steps: int, wave: Callable[[float], float]
) -> Callable[[pl.Series], pl.Series]:
    points = pl.Series(_circle(steps, wave))

    def point(times: pl.Series) -> pl.Series:
        return points.gather(position(times).cast(pl.UInt32))

    return point


def _minute_of_day(times: pl.Series) -> pl.Series:
    return times.dt.hour().cast(pl.Int32) * 60 + times.dt.minute()


def _day_of_year(times: pl.Series) -> pl.Series:
    return times.dt.ordinal_day().cast(pl.Int32) - 1


def _day_of_week(times: pl.Series) -> pl.Series:
    return times.dt.weekday().cast(pl.Int32) - 1


YEAR = {
    "year_sin": _part(_day_of_year, _DAYS_OF_YEAR, math.sin),
    "year_cos": _part(_day_of_year, _DAYS_OF_YEAR, math.cos),
}
"""Position in the year, by days."""

WEEK = {
    "week_sin": _part(_day_of_week, 7, math.sin),
    "week_cos": _part(_day_of_week, 7, math.cos),
}
"""Position in the week, by days."""

DAY = {
    "day_sin": _part(_minute_of_day, _MINUTES, math.sin),
    "day_cos": _part(_minute_of_day, _MINUTES, math.cos),
}
"""Position in the day, by minutes."""
