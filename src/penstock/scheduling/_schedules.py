"""Schedules: those of a store; added, listed, paused, triggered, removed."""

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
"""How the keys of ticks begin that somebody asked for."""

SCHEDULERS = "schedulers"
"""The lease that every scheduler holds that is up."""


class Schedules:
    """The schedules of a store.

    ```python
    schedules = ps.Schedules()
    schedules.add(ps.Schedule(pipeline=big_tips, cron="0 3 * * *", window="90d"))
    ```

    Args:
        store: A store or its URL; by default the project's.
    """

    def __init__(self, store: Store | str | None = None) -> None:
        self.store = open_store(store) if store is None or isinstance(store, str) else store
        self._metadata = self.store.metadata

    def add(self, schedule: Schedule) -> ScheduleRecord:
        """Add a schedule, or put it in the place of the one with its name.

        What the other one has seen stays seen if both are due by the same.

        Raises:
            DefinitionError: If the pipeline is in no file, or nothing says when to run it.
            ParameterError: If a parameter is missing or cannot be used.
            ConflictError: If the name is taken by a schedule of another project.
        """
        record = schedule.to_record()
        known = {other.name: other for other in self._metadata.schedules.list()}
        before = known.get(record.name)
        if before is not None:
            if before.options["project"] != record.options["project"]:
                raise ConflictError(
                    what=f"Schedule {record.name!r} belongs to {before.options['project']}.",
                    why="The store is shared, and names are unique in it.",
                    fix=f"Give another name, for example {record.options['project']}-{record.name}.",
                    name=record.name,
                )
            record = _go_on_from(before, record)
        self._metadata.schedules.save(record)
        return record

    def add_all(self, file: str) -> list[ScheduleRecord]:
        """Add every Schedule that stands at the top level of a file, by the name it has there.

        Raises:
            DefinitionError: If there is none.
        """
        found = {
            name: value
            for name, value in vars(module_of(file)).items()
            if isinstance(value, Schedule)
        }
        if not found:
            raise DefinitionError(
                what=f"{file} defines no schedule.",
                fix="Write one at its top level: nightly = ps.Schedule(pipeline=…, cron=…), or say"
                " when on the command line: --cron, --every, --new-data, --new-version, --alert.",
            )
        return [
            self.add(replace(schedule, name=schedule.name or name))
            for name, schedule in found.items()
        ]

    def all(self) -> list[ScheduleRecord]:
        """List them by name."""
        return self._metadata.schedules.list()

    def get(self, name: str) -> ScheduleRecord:
        """Give one.

        Raises:
            NotFoundError: If there is none of that name.
        """
        return self._metadata.schedules.get(name)

    def ticks(self, name: str | None = None, *, limit: int = 100) -> list[TickRecord]:
        """List what was due, latest first."""
        return self._metadata.schedules.list_ticks(name, limit=limit)

    def next_due(self, name: str) -> datetime | None:
        """Tell when one is due next; None if it is paused or nobody can know."""
        return next_due_of(self.get(name))

    def pause(self, name: str) -> ScheduleRecord:
        """Let it make no ticks until it is resumed; what is running goes on."""
        return self._change(name, paused_at=now())

    def resume(self, name: str) -> ScheduleRecord:
        """Let it make ticks again; those of the pause count as missed."""
        return self._change(name, paused_at=None)

    def remove(self, name: str) -> None:
        """Remove it with its ticks; its runs stay."""
        self._metadata.schedules.delete(name)

    def trigger(self, name: str) -> TickRecord:
        """Make it due now, paused or not; a scheduler runs it."""
        schedule, moment = self.get(name), now()
        due = Due(f"{BY_HAND}{moment.isoformat()}", moment, f"{current_actor()} asked for it.")
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
        """Name the schedulers that are up, ``host:pid``."""
        return [
            holder.rpartition(":")[0] for holder in self._metadata.steps.list_holders(SCHEDULERS)
        ]

    def _change(self, name: str, **changes: Any) -> ScheduleRecord:
        while True:
            schedule = self.get(name)
            if self._metadata.schedules.advance(
                name, expected_revision=schedule.revision, **changes
            ):
                return self.get(name)


def check_watched(schedule: ScheduleRecord, store: Store, project: Path) -> list[str]:
    """Say what a schedule waits for that is not there yet: it may come, or be a slip of the pen."""
    trigger, metadata = schedule.trigger, store.metadata
    told = str(next(iter(trigger.values())))
    if "new_version" in trigger:
        model = told.partition("@")[0]
        known, noun, name = metadata.models.list(), "model", model
    elif "alert" in trigger:
        name = told.partition("/")[0]
        known, noun = [deployment.name for deployment in metadata.deployments.list()], "deployment"
    elif "new_data" in trigger and not told.startswith(":"):
        path = Path(told) if Path(told).is_absolute() else project / told
        there = any(path.parent.glob(path.name)) if path.parent.is_dir() else False
        return [] if there else [f"There is nothing at {path} yet."]
    else:
        return []
    if name in known:
        return []
    return [f"There is no {noun} {name!r} yet. {did_you_mean(name, known)}".rstrip()]


def tick_of(schedule: ScheduleRecord, due: Due, params: Mapping[str, Any]) -> TickRecord:
    """Make the tick of what is due."""
    facts = {name: value for name, value in due.facts.items() if name == "partition"}
    return TickRecord(
        schedule.name, due.key, due.at, TickState.QUEUED, {**facts, "params": params}, due.reason
    )


def partitions_of(schedule: ScheduleRecord) -> Partitions | None:
    """Give the partitions of a schedule's pipeline, as it was when it was added."""
    spec = schedule.options.get("partitions")
    return None if spec is None else Partitions.from_spec(spec)


def next_due_of(schedule: ScheduleRecord) -> datetime | None:
    """Tell when a schedule is due next; None if it is paused or nobody can know."""
    if schedule.paused_at is not None:
        return None
    return next_due(schedule.trigger, schedule.cursor, partitions_of(schedule))


def _go_on_from(before: ScheduleRecord, record: ScheduleRecord) -> ScheduleRecord:
    trigger = dict(record.trigger)
    if "every" in trigger and before.trigger.get("every") == trigger["every"]:
        trigger["start"] = before.trigger["start"]
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
