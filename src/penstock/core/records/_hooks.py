"""Hooks and the events for them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from penstock.core._states import EventState
from penstock.core.records._empty import empty


@dataclass(frozen=True, slots=True)
class HookRecord:
    """Somebody who is told when runs and steps begin and end.

    Args:
        name: Unique name.
        url: Where events are posted.
        form: ``webhook`` (Standard Webhooks, signed) or ``openlineage``.
        secret: What a webhook is signed with, or the API key that OpenLineage is posted with.
        events: Which: patterns such as ``run.failed``, ``run.*`` or ``*``.
        created_at: When it was made.
        paused_at: Since when nothing is posted; None while it is.
        delivered: How many events have arrived.
        delivered_at: When the last one arrived.
        error: Why the last attempt failed; None if it did not.
    """

    name: str
    url: str
    form: str
    secret: str | None
    events: tuple[str, ...]
    created_at: datetime
    paused_at: datetime | None = None
    delivered: int = 0
    delivered_at: datetime | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class EventRecord:
    """Something that happened and that a hook has not been told yet; written with what happened.

    Args:
        event_id: The same at every attempt, so that a receiver can tell repetitions.
        hook: Who is to be told.
        kind: ``run.started``, ``run.failed``, ``step.finished`` and so on.
        run_id: The run.
        at: When it happened.
        due_at: When it is tried next.
        step: The step; None if it is about the run.
        step_run_id: Its step run.
        facts: What was so at that moment and may be another later: attempt, error.
        attempts: How often it was tried.
        state: Pending, or dead: given up.
        error: Why the last attempt failed.
    """

    event_id: str
    hook: str
    kind: str
    run_id: str
    at: datetime
    due_at: datetime
    step: str | None = None
    step_run_id: str | None = None
    facts: Mapping[str, Any] = field(default_factory=empty)
    attempts: int = 0
    state: EventState = EventState.PENDING
    error: str | None = None
