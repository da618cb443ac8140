"""Watch: the runs that a scheduler has started or taken over, until what became of them is recorded."""

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
from penstock.scheduling._run_process import RunOrder, RunProcess
from penstock.stores import Store

CLAIM = timedelta(seconds=60)
"""After this silence a scheduler is gone."""

RENEW = timedelta(seconds=15)
"""How often it shows that it is not."""

ASK = timedelta(seconds=5)
"""How often the runs of others and waiting ones are asked for."""

MANY = 10_000
Tell = Callable[[str], None]
_ATTEMPTS = 3
_ENDS = {RunState.FINISHED: TickState.FINISHED, RunState.FAILED: TickState.FAILED}
_THERE = frozenset({RunState.RUNNING, RunState.FINISHED, RunState.FAILED})


@dataclass(slots=True)
class _Watched:
    """A tick that this scheduler works on; without a process its run was started by another."""

    tick: TickRecord
    process: RunProcess | None
    renewed: datetime
    asked: datetime


class Watch:
    """The ticks that one scheduler works on.

    Args:
        store: Where they are recorded.
        project: The folder that runs are started in.
        holder: Who claims them.
        tell: Who is told what becomes of them.
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
        """The runs."""
        return [str(watched.tick.run_id) for watched in self._watched.values()]

    def claim(self, schedule: ScheduleRecord, tick: TickRecord) -> None:
        """Claim a tick and begin to work on it, unless somebody else does or too many go on."""
        claimed = self._metadata.schedules.claim_tick(
            tick,
            holder=self._holder,
            until=now() + CLAIM,
            run_id=new_id(),
            at_most=int(schedule.options["at_most"]),
        )
        if claimed is not None:
            process = self._begin(schedule, claimed)
            self._watched[claimed.schedule, claimed.key] = _Watched(claimed, process, now(), now())

    def look_after(self) -> None:
        """See which runs have ended, and prolong the claims of the others."""
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
        """Record what became of a tick."""
        tick, process = watched.tick, watched.process
        self._metadata.runs.kill_dead()
        run = self._run_of(tick)
        error: str | None
        if run is None:
            printed = "" if process is None else process.printed()
            state, error = TickState.FAILED, printed or "Its run was not made."
        elif run.state is RunState.RUNNING:  # another process goes on with it
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
        told = f" {error.splitlines()[-1]}" if error else ""
        self._tell(f"{tick.schedule}: run {tick.run_id} {state.value}.{told}")

    def ask_for_waiting(self) -> None:
        """Let runs go on that waited for somebody who has decided; see to those resumed by hand."""
        if now() - self._asked < ASK:
            return
        self._asked = now()
        for tick in self._metadata.schedules.list_ticks(states=[TickState.WAITING], limit=MANY):
            run = self._run_of(tick)
            state = _ENDS.get(run.state) if run is not None else TickState.FAILED
            if run is not None and run.state is RunState.QUEUED:
                decisions = self._metadata.steps.list_decisions(run.run_id)
                since = tick.ended_at or tick.due_at
                if any(decision.at >= since for decision in decisions):
                    state = TickState.QUEUED
            if state is not None:
                self._metadata.schedules.update_tick(
                    tick, held_by=tick.holder, state=state, attempt=0
                )

    def leave(self) -> None:
        """Give the claims back, so that another scheduler takes over at once; runs go on."""
        with suppress(PenstockError):
            for watched in self._watched.values():
                self._metadata.schedules.update_tick(
                    watched.tick, held_by=self._holder, until=now()
                )
                if watched.process is not None:
                    watched.process.close()

    def _begin(self, schedule: ScheduleRecord, tick: TickRecord) -> RunProcess | None:
        """Start a tick's run, or go on with it; nothing is started for one that goes on."""
        run = self._run_of(tick)
        if run is not None and run.state in _THERE:
            self._tell(f"{tick.schedule}: run {run.run_id} is taken over.")
            return None
        order = RunOrder(
            schedule.entry,
            str(tick.run_id),
            {**schedule.params, **tick.facts.get("params", {})},
            {"penstock.schedule": tick.schedule, "penstock.tick": tick.key},
            tick.facts.get("partition"),
            str(schedule.options["runner"]),
            schedule.options["workers"],
        )
        verb = "started" if run is None else "resumed"
        process = RunProcess(order, self._store, self._project, resume=run is not None)
        self._tell(f"{tick.schedule}: run {tick.run_id} {verb}. {tick.reason}")
        return process

    def _run_of(self, tick: TickRecord) -> RunRecord | None:
        try:
            return self._metadata.runs.get(str(tick.run_id))
        except NotFoundError:
            return None
