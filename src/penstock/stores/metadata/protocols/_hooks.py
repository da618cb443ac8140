"""Webhooks and their undelivered events."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from penstock.core import EventRecord, EventState, HookRecord


class HookStore(Protocol):
    """Webhooks and their undelivered events."""

    def save(self, hook: HookRecord) -> None:
        """Insert or replace a webhook by name; the record of deliveries stays."""
        ...

    def get(self, name: str) -> HookRecord:
        """Return a webhook."""
        ...

    def delete(self, name: str) -> None:
        """Delete a webhook with all undelivered events."""
        ...

    def list_events(
        self,
        hook: str,
        *,
        state: EventState = EventState.PENDING,
        due: datetime | None = None,
        limit: int = 100,
    ) -> list[EventRecord]:
        """List a webhook's undelivered events, oldest first; with ``due`` those due by then.

        Events are written by the methods that change the state of runs and steps, in the same
        transaction.
        """
        ...

    def count_events(self) -> dict[str, dict[str, int]]:
        """Return the number of events as ``{hook: {state: number}}``."""
        ...

    def drop_events(self, hook: str, event_ids: Sequence[str], *, delivered: bool) -> None:
        """Delete events that were delivered, or that are no longer wanted."""
        ...

    def update_event(self, event_id: str, **changes: Any) -> None:
        """Change fields of an event; an error is recorded with the webhook too."""
        ...

    def list(self) -> list[HookRecord]:
        """List the webhooks by name."""
        ...
