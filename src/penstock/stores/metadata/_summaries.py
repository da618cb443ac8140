"""Summaries of metrics' points: a row by run and key, which search and sort read."""
# ruff: noqa: S608 - statements are made of our own names; values are always bound

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from penstock.core import MetricColumns, MetricSummary
from penstock.stores.metadata._database import Transaction

if TYPE_CHECKING:
    import numpy as np

SUMMARY = '"first", "last", "min", "max", "count", last_step, last_time'
_LATER = (
    "(excluded.last_step > metric_summaries.last_step OR"
    " (excluded.last_step = metric_summaries.last_step"
    " AND excluded.last_time >= metric_summaries.last_time))"
)
# NaN is stored as NULL; a minimum or maximum ignores NULL.
_UPSERT = f"""
INSERT INTO metric_summaries (run_id, "key", {SUMMARY})
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (run_id, "key") DO UPDATE SET
 "last" = CASE WHEN {_LATER} THEN excluded."last" ELSE metric_summaries."last" END,
 last_time = CASE WHEN {_LATER} THEN excluded.last_time ELSE metric_summaries.last_time END,
 last_step = CASE WHEN {_LATER} THEN excluded.last_step ELSE metric_summaries.last_step END,
 "min" = CASE WHEN metric_summaries."min" IS NULL OR excluded."min" < metric_summaries."min"
          THEN excluded."min" ELSE metric_summaries."min" END,
 "max" = CASE WHEN metric_summaries."max" IS NULL OR excluded."max" > metric_summaries."max"
          THEN excluded."max" ELSE metric_summaries."max" END,
 "count" = metric_summaries."count" + excluded."count"
"""


def add_summaries(
    transaction: Transaction, run_id: str, metrics: Mapping[str, MetricSummary]
) -> None:
    """Write summaries of a run without points."""
    transaction.executemany(
        _UPSERT,
        [
            (
                run_id,
                key,
                *map(_null, (m.first, m.last, m.min, m.max)),
                m.count,
                m.last_step,
                m.last_time,
            )
            for key, m in metrics.items()
        ],
    )


def add_points(transaction: Transaction, columns: Sequence[MetricColumns]) -> None:
    """Add new points to the summaries."""
    transaction.executemany(_UPSERT, [_row(part) for part in columns])


def read_summary(row: Sequence[Any]) -> MetricSummary:
    """Read the columns `SUMMARY`."""
    if None not in row:  # the usual case, and a page of runs has a thousand of them
        return MetricSummary(*row)
    first, last, low, high, count, last_step, last_time = row
    return MetricSummary(
        _number(first), _number(last), _number(low), _number(high), count, last_step, last_time
    )


def _row(part: MetricColumns) -> tuple[Any, ...]:
    last = _last_place(part)
    low, high = _range(part.values)
    return (
        part.run_id,
        part.key,
        _null(float(part.values[0])),
        _null(float(part.values[last])),
        _null(low),
        _null(high),
        len(part),
        float(part.steps[last]),
        int(part.times[last]),
    )


def _last_place(part: MetricColumns) -> int:
    """Return the latest of the points with the highest step."""
    import numpy as np

    if len(part) == 1:
        return 0
    highest = np.flatnonzero(part.steps == part.steps.max())
    times = part.times[highest]
    return int(highest[len(times) - 1 - times[::-1].argmax()])


def _range(values: "np.ndarray[Any, np.dtype[np.float64]]") -> tuple[float, float]:
    import numpy as np

    if np.isnan(values).any():
        values = values[~np.isnan(values)]
        if not len(values):
            return math.nan, math.nan
    return float(values.min()), float(values.max())


def _null(value: float) -> float | None:
    # PostgreSQL has a separate NaN, greater than all numbers; SQLite has none.
    return None if math.isnan(value) else value


def _number(value: float | None) -> float:
    return math.nan if value is None else value
