"""Watch: the runs that a scheduler started or took over, until their results are recorded."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from penstock.core import (
    NotFoundError,
    PenstockError,
    RunRecord,
    RunState,
    ScheduleRecord,
    TickRecord,
    TickState,
    new_id,
    now,
)
from penstock.execution import RunOptions
from penstock.pipelines import EntryPoint
from penstock.scheduling._run_process import RunCommand, RunProcess
from penstock.stores import Store

CLAIM = timedelta(seconds=60)
"""A scheduler that has not renewed a claim for this long is taken for dead."""

RENEW = timedelta(seconds=15)
"""Interval at which a scheduler renews its claims."""

ASK = timedelta(seconds=5)
"""Interval between checks of waiting runs and of runs that this scheduler did not start."""

MANY = 10_000
Tell = Callable[[str], None]
_ATTEMPTS = 3
_ENDS = {RunState.FINISHED: TickState.FINISHED, RunState.FAILED: TickState.FAILED}
_THERE = frozenset({RunState.RUNNING, RunState.FINISHED, RunState.FAILED})


@dataclass(slots=True)
class _Watched:
    """A claimed tick; without a process, the run was started by a different scheduler."""

    tick: TickRecord
    process: RunProcess | None
    renewed: datetime
    asked: datetime


class TickWatch:
    """The ticks that a scheduler works on.

    Args:
        store: Store that records the ticks.
        project: Working directory of the runs.
        holder: Id of the scheduler that claims the ticks.
        tell: Callback for messages about the ticks.
    """

    def __init__(self, store: Store, project: Path, holder: str, tell: Tell) -> None:
        self._store, self._metadata, self._project = store, store.metadata, project
        self._holder, self._tell = holder, tell
        self._watched: dict[tuple[str, str], _Watched] = {}
        self._asked = now() - ASK

    def __len__(self) -> int:
        return len(self._watched)

    def __contains__(self, tick: TickRecord) -> bool:
        return (tick.schedule, tick.key) in self._watched

    @property
    def run_ids(self) -> list[str]:
        """Ids of the runs."""
        return [str(watched.tick.run_id) for watched in self._watched.values()]

    def claim(self, schedule: ScheduleRecord, tick: TickRecord) -> None:
        """Claim a tick and start the run, unless taken or over the concurrency limit."""
        claimed = self._metadata.schedules.claim_tick(
            tick,
            holder=self._holder,
            until=now() + CLAIM,
            run_id=new_id(),
            max_active=schedule.max_active_runs,
        )
        if claimed is not None:
            process = self._begin(schedule, claimed)
            self._watched[claimed.schedule, claimed.key] = _Watched(claimed, process, now(), now())

    def look_after(self) -> None:
        """Record the runs that have ended, and renew the remaining claims."""
        for watched in list(self._watched.values()):
            if watched.process is not None and watched.process.ended() is not None:
                self._settle(watched)
            elif watched.process is None and now() - watched.asked >= ASK:
                watched.asked = now()
                run = self._run_of(watched.tick)
                if run is None or run.state is not RunState.RUNNING:
                    self._settle(watched)
            if now() - watched.renewed >= RENEW:
                self._metadata.schedules.update_tick(
                    watched.tick, held_by=self._holder, until=now() + CLAIM
                )
                watched.renewed = now()

    def _settle(self, watched: _Watched) -> None:
        """Record the result of a tick."""
        tick, process = watched.tick, watched.process
        # Marks the run as killed if its process died without recording an end.
        self._metadata.runs.kill_dead()
        run = self._run_of(tick)
        error: str | None
        if run is None:
            printed = "" if process is None else process.printed()
            state, error = TickState.FAILED, printed or "Its run was not made."
        elif run.state is RunState.RUNNING:  # a different process continues the run
            watched.process = None
            return
        elif run.state is RunState.QUEUED:
            state, error = TickState.WAITING, run.error
        elif run.state is RunState.KILLED:
            again = tick.attempt < _ATTEMPTS
            state, error = (TickState.QUEUED if again else TickState.FAILED), run.error
        else:
            state, error = _ENDS[run.state], run.error
        self._metadata.schedules.update_tick(
            tick, held_by=self._holder, state=state, error=error, ended_at=now(), holder=None
        )
        if process is not None:
            process.close()
        del self._watched[tick.schedule, tick.key]
        detail = f" {error.splitlines()[-1]}" if error else ""
        self._tell(f"{tick.schedule}: run {tick.run_id} {state.value}.{detail}")

    def ask_for_waiting(self) -> None:
        """Requeue runs whose approval was decided; follow those that were resumed by hand."""
        if now() - self._asked < ASK:
            return
        self._asked = now()
        for tick in self._metadata.schedules.list_ticks(states=[TickState.WAITING], limit=MANY):
            run = self._run_of(tick)
            state = _ENDS.get(run.state) if run is not None else TickState.FAILED
            if run is not None and run.state is RunState.QUEUED:
                decisions = self._metadata.steps.list_decisions(run.run_id)
                since = tick.ended_at or tick.due_at
                # An earlier decision was about a step that the run has passed.
                if any(decision.at >= since for decision in decisions):
                    state = TickState.QUEUED
            if state is not None:
                self._metadata.schedules.update_tick(
                    tick, held_by=tick.holder, state=state, attempt=0
                )

    def leave(self) -> None:
        """Release the claims, so that a different scheduler takes over at once; runs continue."""
        with suppress(PenstockError):
            for watched in self._watched.values():
                self._metadata.schedules.update_tick(
                    watched.tick, held_by=self._holder, until=now()
                )
                if watched.process is not None:
                    watched.process.close()

    def _begin(self, schedule: ScheduleRecord, tick: TickRecord) -> RunProcess | None:
        """Start or resume a tick's run; a run that is going on, or has ended, is only followed."""
        run = self._run_of(tick)
        if run is not None and run.state in _THERE:
            self._tell(f"{tick.schedule}: run {run.run_id} is taken over.")
            return None
        options = RunOptions(
            runner=schedule.options["runner"],
            workers=schedule.options["workers"],
            tags={"penstock.schedule": tick.schedule, "penstock.tick": tick.key},
            partition=tick.facts.get("partition"),
            run_id=tick.run_id,
        )
        params = {**schedule.params, **tick.facts.get("params", {})}
        order = RunCommand(EntryPoint.parse(schedule.entry), params, options)
        verb = "started" if run is None else "resumed"
        process = RunProcess(order, self._store, self._project, resume=run is not None)
        self._tell(f"{tick.schedule}: run {tick.run_id} {verb}. {tick.reason}")
        return process

    def _run_of(self, tick: TickRecord) -> RunRecord | None:
        try:
            return self._metadata.runs.get(str(tick.run_id))
        except NotFoundError:
            return None
