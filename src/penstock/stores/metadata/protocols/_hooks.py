"""Hooks, and the events that are to be delivered to them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from penstock.core import EventRecord, EventState, HookRecord


class HookStore(Protocol):
    """Hooks, and the events that are to be delivered to them."""

    def save(self, hook: HookRecord) -> None:
        """Insert or replace by name; what was delivered is kept."""
        ...

    def get(self, name: str) -> HookRecord:
        """Return a hook."""
        ...

    def delete(self, name: str) -> None:
        """Remove a hook with what it has not been told."""
        ...

    def list_events(
        self,
        hook: str,
        *,
        state: EventState = EventState.PENDING,
        due: datetime | None = None,
        limit: int = 100,
    ) -> list[EventRecord]:
        """What a hook has not been told, oldest first; with ``due`` what is to be tried by then.

        Events are written by the methods that change the state of runs and steps, with it.
        """
        ...

    def count_events(self) -> dict[str, dict[str, int]]:
        """``{hook: {state: number}}``."""
        ...

    def drop_events(self, hook: str, event_ids: Sequence[str], *, delivered: bool) -> None:
        """Remove events: they arrived, or nobody wants them any more."""
        ...

    def update_event(self, event_id: str, **changes: Any) -> None:
        """Change fields of an event; an error is told of its hook too."""
        ...

    def list(self) -> list[HookRecord]:
        """List the hooks by name."""
        ...
