"""Backfill: rows of many intervals of time, computed and written once each; in any order, anywhere."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from penstock.core import ParameterError
from penstock.features.views import History, to_rows


@dataclass(frozen=True, slots=True)
class FeatureBackfill:
    """The result of a backfill.

    Args:
        view: Name of the view.
        versions: Versions of the history with the rows, by interval.
        written: Number of intervals that were computed and written; the rest existed.
    """

    view: str
    versions: tuple[int, ...]
    written: int


def backfill(
    history: History,
    compute: Callable[[datetime, datetime], object],
    intervals: list[tuple[datetime, datetime]],
    name: str,
) -> FeatureBackfill:
    """Write the rows of intervals, each in a single commit, without the intervals that exist.

    Args:
        history: The history.
        compute: Returns the rows of an interval, whose end is not included.
        intervals: The intervals.
        name: Name of the backfill; under another name intervals are written again.
    """
    versions, written = [], 0
    for start, end in intervals:
        once = f"backfill {name} {start.isoformat()} {end.isoformat()}"
        version = history.appended(once)
        if version is None:
            rows = to_rows(history.view, compute(start, end))
            version, written = history.append(rows, once=once), written + 1
        versions.append(version)
    return FeatureBackfill(history.view.name, tuple(versions), written)


def split_time(start: datetime, end: datetime, every: timedelta) -> list[tuple[datetime, datetime]]:
    """Return the intervals of a length from start to end; the last interval may be shorter.

    Raises:
        ParameterError: If times have no zone, or the length is not positive.
    """
    if start.tzinfo is None or end.tzinfo is None:
        raise ParameterError(
            what=f"The times {start} and {end} have no zone.",
            why="A local time means another moment in another zone.",
            fix="Give aware times: datetime(2026, 3, 1, tzinfo=UTC).",
        )
    if every <= timedelta(0):
        raise ParameterError(what=f"every is {every}.", fix="Give a positive duration.")
    intervals = []
    while start < end:
        intervals.append((start, min(start + every, end)))
        start += every
    return intervals
