"""Liveness of runs: their signs of life, and the consequences of silence.

A run whose process cannot be seen from here is *presumed* killed once silent; the next sign of life
revives the run, and the run's own end overrides the presumption.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from penstock.core import RUN_MOVES, ConflictError, RunRecord, RunState, StepState, now
from penstock.stores._processes import is_gone, is_ours, trace_here
from penstock.stores.metadata._claims import SHARED, Claims
from penstock.stores.metadata._codec import to_micros
from penstock.stores.metadata._database import Database, Transaction
from penstock.stores.metadata._outbox import Outbox

_SILENCE_MICROS = 60 * 1_000_000
_ENDED = (RunState.FINISHED, RunState.FAILED, RunState.KILLED)
_ERROR = "The process ended without finishing the run."
# The process of a run that no process stands behind: a client of a server beats for none.
UNWATCHED = "unwatched"
_RUNNING = (
    "SELECT run_id, host, pid, pid_started, process, COALESCE(heartbeat_at, started_at, created_at),"
    " COALESCE(started_at, created_at), COALESCE(heartbeat_at, -1) FROM runs WHERE state = 'running' AND process <> 'unwatched'"
)
_PRESUME = (
    "UPDATE runs SET state = 'killed', ended_at = ?, presumed_at = ?, error = COALESCE(error, ?)"
    # Checked again: it may have ended, or beaten, since the query.
    " WHERE run_id = ? AND state = 'running' AND COALESCE(heartbeat_at, -1) = ?"
)
_END_SHARED = (
    "UPDATE runs SET state = 'killed', ended_at = ?, error = COALESCE(error, ?)"
    " WHERE run_id = ? AND state = 'running' AND process = ?"
)
_END_STEPS = (
    "UPDATE step_runs SET state = 'killed',"
    " ended_at = CASE WHEN started_at > ? THEN started_at ELSE ? END"
    " WHERE run_id = ? AND state IN ('running', 'queued') RETURNING run_id, step, step_run_id"
)
_REVIVE = (
    "UPDATE runs SET state = 'running', ended_at = NULL, presumed_at = NULL,"
    " error = CASE WHEN error = ? THEN NULL ELSE error END"
    " WHERE run_id = ? AND state = 'killed' AND presumed_at IS NOT NULL"
)
_REVIVE_STEPS = (
    "UPDATE step_runs SET state = CASE WHEN started_at IS NULL THEN 'queued' ELSE 'running' END,"
    " ended_at = NULL WHERE run_id = ? AND state = 'killed' AND (ended_at = ? OR"
    " ended_at = started_at)"
)


class SignsOfLife:
    """Heartbeats of runs, and the end of runs without any."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database, self._outbox = database, outbox
        self._claims = Claims(database, outbox)

    def beat(
        self, transaction: Transaction, run_id: str, at: datetime, attempt: int | None
    ) -> bool:
        """Record a sign of life; return whether the run still belongs to this attempt."""
        row = transaction.execute(
            "SELECT attempt, host, pid, pid_started, process, presumed_at, ended_at FROM runs"
            " WHERE run_id = ?",
            (run_id,),
        ).fetchone()
        if row is None:
            return False
        now_attempt, host, pid, pid_started, process, presumed_at, ended_at = row
        if attempt is not None and attempt != now_attempt:
            return False
        # Only the run's own process knows its boot and namespace; any other may beat for it.
        if is_ours(host, pid, pid_started):
            process = trace_here()
        transaction.execute(
            "UPDATE runs SET heartbeat_at = ?, process = ? WHERE run_id = ?",
            (self._database.micros(transaction, at), process, run_id),
        )
        if presumed_at is not None and transaction.execute(_REVIVE, (_ERROR, run_id)).rowcount:
            transaction.execute(_REVIVE_STEPS, (run_id, ended_at))
            self._outbox.note_run(transaction, run_id, RunState.RUNNING, {"attempt": now_attempt})
        return True

    def kill_dead_runs(self) -> list[str]:
        """Mark runs as presumed killed whose process is gone or silent; see MetadataStore."""
        with self._database.read() as transaction:
            rows = transaction.execute(_RUNNING).fetchall()
            if not rows:
                return []
            moment = self._database.micros(transaction, now())
            shared = [row[0] for row in rows if row[4] == SHARED]
            unclaimed = [each for each in shared if self._claims.is_abandoned(transaction, each)]
        dead = []
        for run_id, host, pid, pid_started, process, seen, began, beat in rows:
            if process == SHARED:
                continue
            gone = is_gone(host, pid, pid_started, process)
            if gone or (gone is None and seen < moment - _SILENCE_MICROS):
                dead.append((run_id, max(seen, began), beat))
        killed = [run_id for run_id, ended, beat in dead if self._presume(run_id, ended, beat)]
        return killed + [run_id for run_id in unclaimed if self._end_unclaimed(run_id)]

    def _end_unclaimed(self, run_id: str) -> bool:
        """Kill a shared run's abandoned steps, and the run if no process works on the run any more."""
        with self._database.write() as transaction:
            self._database.alone(transaction, f"run:{run_id}")
            if self._claims.clear(transaction, run_id):
                return False
            moment = self._claims.moment(transaction)
            values = (moment, _ERROR, run_id, SHARED)
            done = transaction.execute(_END_SHARED, values).rowcount
            if done:
                self._outbox.note_run(transaction, run_id, RunState.KILLED, {"error": _ERROR})
        return done > 0

    def _presume(self, run_id: str, ended: int, beat: int) -> bool:
        with self._database.write() as transaction:
            # With the beat that was read: a beat since then must prevent the presumption.
            values = (ended, to_micros(now()), _ERROR, run_id, beat)
            done = transaction.execute(_PRESUME, values).rowcount
            if done:
                facts = {"error": _ERROR}
                steps = transaction.execute(_END_STEPS, (ended, ended, run_id)).fetchall()
                for step in steps:
                    self._outbox.note_step(transaction, tuple(step), StepState.KILLED, facts)
                self._outbox.note_run(transaction, run_id, RunState.KILLED, facts)
        return done > 0


def check_move(run: RunRecord, changes: Mapping[str, Any], only_attempt: int | None) -> None:
    """Check that a run may change state.

    Raises:
        ConflictError: If the move is not allowed, or the run was resumed elsewhere.
    """
    state = RunState(changes["state"])
    attempt = changes.get("attempt")
    if only_attempt is not None and only_attempt != run.attempt:
        raise ConflictError(
            what=f"Run {run.run_id} was resumed elsewhere; it is at attempt {run.attempt} now.",
            why=f"This process worked at attempt {only_attempt}, whose end counts no more.",
            fix=f"See it with: penstock show {run.run_id}",
            run_id=run.run_id,
        )
    if attempt is not None and state is RunState.RUNNING and attempt != run.attempt + 1:
        raise ConflictError(
            what=f"Run {run.run_id} has just been resumed by another process.",
            why="Two processes would each log to it and end it.",
            fix=f"See it with: penstock show {run.run_id}",
            run_id=run.run_id,
        )
    # The run's own end overrides the presumption.
    if run.presumed_at is not None and state in _ENDED:
        return
    if state != run.state and state not in RUN_MOVES[run.state]:
        raise ConflictError(
            what=f"Run {run.run_id} is {run.state} and cannot become {state}.",
            why="Someone else ended it." if run.state in _ENDED else "",
            fix=f"See it with: penstock show {run.run_id}",
            state=run.state,
        )


def settled(run: RunRecord, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the implied changes of a new state: no presumption, no end before the beginning."""
    more = dict[str, Any]()
    if run.presumed_at is not None:
        more["presumed_at"] = None
        if run.error == _ERROR and "error" not in changes:
            more["error"] = None
    ended, began = changes.get("ended_at"), run.started_at or run.created_at
    if ended is not None and ended < began:
        more["ended_at"] = began
    return more
