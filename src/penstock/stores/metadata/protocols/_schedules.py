"""Schedules and their ticks."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Protocol

from penstock.core import ScheduleRecord, TickRecord, TickState


class ScheduleStore(Protocol):
    """Schedules and their ticks."""

    def save(self, schedule: ScheduleRecord) -> None:
        """Insert or replace by name."""
        ...

    def get(self, name: str) -> ScheduleRecord:
        """Return a schedule."""
        ...

    def delete(self, name: str) -> None:
        """Remove a schedule with its ticks; the runs that they led to stay."""
        ...

    def advance(
        self, name: str, *, expected_revision: int, ticks: Sequence[TickRecord] = (), **changes: Any
    ) -> bool:
        """Change fields of a schedule and add what is due, together, unless its revision moved.

        A tick whose key is there already is left as it is.
        """
        ...

    def add_tick(self, tick: TickRecord) -> bool:
        """Add a tick; False if its key is there already."""
        ...

    def list_ticks(
        self,
        schedule: str | None = None,
        *,
        states: Collection[TickState] | None = None,
        limit: int = 100,
    ) -> list[TickRecord]:
        """Latest due first."""
        ...

    def claim_tick(
        self, tick: TickRecord, *, holder: str, until: datetime, run_id: str, at_most: int
    ) -> TickRecord | None:
        """Begin to work on a tick that is queued, or whose holder is silent; None if that is not so.

        Nor is it given if ``at_most`` others of its schedule are worked on. ``run_id`` becomes its
        run's id unless it has one.
        """
        ...

    def update_tick(self, tick: TickRecord, *, held_by: str | None, **changes: Any) -> bool:
        """Change fields of a tick, if this is its holder; says whether it was."""
        ...

    def list(self) -> list[ScheduleRecord]:
        """List the schedules by name."""
        ...
