"""Metric points and their summaries."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class MetricSummary:
    """The summary of a metric's points; search sorts by ``last``.

    Args:
        first: The value logged first.
        last: The value at the highest step.
        min: The smallest value.
        max: The largest value.
        count: Number of points.
        last_step: The highest step.
        last_time: Time of that point, microseconds since 1970; 0 if unknown.
    """

    first: float
    last: float
    min: float
    max: float
    count: int
    last_step: float
    last_time: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class MetricPoint:
    """A logged value of a metric."""

    key: str
    value: float
    step: float
    time: datetime


@dataclass(frozen=True, slots=True)
class MetricColumns:
    """Points of a metric of a run as columns: cheap for a million points.

    Args:
        run_id: The run.
        key: The metric.
        steps: Finite numbers, shape (n,).
        values: Any numbers, shape (n,).
        times: Microseconds since 1970 in UTC, shape (n,).
    """

    run_id: str
    key: str
    steps: "NDArray[np.float64]"
    values: "NDArray[np.float64]"
    times: "NDArray[np.int64]"

    def __len__(self) -> int:
        return len(self.values)
