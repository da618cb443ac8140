"""Schedules and their ticks."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Protocol

from penstock.core import ScheduleRecord, TickRecord, TickState


class ScheduleStore(Protocol):
    """Schedules and their ticks."""

    def save(self, schedule: ScheduleRecord) -> None:
        """Insert or replace a schedule by name."""
        ...

    def get(self, name: str) -> ScheduleRecord:
        """Return a schedule."""
        ...

    def delete(self, name: str) -> None:
        """Delete a schedule with all ticks; their runs stay."""
        ...

    def advance(
        self, name: str, *, expected_revision: int, ticks: Sequence[TickRecord] = (), **changes: Any
    ) -> bool:
        """Change a schedule and add due ticks, together, unless the revision moved.

        A tick whose key exists already stays unchanged.
        """
        ...

    def add_tick(self, tick: TickRecord) -> bool:
        """Add a tick; False if the key exists already."""
        ...

    def list_ticks(
        self,
        schedule: str | None = None,
        *,
        states: Collection[TickState] | None = None,
        limit: int = 100,
    ) -> list[TickRecord]:
        """List ticks, latest due first."""
        ...

    def claim_tick(
        self, tick: TickRecord, *, holder: str, until: datetime, run_id: str, max_active: int
    ) -> TickRecord | None:
        """Claim a tick that is queued, or whose holder is silent; None if neither.

        Also None while ``max_active`` different ticks of the schedule are held. ``run_id`` becomes the
        id of the tick's run unless there is an id.
        """
        ...

    def update_tick(self, tick: TickRecord, *, held_by: str | None, **changes: Any) -> bool:
        """Change fields of a tick, if held by this holder; return whether held."""
        ...

    def list(self) -> list[ScheduleRecord]:
        """List the schedules by name."""
        ...
