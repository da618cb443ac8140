"""ForeignRun: a run of another tracker, read and not yet written."""

import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from penstock.core import MetricColumns, RunState, digest_bytes

_ILLEGAL = re.compile(r"[^A-Za-z0-9._-]+")
_MOST_ID = 80


class LoggedPoints:
    """Points of a metric as columns, in the order in which they were logged."""

    __slots__ = ("steps", "times", "values")

    def __init__(self) -> None:
        self.steps, self.values, self.times = array("d"), array("d"), array("q")

    def add(self, step: float, value: float, time_us: int) -> None:
        """Add a point; the time in microseconds since 1970."""
        self.steps.append(step)
        self.values.append(value)
        self.times.append(time_us)


@dataclass(slots=True)
class ForeignRun:
    """A run of another tracker.

    Args:
        system: Name of the tracker.
        key: What names the run there, such as ``entity/project/id``.
        name: Name for people.
        experiment: Experiment that the run is to belong to.
        created_at: Time of its creation.
        state: State at its end.
        ended_at: Time of its end; None if it is unknown.
        user: Who started it.
        host: Machine.
        group: Name of its group of runs.
        note: Markdown by the user.
        error: A line about the failure.
        parent: Key of the run that this one is a part of, or None.
        forked_from: Key of the run that this one continues, or None.
        forked_at: Step at which it continues that run.
        params: Parameters.
        tags: Free labels.
        metrics: Points by metric.
        files: Files by the artifact's name.
        values: Values that JSON has, by the artifact's name.
        lost: Sentences on what was not taken over.
    """

    system: str
    key: str
    name: str
    experiment: str
    created_at: datetime
    state: RunState = RunState.KILLED
    ended_at: datetime | None = None
    user: str = ""
    host: str = ""
    group: str = ""
    note: str = ""
    error: str | None = None
    parent: str | None = None
    forked_from: str | None = None
    forked_at: float | None = None
    params: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, LoggedPoints] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)

    @property
    def run_id(self) -> str:
        """Id of the run here: always the same for the same run there."""
        return run_id_of(self.system, self.key)

    def add_point(self, metric: str, step: float, value: float, time_us: int) -> None:
        """Add a point of a metric."""
        self.metrics.setdefault(metric, LoggedPoints()).add(step, value, time_us)

    def columns(self) -> Iterator[MetricColumns]:
        """Return the points, metric by metric."""
        import numpy as np

        for key, series in self.metrics.items():
            yield MetricColumns(
                self.run_id,
                key,
                np.asarray(series.steps),
                np.asarray(series.values),
                np.asarray(series.times),
            )


def run_id_of(system: str, key: str) -> str:
    """Return the id that a run of another tracker gets here.

    >>> run_id_of("wandb", "team/churn/ab12")
    'wandb-team-churn-ab12-061edc9a'

    Args:
        system: Name of the tracker.
        key: What names the run there; two keys that differ give two ids.
    """
    readable = _ILLEGAL.sub("-", key)[:_MOST_ID].strip("-.")
    return f"{system}-{readable}-{digest_bytes(key.encode()).removeprefix('sha256:')[:8]}"
