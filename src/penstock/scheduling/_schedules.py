"""Schedules of a store: add, list, pause, resume, trigger, remove."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from penstock.core import (
    ConflictError,
    DefinitionError,
    ScheduleRecord,
    TickRecord,
    TickState,
    current_actor,
    did_you_mean,
    now,
)
from penstock.execution import module_of
from penstock.pipelines import Partitions
from penstock.scheduling._schedule import Schedule, parameters_of
from penstock.scheduling._triggers import Due, next_due
from penstock.stores import Store, open_store

BY_HAND = "by hand "
"""Prefix of the keys of ticks that a person triggered."""

SCHEDULERS = "schedulers"
"""Name of the lease that every running scheduler holds."""


class Schedules:
    """The schedules of a store.

    ```python
    schedules = ps.scheduling.Schedules()
    schedules.add(ps.Schedule(pipeline=big_tips, cron="0 3 * * *", window="90d"))
    ```

    Args:
        store: Store or store URL; by default the project's store.
    """

    def __init__(self, *, store: Store | str | None = None) -> None:
        self.store = open_store(store)
        self._metadata = self.store.metadata

    def add(self, schedule: Schedule) -> ScheduleRecord:
        """Add a schedule, or replace the schedule of the same name.

        A replaced schedule keeps the cursor of the predecessor if both have the same trigger.

        Raises:
            DefinitionError: If the pipeline is in no file, or the schedule has no trigger.
            ParameterError: If a parameter is missing or cannot be used.
            ConflictError: If the name is taken by a schedule of a different project.
        """
        record = schedule.to_record()
        known = {other.name: other for other in self._metadata.schedules.list()}
        before = known.get(record.name)
        if before is not None:
            if before.options["project"] != record.options["project"]:
                raise ConflictError(
                    what=f"Schedule {record.name!r} belongs to {before.options['project']}.",
                    why="The store is shared, and names are unique in it.",
                    fix=f"Choose a different name, for example {record.options['project']}-{record.name}.",
                    name=record.name,
                )
            record = _go_on_from(before, record)
        self._metadata.schedules.save(record)
        return record

    def add_all(self, file: str) -> list[ScheduleRecord]:
        """Add every Schedule at the top level of a file, named by the variable.

        Raises:
            DefinitionError: If the file has no schedule.
        """
        records = {
            name: value
            for name, value in vars(module_of(file)).items()
            if isinstance(value, Schedule)
        }
        if not records:
            raise DefinitionError(
                what=f"{file} defines no schedule.",
                fix="Write one at its top level: nightly = ps.Schedule(pipeline=…, cron=…), or say"
                " when on the command line: --cron, --every, --new-data, --new-version, --alert.",
            )
        return [
            self.add(replace(schedule, name=schedule.name or name))
            for name, schedule in records.items()
        ]

    def get(self, name: str) -> ScheduleRecord:
        """Return the schedule of a name.

        Raises:
            NotFoundError: If there is no schedule of that name.
        """
        return self._metadata.schedules.get(name)

    def ticks(self, name: str | None = None, *, limit: int = 100) -> list[TickRecord]:
        """List the ticks, latest first."""
        return self._metadata.schedules.list_ticks(name, limit=limit)

    def next_due(self, name: str) -> datetime | None:
        """Return when a schedule is due next; None if paused or the time cannot be known."""
        return next_due_of(self.get(name))

    def pause(self, name: str) -> ScheduleRecord:
        """Pause a schedule: no ticks are made until `resume`; running runs continue."""
        return self._change(name, paused_at=now())

    def resume(self, name: str) -> ScheduleRecord:
        """Resume a schedule; the ticks that fell in the pause count as missed."""
        return self._change(name, paused_at=None)

    def remove(self, name: str) -> None:
        """Remove a schedule with all ticks; the runs stay."""
        self._metadata.schedules.delete(name)

    def trigger(self, name: str) -> TickRecord:
        """Make a schedule due now, paused or not; a scheduler starts the run."""
        schedule, moment = self.get(name), now()
        due = Due(f"{BY_HAND}{moment.isoformat()}", moment, f"{current_actor()} triggered it.")
        if "partitions" in schedule.trigger:
            raise ConflictError(
                what=f"Schedule {name!r} runs partitions.",
                why="Which one is meant is not known.",
                fix=f"Run one: penstock run {schedule.entry} --partition KEY, or what is missing:"
                f" penstock backfill {schedule.entry}",
            )
        tick = tick_of(schedule, due, parameters_of(schedule, due))
        self._metadata.schedules.add_tick(tick)
        return tick

    def schedulers(self) -> list[str]:
        """Return the schedulers that are up, as ``host:pid``."""
        return [
            holder.rpartition(":")[0] for holder in self._metadata.steps.list_holders(SCHEDULERS)
        ]

    def list(self) -> list[ScheduleRecord]:
        """List the schedules by name."""
        return self._metadata.schedules.list()

    def _change(self, name: str, **changes: Any) -> ScheduleRecord:
        while True:
            # Repeated if a scheduler has changed the record in between.
            schedule = self.get(name)
            if self._metadata.schedules.advance(
                name, expected_revision=schedule.revision, **changes
            ):
                return self.get(name)


def check_watched(schedule: ScheduleRecord, project: Path, *, store: Store) -> list[str]:
    """Return warnings of watched names that do not exist: not made yet, or misspelt."""
    trigger, metadata = schedule.trigger, store.metadata
    watched = str(next(iter(trigger.values())))
    if "new_version" in trigger:
        model = watched.partition("@")[0]
        known, noun, name = metadata.models.list(), "model", model
    elif "alert" in trigger:
        name = watched.partition("/")[0]
        known, noun = [deployment.name for deployment in metadata.deployments.list()], "deployment"
    elif "new_data" in trigger and not watched.startswith(":"):
        path = Path(watched) if Path(watched).is_absolute() else project / watched
        there = any(path.parent.glob(path.name)) if path.parent.is_dir() else False
        return [] if there else [f"There is nothing at {path} yet."]
    else:
        return []
    if name in known:
        return []
    return [f"There is no {noun} {name!r} yet. {did_you_mean(name, known)}".rstrip()]


def tick_of(schedule: ScheduleRecord, due: Due, params: Mapping[str, Any]) -> TickRecord:
    """Make the tick of a due time."""
    facts = {name: value for name, value in due.facts.items() if name == "partition"}
    return TickRecord(
        schedule.name, due.key, due.at, TickState.QUEUED, {**facts, "params": params}, due.reason
    )


def partitions_of(schedule: ScheduleRecord) -> Partitions | None:
    """Return the partitions of a schedule's pipeline, as of when the schedule was added."""
    spec = schedule.options.get("partitions")
    return None if spec is None else Partitions.from_spec(spec)


def next_due_of(schedule: ScheduleRecord) -> datetime | None:
    """Return when a schedule is due next; None if paused or the time cannot be known."""
    if schedule.paused_at is not None:
        return None
    return next_due(schedule.trigger, schedule.cursor, partitions_of(schedule))


def _go_on_from(before: ScheduleRecord, record: ScheduleRecord) -> ScheduleRecord:
    trigger = dict(record.trigger)
    # A new start would shift the ticks of an unchanged interval.
    if "every" in trigger and before.trigger.get("every") == trigger["every"]:
        trigger["start"] = before.trigger["start"]
    # A cursor has a meaning only for the trigger that wrote it.
    same = before.trigger == trigger
    return replace(
        record,
        trigger=trigger,
        created_at=before.created_at,
        paused_at=before.paused_at,
        cursor=before.cursor if same else None,
        looked_at=before.looked_at if same else None,
        revision=before.revision + 1,
    )
