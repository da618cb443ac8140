"""Step runs with their outputs, edges and log; the engine's hot path, a single commit per step."""
# ruff: noqa: S608 - statements are made of our own names; values are always bound

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from penstock.core import (
    ArtifactRecord,
    ConflictError,
    Edge,
    LogLine,
    NotFoundError,
    RunRecord,
    RunState,
    StepClaim,
    StepRunRecord,
    StepState,
    now,
)
from penstock.stores.metadata._artifacts import (
    ADD_ARTIFACT,
    ADD_EDGE,
    ARTIFACTS,
    SQLArtifactIndex,
)
from penstock.stores.metadata._claims import SHARED, Claims
from penstock.stores.metadata._codec import RecordTable, clean_text, from_micros, to_micros
from penstock.stores.metadata._coordination import StepCoordination
from penstock.stores.metadata._database import Database, Transaction, put_owned
from penstock.stores.metadata._garbage import LET_GO
from penstock.stores.metadata._outbox import Outbox
from penstock.stores.metadata._runs import SQLRunStore

STEP_RUNS = RecordTable(
    "step_runs",
    StepRunRecord,
    times=("started_at", "ended_at"),
    structures=("inputs", "outputs", "addresses"),
    long=("facts",),
    kinds={
        "state": StepState,
        "seed": int,
        "error": (clean_text, str),
        "traceback": (clean_text, str),
    },
)
_UPSERT = STEP_RUNS.upsert("step_run_id", keep=("run_id",), owner="run_id")
_ADD_LOG = "INSERT INTO step_logs (step_run_id, time, stream, text) VALUES (?, ?, ?, ?)"
_FIND_RUN = (
    "SELECT run_id FROM step_runs WHERE step_run_id = ?"
    " UNION ALL SELECT run_id FROM runs WHERE run_id = ?"
)
_BY_KEY = (
    STEP_RUNS.select + ' WHERE "key" = ? AND "key" IS NOT NULL AND state = \'finished\''
    " ORDER BY id DESC LIMIT ?"
)
_TRIED = 16  # results of a key, newest first, until a result holds
_LATEST = (
    STEP_RUNS.select + " WHERE id IN"
    " (SELECT MAX(id) FROM step_runs WHERE run_id = ? GROUP BY step) ORDER BY position, id"
)


class SQLStepStore(StepCoordination):
    """StepStore on SQL, without the turns."""

    def __init__(
        self, database: Database, runs: SQLRunStore, artifacts: SQLArtifactIndex, outbox: Outbox
    ) -> None:
        super().__init__(database, runs)
        self._artifacts, self._outbox = artifacts, outbox
        self._claims = Claims(database, outbox)

    def start(self, step: StepRunRecord) -> None:
        """See StepStore."""
        row = STEP_RUNS.row(step)
        try:
            with self._database.write() as transaction:
                put_owned(transaction, _UPSERT, row, step.step_run_id)
                self._note(transaction, step)
        except Exception as error:
            raise self._explain(error, step) from error

    def finish(
        self,
        step: StepRunRecord,
        *,
        outputs: Sequence[ArtifactRecord] = (),
        edges: Iterable[Edge] = (),
        logs: Sequence[LogLine] = (),
        next_step: StepRunRecord | None = None,
    ) -> None:
        """See StepStore."""
        row = STEP_RUNS.row(step)
        # Sorted, so that two writers of the same rows never wait for each other.
        artifacts = sorted(map(ARTIFACTS.row, outputs), key=lambda row: row[:2])
        arrows = sorted((edge.source, edge.target, edge.role) for edge in edges)
        lines = [
            (step.step_run_id, to_micros(line.time), line.stream, clean_text(line.text))
            for line in logs
        ]
        try:
            with self._database.write() as transaction:
                put_owned(transaction, _UPSERT, row, step.step_run_id)
                if artifacts:
                    transaction.executemany(ADD_ARTIFACT, artifacts)
                if arrows:
                    transaction.executemany(ADD_EDGE, arrows)
                if lines:
                    transaction.executemany(_ADD_LOG, lines)
                self._note(transaction, step)
                if next_step is not None:
                    following = STEP_RUNS.row(next_step)
                    put_owned(transaction, _UPSERT, following, next_step.step_run_id)
                    self._note(transaction, next_step)
        except Exception as error:
            raise self._explain(error, step) from error

    def find_cached(
        self, key: str, holds: Callable[[StepRunRecord], bool] | None = None
    ) -> StepRunRecord | None:
        """See StepStore."""
        record = self._newest(key)
        if record is None or (record[1] and (holds is None or holds(record[0]))):
            return record and _wanted_again(record[0])
        renew = self._artifacts.renew
        for step in self.list_cached(key):
            if (holds is None or holds(step)) and renew(set(step.outputs.values())):
                return step
        return None

    def list_cached(self, key: str, *, limit: int = _TRIED) -> list[StepRunRecord]:
        """See StepStore."""
        with self._database.read() as transaction:
            rows = transaction.execute(_BY_KEY, (key, limit)).fetchall()
        return [_wanted_again(STEP_RUNS.read(row)) for row in rows]

    def _newest(self, key: str) -> tuple[StepRunRecord, bool] | None:
        """Return the newest result, and whether all outputs are young, out of reach of gc."""
        with self._database.read() as transaction:  # a single transaction: a hot path
            rows = transaction.execute(_BY_KEY, (key, 1)).fetchall()
            if not rows:
                return None
            step = STEP_RUNS.read(rows[0])
            young = self._artifacts.are_young(transaction, set(step.outputs.values()))
            return step, bool(young)

    def claim_step(self, claim: StepClaim) -> bool:
        """See StepStore."""
        with self._database.write() as transaction:
            run_id = self._runs.full_id(transaction, claim.run_id)
            self._database.alone(transaction, f"run:{run_id}")
            run = self._runs.load(transaction, run_id)
            _require_claimable(run, claim)
            others = self._claims.clear(transaction, run_id)
            others = [other for other in others if other.claim_id != claim.claim_id]
            if any(other.covers(claim.step) or claim.covers(other.step) for other in others):
                return False
            self._claims.put(transaction, claim)
            moment = from_micros(self._claims.moment(transaction))
            changes: dict[str, Any] = {"heartbeat_at": moment}
            if run.state is not RunState.RUNNING or run.process != SHARED:
                changes |= {"state": RunState.RUNNING, "ended_at": None, "error": None}
                changes |= {"host": claim.host, "pid": 0, "pid_started": 0.0, "process": SHARED}
                changes |= {} if run.started_at else {"started_at": moment}
            self._runs.change(transaction, run_id, changes)
            return True

    def release_step(self, claim: StepClaim, steps: Sequence[str]) -> RunState:
        """See StepStore."""
        with self._database.write() as transaction:
            run_id = self._runs.full_id(transaction, claim.run_id)
            self._database.alone(transaction, f"run:{run_id}")
            self._claims.drop(transaction, claim)
            others = self._claims.clear(transaction, run_id)
            run = self._runs.load(transaction, run_id)
            is_ours = run.process == SHARED and run.attempt == claim.attempt
            if others or not is_ours or run.state is not RunState.RUNNING:
                return run.state
            rows = transaction.execute(_LATEST, (run_id,)).fetchall()
            latest = {step.step: step for step in map(STEP_RUNS.read, rows)}
            changes = _verdict([latest.get(name) for name in steps])
            if changes["state"] is not RunState.QUEUED:
                changes["ended_at"] = now()
            return self._runs.change(transaction, run_id, changes).state

    def add_logs(self, run_id: str, lines: Sequence[LogLine]) -> None:
        """See StepStore."""
        with self._database.write() as transaction:
            run_id = self._runs.full_id(transaction, run_id)
            transaction.executemany(
                _ADD_LOG,
                [
                    (run_id, to_micros(line.time), line.stream, clean_text(line.text))
                    for line in lines
                ],
            )

    def list_logs(self, step_run_id: str) -> list[LogLine]:
        """See StepStore."""
        with self._database.read() as transaction:
            rows = transaction.execute(
                "SELECT time, stream, text FROM step_logs WHERE step_run_id = ? ORDER BY id",
                (step_run_id,),
            ).fetchall()
        return [LogLine(from_micros(time), stream, text) for time, stream, text in rows]

    def find_run(self, step_run_id: str) -> str | None:
        """See StepStore."""
        with self._database.read() as transaction:
            row = transaction.execute(_FIND_RUN, (step_run_id, step_run_id)).fetchone()
        return None if row is None else str(row[0])

    def _note(self, transaction: Transaction, step: StepRunRecord) -> None:
        about = (step.run_id, step.step, step.step_run_id)
        facts = {"attempt": step.attempt, "error": step.error}
        self._outbox.note_step(transaction, about, step.state, facts)

    def _explain(self, error: Exception, step: StepRunRecord) -> Exception:
        if not self._database.is_missing_parent(error):
            return error
        return NotFoundError(
            what=f"Step {step.step!r} names run {step.run_id!r}, which does not exist.",
            fix="Create the run first.",
            run_id=step.run_id,
        )

    def list(self, run_id: str) -> list[StepRunRecord]:
        """See StepStore."""
        with self._database.read() as transaction:
            run_id = self._runs.full_id(transaction, run_id)
            rows = transaction.execute(_LATEST, (run_id,)).fetchall()
        return [STEP_RUNS.read(row) for row in rows]


def _wanted_again(step: StepRunRecord) -> StepRunRecord:
    """Remove the mark that a run no longer needs a result: a reusing run needs the result again."""
    if LET_GO not in step.facts:
        return step
    facts = {name: value for name, value in step.facts.items() if name != LET_GO}
    return replace(step, facts=facts)


def _require_claimable(run: RunRecord, claim: StepClaim) -> None:
    """Refuse a claim on a run that has finished, or that a process executes as a whole."""
    if run.attempt != claim.attempt:
        what = f"Run {run.run_id} was resumed elsewhere; it is at attempt {run.attempt} now."
        why = f"Step {claim.step!r} was claimed at attempt {claim.attempt}."
    elif run.state is RunState.FINISHED:
        what, why = f"Run {run.run_id} is finished.", "All of its steps have ended well."
    elif run.state is RunState.RUNNING and run.process != SHARED:
        what = f"Run {run.run_id} is executed as a whole by process {run.pid} on {run.host}."
        why = f"Step {claim.step!r} would be executed twice."
    else:
        return
    fix = f"See the run with: penstock show {run.run_id}"
    raise ConflictError(what=what, why=why, fix=fix, run_id=run.run_id)


def _verdict(steps: Sequence[StepRunRecord | None]) -> dict[str, Any]:
    """Return the state and the error of a run that no process works on, by the steps."""
    bad = {StepState.FAILED, StepState.KILLED}
    failed = next((step for step in steps if step is not None and step.state in bad), None)
    if failed is not None:
        return {"state": RunState.FAILED, "error": failed.error}
    ended = all(step is not None and step.ended_well for step in steps)
    return {"state": RunState.FINISHED if ended else RunState.QUEUED}
