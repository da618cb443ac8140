"""Webhooks and their events."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from penstock.core._states import EventState
from penstock.core.records._empty import empty


@dataclass(frozen=True, slots=True)
class HookRecord:
    """A webhook: a receiver of events, by HTTP, in a chat or by mail.

    Args:
        name: Unique name.
        url: Target of the events; of a chat the host alone.
        form: ``webhook`` (Standard Webhooks, signed), ``openlineage``, ``slack``, ``teams`` or
            ``email``.
        secret: Key for the signature of a webhook, the API key for OpenLineage, the password of a
            mail server, or the whole URL of a chat.
        events: Patterns of the events such as ``run.failed``, ``run.*`` or ``*``.
        created_at: Time of creation.
        paused_at: Time of the pause; None while active.
        delivered: Number of delivered events.
        delivered_at: Time of the last delivery.
        error: Reason why the last attempt failed; None if the attempt succeeded.
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
    """An event that a webhook has not received yet; written together with the change itself.

    Args:
        event_id: Equal at every attempt, so that a receiver can recognise repetitions.
        hook: Name of the receiving webhook.
        kind: ``run.started``, ``step.finished``, ``version.production``, ``alert.raised`` …
        run_id: The run; empty for an event of a version, deployment or alert.
        at: Time of the event.
        due_at: Time of the next attempt.
        step: The step; None for an event of something else.
        step_run_id: The step run.
        facts: Facts at that moment that may change later: attempt, error; of a version, deployment
            or alert all facts.
        attempts: Number of attempts.
        state: Pending, or dead: given up.
        error: Reason why the last attempt failed.
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
