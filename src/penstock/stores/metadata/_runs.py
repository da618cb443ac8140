"""Runs with their parameters and tags, and the search for runs."""
# ruff: noqa: S608 - statements are made of our own names; values are always bound

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from penstock.core import (
    NAME_BYTES,
    TEXT_BYTES,
    ConflictError,
    MetricSummary,
    NotFoundError,
    ParameterError,
    RunRecord,
    RunState,
    did_you_mean,
    require_label,
    require_short,
)
from penstock.stores._json import dump_json, load_json
from penstock.stores._processes import is_ours, trace_here
from penstock.stores.metadata._audit import note_change
from penstock.stores.metadata._codec import RecordTable, clean_text, to_micros
from penstock.stores.metadata._database import Database, Transaction
from penstock.stores.metadata._experiments import SQLExperiments
from penstock.stores.metadata._fields import INDEXED, Sql
from penstock.stores.metadata._fields import RUNS as FIELDS
from penstock.stores.metadata._life import SignsOfLife, check_move, settled
from penstock.stores.metadata._outbox import Outbox
from penstock.stores.metadata._params import LEAF, add_params, insert_params, read_param
from penstock.stores.metadata._search import SearchQuery, count, find
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
        "presumed_at",
    ),
    structures=("graph",),
    kinds={
        "state": RunState,
        "seed": int,
        "missed": (
            lambda sentences: dump_json(list(sentences)),
            lambda text: tuple(load_json(text)),
        ),
    },
    without=("params", "tags", "metrics"),
)
_ALL = 2**62
_MOST_MISSED = 20
_LAID_ASIDE = frozenset(
    {"archived_at", "deleted_at"}
)  # changes by someone, and not of a run's work
_FIXED = frozenset({"run_id", "params", "tags", "metrics"})
_INSERT_RUN = f"{RUNS.insert} ON CONFLICT (run_id) DO NOTHING"
_ADD_EXPERIMENT = (
    "INSERT INTO experiments (name, created_at, note) VALUES (?, ?, '') ON CONFLICT DO NOTHING"
)
_UPSERT_TAG = (
    'INSERT INTO run_tags (run_id, "key", value, start) VALUES (?, ?, ?, ?) '
    'ON CONFLICT (run_id, "key") DO UPDATE SET value = excluded.value, start = excluded.start'
)


class SQLRunStore(SQLExperiments):
    """RunStore on SQL."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database, self._outbox = database, outbox
        self._signs = SignsOfLife(database, outbox)
        self._known: set[str] = set()

    def create(self, run: RunRecord) -> None:
        """See RunStore."""
        require_label(run.run_id, "run")
        require_label(run.experiment, "experiment", most=NAME_BYTES)
        _require_short({"name": run.name, "note": run.note})
        if not run.process and is_ours(run.host, run.pid, run.pid_started):
            run = replace(run, process=trace_here())
        with self._database.write() as transaction:
            if not transaction.execute(_INSERT_RUN, RUNS.row(run)).rowcount:
                raise ConflictError(
                    what=f"There is a run {run.run_id} already.",
                    fix="Use a new id, from penstock.core.new_id().",
                    run_id=run.run_id,
                )
            transaction.execute(_ADD_EXPERIMENT, (run.experiment, to_micros(run.created_at)))
            insert_params(transaction, run.run_id, run.params)
            transaction.executemany(
                _UPSERT_TAG, [_tag_row(run.run_id, key, value) for key, value in run.tags.items()]
            )
            add_summaries(transaction, run.run_id, run.metrics)
            # A queued run has not started, so there is nothing to announce.
            if run.state is not RunState.QUEUED:
                facts = {"attempt": run.attempt}
                self._outbox.note_run(transaction, run.run_id, run.state, facts)

    def get(self, run_id: str) -> RunRecord:
        """See RunStore."""
        with self._database.read() as transaction:
            return self.load(transaction, self.full_id(transaction, run_id))

    def update(self, run_id: str, *, only_attempt: int | None = None, **changes: Any) -> RunRecord:
        """See RunStore."""
        _check_fields(changes)
        if "pid" in changes:
            changes["process"] = trace_here() if changes["pid"] == os.getpid() else ""
        with self._database.write() as transaction:
            return self.change(transaction, run_id, changes, only_attempt=only_attempt)

    def change(
        self,
        transaction: Transaction,
        run_id: str,
        changes: Mapping[str, Any],
        *,
        only_attempt: int | None = None,
    ) -> RunRecord:
        """Change fields of a run in a transaction of the caller; see `update`."""
        _require_short(changes)
        run_id = self.full_id(transaction, run_id)
        changes, before = dict(changes), None
        if "state" in changes:
            # Read and written: two resumes at once must not both succeed.
            self._database.alone(transaction, f"run:{run_id}")
            before = self.load(transaction, run_id)
            check_move(before, changes, only_attempt)
            changes |= settled(before, changes)
        if changes:
            sets = ", ".join(f'"{name}" = ?' for name in changes)
            values = [RUNS.column(name, value) for name, value in changes.items()]
            transaction.execute(f"UPDATE runs SET {sets} WHERE run_id = ?", (*values, run_id))
        if laid := {name: changes[name] is not None for name in _LAID_ASIDE & changes.keys()}:
            note_change(transaction, self._database, "run.change", run_id, laid)
        run = self.load(transaction, run_id)
        if before is not None and _is_news(before, run):
            facts = {"attempt": run.attempt, "error": run.error}
            self._outbox.note_run(transaction, run_id, run.state, facts)
        return run

    def beat(self, run_id: str, at: datetime, *, attempt: int | None = None) -> bool:
        """See RunStore."""
        with self._database.write() as transaction:
            return self._signs.beat(transaction, run_id, at, attempt)

    def kill_dead(self) -> list[str]:
        """See RunStore."""
        return [] if self._database.read_only else self._signs.kill_dead_runs()

    def note_missed(self, run_id: str, sentences: Sequence[str]) -> None:
        """See RunStore."""
        with self._database.write() as transaction:
            # Read and written: concurrent notes must not overwrite each other.
            self._database.alone(transaction, f"missed:{run_id}")
            row = transaction.execute(
                "SELECT missed FROM runs WHERE run_id = ?", (run_id,)
            ).fetchone()
            if row is None:
                return
            known = load_json(row[0])
            new = [clean_text(s) for s in dict.fromkeys(sentences) if clean_text(s) not in known]
            if new and len(known) < _MOST_MISSED:
                transaction.execute(
                    "UPDATE runs SET missed = ? WHERE run_id = ?",
                    (dump_json([*known, *new][:_MOST_MISSED]), run_id),
                )

    def search(
        self,
        filter: str = "",  # noqa: A002 - the field's word
        *,
        order_by: str = "created_at desc",
        limit: int = 100,
        offset: int = 0,
        after: str | None = None,
        experiment: str | None = None,
    ) -> list[RunRecord]:
        """See RunStore."""
        also = _of_experiment(experiment)
        query = SearchQuery(FIELDS, filter, order_by, limit, offset, after, also)
        with self._database.read() as transaction:
            rows = find(transaction, _prefixed(), query)
            return self._complete(transaction, rows)

    def count(
        self,
        filter: str = "",  # noqa: A002 - the field's word
        *,
        experiment: str | None = None,
        most: int | None = None,
    ) -> int:
        """See RunStore."""
        limit = _ALL if most is None else most
        query = SearchQuery(FIELDS, filter, limit=limit, also=_of_experiment(experiment))
        with self._database.read() as transaction:
            return count(transaction, query)

    def log_params(self, run_id: str, params: Mapping[str, Any]) -> None:
        """See RunStore."""
        with self._database.write() as transaction:
            run_id = self.full_id(transaction, run_id)
            add_params(transaction, run_id, params)

    def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        """See RunStore."""
        with self._database.write() as transaction:
            run_id = self.full_id(transaction, run_id)
            transaction.executemany(
                _UPSERT_TAG, [_tag_row(run_id, key, value) for key, value in tags.items()]
            )

    def delete_tags(self, run_id: str, names: Sequence[str]) -> None:
        """See RunStore."""
        with self._database.write() as transaction:
            run_id = self.full_id(transaction, run_id)
            transaction.executemany(
                'DELETE FROM run_tags WHERE run_id = ? AND "key" = ?',
                [(run_id, name) for name in names],
            )

    def full_id(self, transaction: Transaction, run_id: str) -> str:
        """Return the id of the run that an id, a unique prefix or ``last`` means.

        Raises:
            NotFoundError: If no run or several runs match.
        """
        # Every write looks the id up, so known ids save a query each.
        if run_id in self._known:
            return run_id
        record = _find(transaction, run_id)
        self._known.add(record)
        return record

    def load(self, transaction: Transaction, run_id: str) -> RunRecord:
        """Return a run, by the whole id.

        Raises:
            NotFoundError: If there is none.
        """
        rows = transaction.execute(f"{RUNS.select} WHERE run_id = ?", (run_id,)).fetchall()
        if not rows:
            # The run has been removed since the id was looked up.
            self._known.discard(run_id)
            raise _no_run(transaction, run_id)
        return self._complete(transaction, rows)[0]

    @staticmethod
    def _complete(transaction: Transaction, rows: Sequence[Any]) -> list[RunRecord]:
        ids = [row[0] for row in rows]
        params: dict[str, dict[str, Any]] = {run_id: {} for run_id in ids}
        tags: dict[str, dict[str, str]] = {run_id: {} for run_id in ids}
        metrics: dict[str, dict[str, MetricSummary]] = {run_id: {} for run_id in ids}
        # Databases limit the number of values in a statement.
        for part in (ids[start : start + 500] for start in range(0, len(ids), 500)):
            these = f"WHERE run_id IN ({', '.join('?' * len(part))})"
            for run_id, key, value in transaction.execute(
                f"SELECT run_id, \"key\", value FROM run_params {these} AND value <> '{LEAF}'",
                part,
            ).fetchall():
                params[run_id][key] = read_param(value)
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
    if "@" in run_id:
        return NotFoundError(
            what=f"{run_id!r} is no run, but may be a model version.",
            fix=f"Find the run of the version with: penstock models {run_id.partition('@')[0]}",
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
    """Return whether a change is an event: a run that waits for the next step began long ago."""
    if run.state is RunState.QUEUED:
        return run.error is not None
    if run.state is RunState.RUNNING:
        return before.started_at is None or before.attempt != run.attempt
    return run.state is not before.state


def _tag_row(run_id: str, key: str, value: str) -> tuple[str, ...]:
    value = clean_text(require_short(value, f"The tag {key[:80]!r}"))
    return run_id, require_label(key, "tag"), value, value[:INDEXED]


def _require_short(fields: Mapping[str, Any]) -> None:
    """Check the fields of a run that people write; each list of runs has them."""
    for name, most in (("name", NAME_BYTES), ("note", TEXT_BYTES)):
        if isinstance(fields.get(name), str):
            require_short(fields[name], f"The {name} of the run", most=most)
