"""Schedules and their ticks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from penstock.core._states import TickState
from penstock.core.records._empty import empty


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
    params: Mapping[str, Any] = field(default_factory=empty)
    options: Mapping[str, Any] = field(default_factory=empty)
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
    facts: Mapping[str, Any] = field(default_factory=empty)
    reason: str = ""
    run_id: str | None = None
    attempt: int = 0
    holder: str | None = None
    until: datetime | None = None
    ended_at: datetime | None = None
    error: str | None = None
