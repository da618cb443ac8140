"""Records of what happens without a person: schedules with their ticks, hooks with their events."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from penstock.core._states import EventState, TickState


def _empty() -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True, slots=True)
class ScheduleRecord:
    """When a pipeline is run without being asked.

    Args:
        name: Unique name.
        pipeline: Name of the pipeline.
        entry: Where it is defined, ``file.py:name``, relative to the project.
        trigger: What makes it run, as plain JSON, e.g. ``{"cron": "0 3 * * *"}``.
        params: The pipeline's parameters as plain JSON.
        options: How it is run: missed, at_most, window, runner, workers.
        created_at: When it was made; UTC as all times.
        created_by: Who made it.
        paused_at: Since when it makes no ticks; None while it does.
        cursor: How far it has looked: the last moment or the state last seen.
        looked_at: When it was looked at last.
        error: Why that failed; None if it did not.
        revision: Moves with each change.
    """

    name: str
    pipeline: str
    entry: str
    trigger: Mapping[str, Any]
    created_at: datetime
    params: Mapping[str, Any] = field(default_factory=_empty)
    options: Mapping[str, Any] = field(default_factory=_empty)
    created_by: str = ""
    paused_at: datetime | None = None
    cursor: Mapping[str, Any] | None = None
    looked_at: datetime | None = None
    error: str | None = None
    revision: int = 1


@dataclass(frozen=True, slots=True)
class TickRecord:
    """One time that a schedule was due: it leads to one run, however many schedulers there are.

    Args:
        schedule: The schedule.
        key: What it is for, unique in the schedule: a moment, a partition, a state of data.
        due_at: When it was due.
        state: See TickState.
        facts: What its run gets beside the schedule's: ``params``, and ``partition`` if it is for one.
        reason: Why it was due, as a sentence.
        run_id: Id of its run; given before the run is made, so that it is made once.
        attempt: How often a scheduler has started or resumed it.
        holder: The scheduler that works on it.
        until: When that scheduler counts as gone.
        ended_at: When it ended.
        error: Why it failed or was missed.
    """

    schedule: str
    key: str
    due_at: datetime
    state: TickState = TickState.QUEUED
    facts: Mapping[str, Any] = field(default_factory=_empty)
    reason: str = ""
    run_id: str | None = None
    attempt: int = 0
    holder: str | None = None
    until: datetime | None = None
    ended_at: datetime | None = None
    error: str | None = None


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
    facts: Mapping[str, Any] = field(default_factory=_empty)
    attempts: int = 0
    state: EventState = EventState.PENDING
    error: str | None = None
