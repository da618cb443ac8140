"""Metric points of runs, and how far each journal was taken in."""

import math
from collections.abc import Sequence
from typing import Protocol

from penstock.core import MetricColumns, MetricPoint


class MetricStore(Protocol):
    """Metric points of runs, and how far each journal was taken in."""

    def log(self, run_id: str, points: Sequence[MetricPoint]) -> None:
        """Add points of a run."""
        ...

    def append(
        self, columns: Sequence[MetricColumns], *, journal: str | None = None, position: int = 0
    ) -> None:
        """Add points with their summaries; of a run that is gone nothing is kept.

        With ``journal`` they are a part of that journal, up to ``position``: the position is
        written with them, and what is not behind the position written before is left out whole.
        """
        ...

    def journal_position(self, journal: str) -> int:
        """How far a journal is in the store; -1 if nothing of it is."""
        ...

    def forget_journal(self, journal: str) -> None:
        """Remove the position of a journal that does not exist any more."""
        ...

    def merge(self, run_id: str) -> None:
        """Write the small chunks of a run's points as few large ones."""
        ...

    def history(self, run_id: str, key: str, *, most: int | None = None) -> MetricColumns:
        """Points in order of step, then time, then arrival; empty if there are none.

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
        """Give a run the points that another has; says how many.

        Of these keys only, up to a step, logged between two times (microseconds since 1970).
        """
        ...
