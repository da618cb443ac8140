"""MASE: errors divided by those of the seasonal naive forecast on the training series.

Notation: y_t is the t-th training value of a series in time order, m the season. The scale of a
series is the mean of |y_t - y_(t-m)| over the training rows.

Source: Hyndman and Koehler (2006), Another look at measures of forecast accuracy, International
Journal of Forecasting 22, 679.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from penstock.core import ParameterError
from penstock.data import Split
from penstock.evaluation._user_metrics import UserMetric

if TYPE_CHECKING:
    import polars as pl

Floats = NDArray[np.float64]
_SHOWN = 3


@dataclass(frozen=True)
class ScaledError:
    """The absolute error of each row over the scale of the series.

    Args:
        season: Rows from one season to the next: 7 for daily values of weeks, 1 without seasons.
        series: Column of the series; empty for a single series.
        time: Column of times; empty for the column by which the rows are split.
        scales: Scale of each series by the text of the series, as learned from the training rows;
            None before.
        unknown: Why a series has no scale, by the text of the series.
    """

    season: int
    series: str = ""
    time: str = ""
    scales: Mapping[str, float] | None = field(default=None, hash=False)
    unknown: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __call__(self, truth: Any, prediction: Any, rows: "pl.DataFrame") -> Floats:
        """Return the scaled error of each row."""
        if self.scales is None:
            raise ValueError("its training series is not known: use it in evaluate, with a split")
        names = self._names(rows)
        missing = dict.fromkeys(name for name in names if name not in self.scales)
        if missing:
            raise ValueError(self._why_no_scale(list(missing)))
        scale = np.array([self.scales[name] for name in names])
        off = np.asarray(truth, dtype=np.float64) - np.asarray(prediction, dtype=np.float64)
        return np.asarray(np.abs(off) / scale)

    def bind(self, split: Split) -> "ScaledError":
        """Return the figure with the scales of a split's training rows."""
        time = self.time or split.by_time
        if not isinstance(time, str):
            reason = "the training rows have no order in time: split by_time=, or name it by time="
            return replace(self, scales={}, unknown={"": reason})
        table = split.train.table
        for name in (time, self.series):
            if name and name not in table.columns:
                return replace(self, scales={}, unknown={"": f"there is no column {name!r}"})
        scales: dict[str, float] = {}
        unknown: dict[str, str] = {}
        names, codes = np.unique(self._names(table), return_inverse=True)
        order = np.argsort(codes, kind="stable")
        cuts = np.flatnonzero(np.diff(codes[order])) + 1
        times, values = table[time].to_list(), split.train.y.cast(float).to_numpy()
        for name, rows in zip(names.tolist(), np.split(order, cuts), strict=True):
            scale = _scale([times[row] for row in rows], values[rows], self.season)
            if isinstance(scale, str):
                unknown[name] = scale
            else:
                scales[name] = scale
        return replace(self, scales=scales, unknown=unknown)

    def recipe(self) -> dict[str, Any]:
        """Return the function and arguments that make the metric again."""
        known = {"season": self.season, "series": self.series, "time": self.time}
        learned = {"scales": dict(self.scales or {}), "unknown": dict(self.unknown)}
        return {"maker": "bound_mase", "arguments": {**known, **learned}}

    def _names(self, rows: "pl.DataFrame") -> list[str]:
        if not self.series:
            return [""] * rows.height
        if self.series not in rows.columns:
            raise ValueError(f"the table has no column {self.series!r} of series")
        return [str(name) for name in rows[self.series].to_list()]

    def _why_no_scale(self, missing: list[str]) -> str:
        if "" in self.unknown:
            return self.unknown[""]
        shown = "; ".join(
            f"series {name!r}: {self.unknown.get(name, 'it has no training rows')}"
            for name in missing[:_SHOWN]
        )
        return shown + (f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else "")


def mase(season: int = 1, *, series: str = "", time: str = "") -> UserMetric:
    """Make the mean absolute scaled error: 1 is as good as the seasonal naive forecast in training.

    >>> mase(7, series="store").name
    'mase_7'

    The scale of each series is the mean absolute error of "as one season before" over its training
    rows. The scale is not known, and the metric is absent with the reason, where these rows have no
    order in time, are not evenly spaced, are fewer than a season and a row, or never change.

    Args:
        season: Rows from one season to the next: 7 for daily values of weeks, 12 for months of
            years, 1 for a series without a season.
        series: Column that names the series of a row; by default all rows are one series.
        time: Column of times; by default the split's.

    Raises:
        ParameterError: If the season is less than 1.
    """
    if season < 1:
        raise ParameterError(what=f"season={season}.", fix="Count rows: 1 or more.", season=season)
    return UserMetric(f"mase_{season}", ScaledError(season, series, time), "lower")


def bound_mase(
    season: int, series: str, time: str, scales: Mapping[str, float], unknown: Mapping[str, str]
) -> UserMetric:
    """Make a ``mase`` whose scales are known."""
    return UserMetric(
        f"mase_{season}", ScaledError(season, series, time, dict(scales), dict(unknown)), "lower"
    )


def bind_metric(metric: UserMetric, split: Split) -> UserMetric:
    """Return a metric with scales from the training rows; metrics without scales unchanged."""
    if isinstance(metric.function, ScaledError):
        return replace(metric, function=metric.function.bind(split))
    return metric


def _scale(times: list[Any], values: Floats, season: int) -> float | str:
    """Return the scale of a series, or the reason why there is none."""
    if any(time is None for time in times):
        return "a training row has no time"
    order = sorted(range(len(times)), key=lambda at: times[at])
    if len(order) <= season:
        return f"{len(order)} training rows, {season + 1} are needed"
    ordered = [times[at] for at in order]
    if reason := _why_uneven(ordered):
        return reason
    known = values[order]
    if not np.isfinite(known).all():
        return "a training value is no number"
    scale = float(np.abs(known[season:] - known[:-season]).mean())
    if scale > 0:
        return scale
    return f"each training value equals the one {season} rows before"


def _why_uneven(times: list[Any]) -> str:
    """Return why rows are not evenly spaced; empty for equal steps, months and working days."""
    steps = [after - before for before, after in pairwise(times)]
    for at, step in enumerate(steps):
        if not step:
            return f"two training rows have the time {times[at]}; name the column series="
    if len(set(steps)) == 1 or _are_months(times) or _are_working_days(times):
        return ""
    usual = max(set(steps), key=steps.count)
    at = next(place for place, step in enumerate(steps) if step != usual)
    return (
        f"the training rows are not evenly spaced: from {times[at]} to {times[at + 1]} "
        f"instead of {usual}"
    )


def _are_months(times: list[Any]) -> bool:
    if not all(isinstance(time, date) for time in times):
        return False
    months = [12 * time.year + time.month for time in times]
    apart = {after - before for before, after in pairwise(months)}
    # A fixed day of the month, or the last: no month has fewer than 28 days.
    days = {time.day for time in times}
    return len(apart) == 1 and 0 not in apart and (len(days) == 1 or min(days) >= 28)  # noqa: PLR2004


def _are_working_days(times: list[Any]) -> bool:
    if not all(isinstance(time, date) for time in times):
        return False
    days = np.array([f"{time:%Y-%m-%d}" for time in times], dtype="datetime64[D]")
    clocks = {f"{time:%H:%M:%S.%f}" for time in times}
    steps = np.busday_count(days[:-1], days[1:])
    return len(clocks) == 1 and bool(np.is_busday(days).all()) and bool((steps == 1).all())
