"""Metric points of runs, and the stored position of each journal."""

import math
from collections.abc import Sequence
from typing import Protocol

from penstock.core import MetricColumns, MetricPoint


class MetricStore(Protocol):
    """Metric points of runs, and the stored position of each journal."""

    def log(self, run_id: str, points: Sequence[MetricPoint]) -> None:
        """Add points of a run."""
        ...

    def append(
        self, columns: Sequence[MetricColumns], *, journal: str | None = None, position: int = 0
    ) -> None:
        """Add points with their summaries; points of a removed run are dropped.

        With ``journal`` they are a section of that journal, up to ``position``: the position is
        written with them, and points that are not behind the stored position are dropped
        completely.
        """
        ...

    def journal_position(self, journal: str) -> int:
        """Return the position up to which a journal is stored; -1 if nothing is."""
        ...

    def forget_journal(self, journal: str) -> None:
        """Delete the position of a journal that does not exist any more."""
        ...

    def merge(self, run_id: str) -> None:
        """Write the small chunks of a run's points as few large chunks."""
        ...

    def history(self, run_id: str, key: str, *, most: int | None = None) -> MetricColumns:
        """Return points in order of step, then time, then arrival; empty if there are none.

        With ``most`` at most so many, the lowest and the highest of each stretch among them; their
        times may be 0 then.
        """
        ...

    def copy(
        self,
        source: str,
        target: str,
        *,
        keys: Sequence[str] | None = None,
        until_step: float = math.inf,
        between: tuple[int, int] = ...,
    ) -> int:
        """Copy a run's points to a second run; return their number.

        Only these keys, up to a step, logged between two times (microseconds since 1970).
        """
        ...
