"""Scheduler: finds due ticks, starts their runs and follows them; any number may be up.

Due ticks and the cursor of their trigger are written in a transaction. The scheduler that works
on a tick holds a claim that expires unless it is renewed. The id of a tick's run is fixed with the
claim, before the run is created: a scheduler that takes over finds the run by this id, and a second
run with the same id is refused. Each tick therefore leads to a single run, started at least once
and recorded at most once, even when a scheduler is killed.
"""

import logging
import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from penstock.core import (
    PenstockError,
    RunState,
    ScheduleRecord,
    StoreError,
    TickRecord,
    TickState,
    find_project,
    new_id,
    now,
    parse_duration,
)
from penstock.execution import load_pipeline, runs_by_partition
from penstock.hooks import Courier
from penstock.pipelines import EntryPoint
from penstock.scheduling._schedule import find_source, parameters_of
from penstock.scheduling._schedules import BY_HAND, SCHEDULERS, partitions_of, tick_of
from penstock.scheduling._triggers import Due, Sight, is_sensor, look
from penstock.scheduling._watch import CLAIM, MANY, RENEW, Tell, TickWatch
from penstock.stores import Store, open_store, this_process

_log = logging.getLogger("penstock.scheduling")
_LATE = timedelta(seconds=60)  # a tick that could not start for this long counts as missed


class Scheduler:
    """A process's scheduler, which starts the runs of schedules until stopped.

    ```python
    ps.scheduling.Scheduler().run()  # the same as `penstock scheduler`
    ```

    Threads: `run` and `once` are called from a single thread; `stop` from any, or a signal handler.

    Args:
        project: Folder whose schedules are run; by default the current project's.
        max_active_runs: Maximum number of runs at the same time; by default the number of cores.
        poll_s: Seconds between two checks.
        progress: Callback for progress messages, called with a line at a time.
        store: Store or store URL; by default the project's store.
    """

    def __init__(
        self,
        *,
        project: Path | str | None = None,
        max_active_runs: int | None = None,
        poll_s: float = 1.0,
        progress: Tell | None = None,
        store: Store | str | None = None,
    ) -> None:
        self.store = open_store(store)
        self.project = Path(project).resolve() if project else find_project()
        host, pid, _ = this_process()
        self.holder = f"{host}:{pid}:{new_id()}"
        self._metadata = self.store.metadata
        self._max_active_runs, self._poll_s = max_active_runs or os.cpu_count() or 1, poll_s
        self._tell = progress or _log.info
        self._watch = TickWatch(self.store, self.project, self.holder, self._tell)
        self._present = now() - RENEW
        self._stopping, self._leaving = threading.Event(), threading.Event()
        self._troubled: str | None = None

    def run(self) -> None:
        """Run until `stop` is called; while the store cannot be reached, try again."""
        courier = Courier(always=True, store=self.store).start()
        try:
            while not self._leaving.is_set() and (not self._stopping.is_set() or self._watch):
                self._round()
                self._leaving.wait(self._poll_s)
        finally:
            self._leave()
            courier.stop()

    def once(self) -> None:
        """Run the ticks that are due now and wait for their runs; for use from a cron job."""
        with Courier(store=self.store):
            self._once()

    def stop(self, *, leave: bool = False) -> None:
        """Start no more runs, and end when the current runs have ended.

        Args:
            leave: End at once; the runs continue, and a different scheduler takes them over.
        """
        self._stopping.set()
        if leave:
            self._leaving.set()

    @property
    def running(self) -> list[str]:
        """Ids of the runs that this scheduler follows."""
        return self._watch.run_ids

    def _once(self) -> None:
        try:
            self._look_at_all()
            self._start_due()
            while self._watch and not self._leaving.is_set():
                self._leaving.wait(min(self._poll_s, 0.1))
                self._present_itself()
                self._watch.look_after()
                self._start_due()
        finally:
            self._leave()

    def _round(self) -> None:
        try:
            self._present_itself()
            if not self._stopping.is_set():
                self._look_at_all()
                self._start_due()
            self._watch.look_after()
            self._troubled = None
        except (StoreError, OSError) as error:  # store unreachable, or no room for a process
            if self._troubled != str(error):
                self._tell(f"Something is away, trying again: {error}")
            self._troubled = str(error)

    def _present_itself(self) -> None:
        if now() - self._present >= RENEW:
            self._metadata.steps.take_lease(SCHEDULERS, self.holder, now() + CLAIM, most=MANY)
            self._metadata.runs.kill_dead()
            self._present = now()

    # What is due

    def _look_at_all(self) -> None:
        for schedule in self.schedules():
            if schedule.paused_at is None and self._is_time_to_look(schedule):
                self._look_at(schedule)

    def schedules(self) -> list[ScheduleRecord]:
        """List the schedules of this project: only files of this project can be loaded here."""
        return [
            schedule
            for schedule in self._metadata.schedules.list()
            if schedule.options["project"] == self.project.name
        ]

    @staticmethod
    def _is_time_to_look(schedule: ScheduleRecord) -> bool:
        if schedule.looked_at is None or not is_sensor(schedule.trigger):
            return True
        return now() - schedule.looked_at >= parse_duration(schedule.options["look_every"])

    def _look_at(self, schedule: ScheduleRecord) -> None:
        moment = now()
        changes: dict[str, Any] = {"looked_at": moment, "error": None}
        ticks: Sequence[TickRecord] = ()
        try:
            if self._cools_down(schedule, moment):
                return
            seen = look(schedule.trigger, schedule.cursor, self._sight(schedule, moment))
            ticks = _ticks_of(schedule, seen.due, moment)
            changes["cursor"] = seen.cursor
        except PenstockError as error:
            changes["error"] = error.what
        except Exception as error:  # noqa: BLE001 - a source is third-party code
            changes["error"] = f"{type(error).__name__}: {error}"
        if changes["error"] not in {None, schedule.error}:
            self._tell(f"{schedule.name}: check failed. {changes['error']}")
        # A clock trigger is checked every second; the check is written only when it found a tick.
        idle = not ticks and schedule.cursor is not None and changes["error"] == schedule.error
        if idle and not is_sensor(schedule.trigger):
            return
        if self._metadata.schedules.advance(
            schedule.name, expected_revision=schedule.revision, ticks=ticks, **changes
        ):
            for tick in ticks:
                remark = f" Missed: {tick.error}" if tick.state is TickState.MISSED else ""
                self._tell(f"{schedule.name}: due. {tick.reason}{remark}")

    def _cools_down(self, schedule: ScheduleRecord, moment: datetime) -> bool:
        cool_down = schedule.options.get("cool_down")
        if cool_down is None:
            return False
        last = self._metadata.schedules.list_ticks(schedule.name, limit=1)
        return bool(last) and moment - last[0].due_at < parse_duration(cool_down)

    def _sight(self, schedule: ScheduleRecord, moment: datetime) -> Sight:
        source, source_text = None, schedule.trigger.get("new_data")
        if source_text is not None:
            pipeline = load_pipeline(EntryPoint.parse(schedule.entry).below(self.project))
            source = find_source(source_text, pipeline, self.project)
        return Sight(self.store, source, partitions_of(schedule), moment)

    # Starting

    def _start_due(self) -> None:
        self._watch.ask_for_waiting()
        schedules = {schedule.name: schedule for schedule in self.schedules()}
        going_on = self._metadata.schedules.list_ticks(
            states=[TickState.QUEUED, TickState.RUNNING], limit=MANY
        )
        for name, schedule in schedules.items():
            # Ticks are listed latest first, but started oldest first.
            mine = [tick for tick in reversed(going_on) if tick.schedule == name]
            for tick in self._still_wanted(schedule, mine):
                if len(self._watch) >= self._max_active_runs:
                    return
                if tick not in self._watch and _is_free(tick):
                    self._claim(schedule, tick)

    def _still_wanted(
        self, schedule: ScheduleRecord, ticks: Sequence[TickRecord]
    ) -> Sequence[TickRecord]:
        """Return the ticks that can still start; mark the rest as missed."""
        missed = schedule.options["missed"]
        if missed == "all":
            return ticks
        fresh = [
            tick
            for tick in ticks
            if tick.state is TickState.QUEUED
            and tick.run_id is None
            and not tick.key.startswith(BY_HAND)
        ]
        busy = any(tick.state is TickState.RUNNING for tick in ticks)
        if missed == "last":
            lost, why = fresh[:-1], "A later one was due before it could start."
        else:
            lost = [tick for tick in fresh if busy and now() - tick.due_at > _LATE]
            why = "It could not start when it was due: the previous run had not ended."
        for tick in lost:
            self._metadata.schedules.update_tick(
                tick, held_by=None, state=TickState.MISSED, error=why, ended_at=now()
            )
        gone = {tick.key for tick in lost}
        return [tick for tick in ticks if tick.key not in gone]

    def _claim(self, schedule: ScheduleRecord, tick: TickRecord) -> None:
        partition = tick.facts.get("partition")
        if partition is not None and tick.run_id is None and self._is_settled(schedule, tick):
            return
        self._watch.claim(schedule, tick)

    def _is_settled(self, schedule: ScheduleRecord, tick: TickRecord) -> bool:
        """Check whether a partition has been run already, or is running."""
        key = tick.facts["partition"]
        run = runs_by_partition(schedule.pipeline, key, store=self.store).get(key)
        if run is None or run.state in {RunState.FAILED, RunState.KILLED}:
            return False
        if run.state is RunState.FINISHED:
            self._metadata.schedules.update_tick(
                tick,
                held_by=tick.holder,
                state=TickState.FINISHED,
                run_id=run.run_id,
                ended_at=now(),
            )
        return True

    def _leave(self) -> None:
        self._watch.leave()
        with suppress(PenstockError):
            self._metadata.steps.drop_lease(SCHEDULERS, self.holder)


def _is_free(tick: TickRecord) -> bool:
    return tick.state is TickState.QUEUED or tick.until is None or tick.until < now()


def _ticks_of(schedule: ScheduleRecord, due: Sequence[Due], moment: datetime) -> list[TickRecord]:
    """Make the ticks of due times, by the schedule's catch-up policy."""
    missed = schedule.options["missed"]
    wanted = list(due)
    if missed == "last":
        wanted = wanted[-1:]
    elif missed == "skip":
        wanted = [each for each in wanted[-1:] if moment - each.at <= _LATE]
    ticks = [tick_of(schedule, each, parameters_of(schedule, each)) for each in wanted]
    lost = list(due[: len(due) - len(wanted)])
    if lost:
        more = f" and {len(lost) - 1} before it" if len(lost) > 1 else ""
        gone = tick_of(schedule, lost[-1], {})
        error = f"{lost[-1].key}{more} passed while no scheduler could start it."
        ticks.insert(0, _missed(gone, error, moment))
    return ticks


def _missed(tick: TickRecord, error: str, moment: datetime) -> TickRecord:
    return TickRecord(
        tick.schedule,
        tick.key,
        tick.due_at,
        TickState.MISSED,
        tick.facts,
        tick.reason,
        ended_at=moment,
        error=error,
    )
