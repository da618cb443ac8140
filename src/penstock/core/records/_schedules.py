"""Schedules and their ticks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from penstock.core._states import TickState
from penstock.core.records._empty import empty


@dataclass(frozen=True, slots=True)
class ScheduleRecord:
    """A pipeline's trigger and options for runs without a manual start.

    Args:
        name: Unique name.
        pipeline: Name of the pipeline.
        entry: Entry point, ``file.py:name``, relative to the project.
        trigger: The trigger as plain JSON, e.g. ``{"cron": "0 3 * * *"}``.
        params: The pipeline's parameters as plain JSON.
        options: Options of the runs: missed, max_active_runs, window, runner, workers.
        created_at: Time of creation; UTC as all times.
        created_by: Actor that created the schedule.
        paused_at: Time of the pause; None while the schedule makes ticks.
        cursor: Progress of the trigger: the last moment or the state last seen.
        looked_at: Time of the last check.
        error: Reason why the last check failed; None if the check succeeded.
        revision: Number that moves with each change.
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

    @property
    def max_active_runs(self) -> int:
        """Maximum number of runs at the same time."""
        # Schedules stored before 0008 name it ``at_most``.
        return int(self.options.get("max_active_runs", self.options.get("at_most", 1)))


@dataclass(frozen=True, slots=True)
class TickRecord:
    """A time that a schedule was due: leads to a single run, however many schedulers there are.

    Args:
        schedule: The schedule.
        key: Target of the tick, unique in the schedule: a moment, a partition, a state of data.
        due_at: Time at which the tick was due.
        state: See TickState.
        facts: Inputs of the run besides the schedule's: ``params``, and ``partition`` of a
            partitioned tick.
        reason: Reason for the tick, as a sentence.
        run_id: Id of the run; set before the run is created, so that a second is never created.
        attempt: Number of starts and resumes by schedulers.
        holder: The scheduler that works on the tick.
        until: Time after which that scheduler counts as gone.
        ended_at: Time of the end.
        error: Reason for a failed or missed tick.
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
