"""Runs with their parameters and tags, and how they are found."""
# ruff: noqa: S608 - statements are made of our own names; values are always bound

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from penstock.core import (
    RUN_MOVES,
    ConflictError,
    MetricSummary,
    NotFoundError,
    ParameterError,
    RunRecord,
    RunState,
    StepState,
    did_you_mean,
    now,
)
from penstock.stores._json import dump_json, load_json
from penstock.stores._processes import host_name, is_alive
from penstock.stores.metadata._codec import RecordTable, clean_text, to_micros
from penstock.stores.metadata._database import Database, Transaction
from penstock.stores.metadata._fields import INDEXED, Sql
from penstock.stores.metadata._fields import RUNS as FIELDS
from penstock.stores.metadata._hooks import Outbox
from penstock.stores.metadata._search import Asked, count, find
from penstock.stores.metadata._summaries import SUMMARY, add_summaries, read_summary

RUNS = RecordTable(
    "runs",
    RunRecord,
    times=(
        "created_at",
        "started_at",
        "ended_at",
        "heartbeat_at",
        "archived_at",
        "deleted_at",
    ),
    structures=("graph",),
    kinds={"state": RunState, "seed": int, "error": (clean_text, str)},
    without=("params", "tags", "metrics"),
)
_ALL = 2**62
_SILENCE = timedelta(seconds=60)
_ENDED = (RunState.FINISHED, RunState.FAILED, RunState.KILLED)
_FIXED = frozenset({"run_id", "params", "tags", "metrics"})
_INSERT_RUN = f"{RUNS.insert} ON CONFLICT (run_id) DO NOTHING"
_ADD_EXPERIMENT = (
    "INSERT INTO experiments (name, created_at, note) VALUES (?, ?, '') ON CONFLICT DO NOTHING"
)
_INSERT_PARAM = (
    'INSERT INTO run_params (run_id, "key", value, text, number, start) VALUES (?, ?, ?, ?, ?, ?)'
)
_UPSERT_TAG = (
    'INSERT INTO run_tags (run_id, "key", value, start) VALUES (?, ?, ?, ?) '
    'ON CONFLICT (run_id, "key") DO UPDATE SET value = excluded.value, start = excluded.start'
)


class Runs:
    """The part of MetadataStore about runs."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database, self._outbox = database, outbox
        self._known: set[str] = set()

    def create_run(self, run: RunRecord) -> None:
        """See MetadataStore."""
        with self._database.write() as transaction:
            if not transaction.execute(_INSERT_RUN, RUNS.row(run)).rowcount:
                raise ConflictError(
                    what=f"There is a run {run.run_id} already.",
                    fix="Give the new run an id of its own, from penstock.core.new_id().",
                    run_id=run.run_id,
                )
            transaction.execute(_ADD_EXPERIMENT, (run.experiment, to_micros(run.created_at)))
            transaction.executemany(
                _INSERT_PARAM,
                [_param_row(run.run_id, key, value) for key, value in run.params.items()],
            )
            transaction.executemany(
                _UPSERT_TAG, [_tag_row(run.run_id, key, value) for key, value in run.tags.items()]
            )
            add_summaries(transaction, run.run_id, run.metrics)
            if run.state is not RunState.QUEUED:
                facts = {"attempt": run.attempt}
                self._outbox.note_run(transaction, run.run_id, run.state, facts)

    def get_run(self, run_id: str) -> RunRecord:
        """See MetadataStore."""
        with self._database.read() as transaction:
            return self._load(transaction, self.full_id(transaction, run_id))

    def update_run(self, run_id: str, **changes: Any) -> RunRecord:
        """See MetadataStore."""
        _check_fields(changes)
        with self._database.write() as transaction:
            run_id = self.full_id(transaction, run_id)
            before = None
            if "state" in changes:
                self._database.alone(transaction, f"run:{run_id}")
                before = self._load(transaction, run_id)
                _check_move(before, RunState(changes["state"]))
            if changes:
                sets = ", ".join(f'"{name}" = ?' for name in changes)
                values = [RUNS.column(name, value) for name, value in changes.items()]
                transaction.execute(
                    f"UPDATE runs SET {sets} WHERE run_id = ?",
                    (*values, run_id),
                )
            run = self._load(transaction, run_id)
            if before is not None and _is_news(before, run):
                facts = {"attempt": run.attempt, "error": run.error}
                self._outbox.note_run(transaction, run_id, run.state, facts)
            return run

    def beat(self, run_id: str, at: datetime) -> None:
        """See MetadataStore."""
        with self._database.write() as transaction:
            transaction.execute(
                "UPDATE runs SET heartbeat_at = ? WHERE run_id = ?", (to_micros(at), run_id)
            )

    def kill_dead_runs(self) -> list[str]:
        """See MetadataStore."""
        if self._database.read_only:
            return []
        alive_since, here = to_micros(now() - _SILENCE), host_name()
        with self._database.read() as transaction:
            rows = transaction.execute(
                "SELECT run_id, host, pid, pid_started, COALESCE(heartbeat_at, started_at, created_at)"
                " FROM runs WHERE state = 'running'"
            ).fetchall()
        dead = [
            run_id
            for run_id, host, pid, pid_started, seen in rows
            if (not is_alive(pid, pid_started) if host == here else seen < alive_since)
        ]
        return [run_id for run_id in dead if self._kill(run_id)]

    def search_runs(
        self,
        filter: str = "",  # noqa: A002 - the field's word
        *,
        order_by: str = "created_at desc",
        limit: int = 100,
        offset: int = 0,
        after: str | None = None,
        experiment: str | None = None,
    ) -> list[RunRecord]:
        """See MetadataStore."""
        also = _of_experiment(experiment)
        asked = Asked(FIELDS, filter, order_by, limit, offset, after, also)
        with self._database.read() as transaction:
            rows = find(transaction, _prefixed(), asked)
            return self._complete(transaction, rows)

    def count_runs(
        self,
        filter: str = "",  # noqa: A002 - the field's word
        *,
        experiment: str | None = None,
        most: int | None = None,
    ) -> int:
        """See MetadataStore."""
        limit = _ALL if most is None else most
        asked = Asked(FIELDS, filter, limit=limit, also=_of_experiment(experiment))
        with self._database.read() as transaction:
            return count(transaction, asked)

    def list_experiments(self) -> list[str]:
        """See MetadataStore."""
        with self._database.read() as transaction:
            rows = transaction.execute("SELECT name FROM experiments ORDER BY 1").fetchall()
        return [row[0] for row in rows]

    def log_params(self, run_id: str, params: Mapping[str, Any]) -> None:
        """See MetadataStore."""
        with self._database.write() as transaction:
            run_id = self.full_id(transaction, run_id)
            rows = [_param_row(run_id, key, value) for key, value in params.items()]
            transaction.executemany(_INSERT_PARAM + ' ON CONFLICT (run_id, "key") DO NOTHING', rows)
            stored = dict(
                transaction.execute(
                    'SELECT "key", value FROM run_params WHERE run_id = ?', (run_id,)
                ).fetchall()
            )
            for _, key, value, *_ in rows:
                if stored[key] != value:
                    raise _changed_param(key, load_json(stored[key]), load_json(value))

    def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        """See MetadataStore."""
        with self._database.write() as transaction:
            run_id = self.full_id(transaction, run_id)
            transaction.executemany(
                _UPSERT_TAG, [_tag_row(run_id, key, value) for key, value in tags.items()]
            )

    def delete_tags(self, run_id: str, names: Sequence[str]) -> None:
        """See MetadataStore."""
        with self._database.write() as transaction:
            run_id = self.full_id(transaction, run_id)
            transaction.executemany(
                'DELETE FROM run_tags WHERE run_id = ? AND "key" = ?',
                [(run_id, name) for name in names],
            )

    def full_id(self, transaction: Transaction, run_id: str) -> str:
        """Find the run that an id, a unique prefix or ``last`` means.

        Raises:
            NotFoundError: If none or several are meant.
        """
        if run_id in self._known:
            return run_id
        found = _find(transaction, run_id)
        self._known.add(found)
        return found

    def _kill(self, run_id: str) -> bool:
        ended = to_micros(now())
        with self._database.write() as transaction:
            # Asked again inside the transaction: the run may have ended, or another process did it.
            done = transaction.execute(
                "UPDATE runs SET state = 'killed', ended_at = COALESCE(heartbeat_at, ?),"
                " error = COALESCE(error, 'The process ended without finishing the run.')"
                " WHERE run_id = ? AND state = 'running'",
                (ended, run_id),
            ).rowcount
            if done:
                steps = transaction.execute(
                    "UPDATE step_runs SET state = ?, ended_at = ?"
                    " WHERE run_id = ? AND state IN ('running', 'queued')"
                    " RETURNING run_id, step, step_run_id",
                    (StepState.KILLED, ended, run_id),
                ).fetchall()
                facts = {"error": "The process ended without finishing the run."}
                for step in steps:
                    self._outbox.note_step(transaction, tuple(step), StepState.KILLED, facts)
                self._outbox.note_run(transaction, run_id, RunState.KILLED, facts)
        return done > 0

    def _load(self, transaction: Transaction, run_id: str) -> RunRecord:
        rows = transaction.execute(f"{RUNS.select} WHERE run_id = ?", (run_id,)).fetchall()
        if not rows:
            self._known.discard(run_id)
            raise _no_run(transaction, run_id)
        return self._complete(transaction, rows)[0]

    @staticmethod
    def _complete(transaction: Transaction, rows: Sequence[Any]) -> list[RunRecord]:
        ids = [row[0] for row in rows]
        params: dict[str, dict[str, Any]] = {run_id: {} for run_id in ids}
        tags: dict[str, dict[str, str]] = {run_id: {} for run_id in ids}
        metrics: dict[str, dict[str, MetricSummary]] = {run_id: {} for run_id in ids}
        for part in (ids[start : start + 500] for start in range(0, len(ids), 500)):
            these = f"WHERE run_id IN ({', '.join('?' * len(part))})"
            for run_id, key, value in transaction.execute(
                f'SELECT run_id, "key", value FROM run_params {these}',
                part,
            ).fetchall():
                params[run_id][key] = _param(value)
            for run_id, key, value in transaction.execute(
                f'SELECT run_id, "key", value FROM run_tags {these}',
                part,
            ).fetchall():
                tags[run_id][key] = value
            for run_id, key, *values in transaction.execute(
                f'SELECT run_id, "key", {SUMMARY} FROM metric_summaries {these}',
                part,
            ).fetchall():
                metrics[run_id][key] = read_summary(values)
        return [
            RUNS.read(row, params=params[row[0]], tags=tags[row[0]], metrics=metrics[row[0]])
            for row in rows
        ]


def _param(text: str) -> Any:
    return load_json(text) if text[0] in "{[" else _scalar(text)


@lru_cache(maxsize=4096)
def _scalar(text: str) -> Any:
    """Read a value that cannot be changed; of a hundred runs' parameters most are the same."""
    return load_json(text)


def _prefixed() -> str:
    return ", ".join(f'runs."{name}"' for name in RUNS.fields)


def _of_experiment(experiment: str | None) -> Sql | None:
    return None if experiment is None else ("runs.experiment = ?", [experiment])


def _find(transaction: Transaction, run_id: str) -> str:
    if run_id == "last":
        rows = transaction.execute("SELECT run_id FROM runs ORDER BY id DESC LIMIT 1").fetchall()
    else:
        exact = transaction.execute(
            "SELECT run_id FROM runs WHERE run_id = ?", (run_id,)
        ).fetchall()
        # Ids sort as text, so a prefix is a range of the unique index.
        rows = exact or (
            transaction.execute(
                "SELECT run_id FROM runs WHERE run_id >= ? AND run_id < ? LIMIT 2",
                (run_id, run_id + "\U0010ffff"),
            ).fetchall()
            if run_id
            else []
        )
    if len(rows) == 1:
        return str(rows[0][0])
    if rows:
        raise NotFoundError(
            what=f"Several runs begin with {run_id!r}.",
            fix="Give more characters of the id.",
            run_id=run_id,
        )
    raise _no_run(transaction, run_id)


def _no_run(transaction: Transaction, run_id: str) -> NotFoundError:
    rows = transaction.execute("SELECT run_id FROM runs ORDER BY id DESC LIMIT 200").fetchall()
    if not rows:
        return NotFoundError(
            what=f"There is no run {run_id!r}: the store has no runs yet.",
            fix="Start one with: penstock run FILE",
            run_id=run_id,
        )
    return NotFoundError(
        what=f"There is no run {run_id!r}.",
        fix=f"{did_you_mean(run_id, [row[0] for row in rows])} List them with: penstock runs",
        run_id=run_id,
    )


def _check_fields(changes: Mapping[str, Any]) -> None:
    for name in changes:
        if name in _FIXED or name not in RUNS.fields:
            raise ParameterError(
                what=f"A run's {name!r} cannot be changed.",
                fix=did_you_mean(name, set(RUNS.fields) - _FIXED),
                name=name,
            )


def _is_news(before: RunRecord, run: RunRecord) -> bool:
    """Say whether others want to know: a run that only waits for its next step began long ago."""
    if run.state is RunState.QUEUED:
        return run.error is not None
    if run.state is RunState.RUNNING:
        return before.started_at is None or before.attempt != run.attempt
    return run.state is not before.state


def _check_move(run: RunRecord, state: RunState) -> None:
    if state != run.state and state not in RUN_MOVES[run.state]:
        raise ConflictError(
            what=f"Run {run.run_id} is {run.state} and cannot become {state}.",
            why="Someone else ended it." if run.state in _ENDED else "",
            fix=f"Look at it with: penstock show {run.run_id}",
            state=run.state,
        )


def _changed_param(key: str, old: Any, new: Any) -> ConflictError:
    return ConflictError(
        what=f"Parameter {key!r} of this run is already {old!r} and cannot become {new!r}.",
        why="A parameter says what the run was made with; what changes over time is a metric.",
        fix="Use another name, log_metric, or a new run.",
        key=key,
    )


def _param_row(run_id: str, key: str, value: Any) -> tuple[Any, ...]:
    text = value if isinstance(value, str) else _as_text(value)
    return run_id, key, dump_json(value), text, _as_number(text), text[:INDEXED]


def _tag_row(run_id: str, key: str, value: str) -> tuple[str, ...]:
    return run_id, key, value, value[:INDEXED]


def _as_text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return value.value if isinstance(getattr(value, "value", None), str) else str(value)


def _as_number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
