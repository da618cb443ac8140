"""Schedules and their ticks: due ticks, their holders and their results."""
# ruff: noqa: S608 - statements are made of our own names; values are always bound

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from penstock.core import (
    NotFoundError,
    ScheduleRecord,
    TickRecord,
    TickState,
    did_you_mean,
    now,
)
from penstock.stores._json import dump_json
from penstock.stores.metadata._audit import note_change
from penstock.stores.metadata._codec import RecordTable, clean_text, to_micros
from penstock.stores.metadata._database import Database, Transaction

SCHEDULES = RecordTable(
    "schedules",
    ScheduleRecord,
    times=("created_at", "paused_at", "looked_at"),
    structures=("trigger", "params", "options", "cursor"),
    kinds={"error": (clean_text, str)},
)
TICKS = RecordTable(
    "ticks",
    TickRecord,
    times=("due_at", "until", "ended_at"),
    structures=("facts",),
    kinds={"state": TickState, "error": (clean_text, str)},
)
_SAVE = SCHEDULES.upsert("name")
_ADD_TICK = f"{TICKS.insert} ON CONFLICT (schedule, key) DO NOTHING"
# A holder that is silent for too long is gone, and the tick is free.
_FREE = "(state = 'queued' OR (state = 'running' AND until < ?))"
_CLAIM = (
    "UPDATE ticks SET state = 'running', holder = ?, until = ?, attempt = attempt + 1,"
    f" run_id = COALESCE(run_id, ?) WHERE schedule = ? AND key = ? AND {_FREE}"
)
_WORKED_ON = (
    "SELECT COUNT(*) FROM ticks WHERE schedule = ? AND key <> ? AND state = 'running'"
    " AND until >= ?"
)

_PROGRESS = frozenset({"cursor", "error", "looked_at"})  # what schedulers write


class SQLScheduleStore:
    """ScheduleStore on SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, schedule: ScheduleRecord) -> None:
        """See ScheduleStore."""
        with self._database.write(durable=True) as transaction:
            transaction.execute(_SAVE, SCHEDULES.row(schedule))
            facts = {"pipeline": schedule.pipeline, "trigger": dump_json(schedule.trigger)}
            note_change(transaction, self._database, "schedule.save", schedule.name, facts)

    def get(self, name: str) -> ScheduleRecord:
        """See ScheduleStore."""
        with self._database.read() as transaction:
            return _load(transaction, name)

    def delete(self, name: str) -> None:
        """See ScheduleStore."""
        with self._database.write(durable=True) as transaction:
            _load(transaction, name)
            transaction.execute("DELETE FROM ticks WHERE schedule = ?", (name,))
            transaction.execute("DELETE FROM schedules WHERE name = ?", (name,))
            note_change(transaction, self._database, "schedule.delete", name)

    def advance(
        self, name: str, *, expected_revision: int, ticks: Sequence[TickRecord] = (), **changes: Any
    ) -> bool:
        """See ScheduleStore."""
        sets = "".join(f', "{field}" = ?' for field in changes)
        values = [SCHEDULES.column(field, value) for field, value in changes.items()]
        with self._database.write() as transaction:
            moved = transaction.execute(
                f"UPDATE schedules SET revision = revision + 1{sets}"
                " WHERE name = ? AND revision = ?",
                (*values, name, expected_revision),
            ).rowcount
            if moved:
                transaction.executemany(_ADD_TICK, [TICKS.row(tick) for tick in ticks])
                if changes.keys() - _PROGRESS:  # by someone, and not by a scheduler's look
                    facts = {field: value is not None for field, value in changes.items()}
                    note_change(transaction, self._database, "schedule.change", name, facts)
        return moved > 0

    def add_tick(self, tick: TickRecord) -> bool:
        """See ScheduleStore."""
        with self._database.write(durable=True) as transaction:
            return transaction.execute(_ADD_TICK, TICKS.row(tick)).rowcount > 0

    def list_ticks(
        self,
        schedule: str | None = None,
        *,
        states: Collection[TickState] | None = None,
        limit: int = 100,
    ) -> list[TickRecord]:
        """See ScheduleStore."""
        wanted, values = ["1 = 1"], list[Any]()
        if schedule is not None:
            wanted.append("schedule = ?")
            values.append(schedule)
        if states is not None:
            wanted.append(f"state IN ({', '.join('?' * len(states))})")
            values += [str(state) for state in states]
        with self._database.read() as transaction:
            rows = transaction.execute(
                f"{TICKS.select} WHERE {' AND '.join(wanted)}"
                " ORDER BY due_at DESC, id DESC LIMIT ?",
                (*values, limit),
            ).fetchall()
        return [TICKS.read(row) for row in rows]

    def claim_tick(
        self, tick: TickRecord, *, holder: str, until: datetime, run_id: str, max_active: int
    ) -> TickRecord | None:
        """See ScheduleStore."""
        moment = to_micros(now())
        of = (tick.schedule, tick.key)
        with self._database.write(durable=True) as transaction:
            self._database.alone(transaction, f"schedule:{tick.schedule}")
            others = transaction.execute(_WORKED_ON, (*of, moment)).fetchone()[0]
            if others >= max_active:
                return None
            claim = (holder, to_micros(until), run_id, *of, moment)
            if not transaction.execute(_CLAIM, claim).rowcount:
                return None
            row = transaction.execute(
                f"{TICKS.select} WHERE schedule = ? AND key = ?", of
            ).fetchone()
        return TICKS.read(row)

    def update_tick(self, tick: TickRecord, *, held_by: str | None, **changes: Any) -> bool:
        """See ScheduleStore."""
        sets = ", ".join(f'"{field}" = ?' for field in changes) or '"state" = "state"'
        values = [TICKS.column(field, value) for field, value in changes.items()]
        held = "holder IS NULL" if held_by is None else "holder = ?"
        with self._database.write() as transaction:
            return (
                transaction.execute(
                    f"UPDATE ticks SET {sets} WHERE schedule = ? AND key = ? AND {held}",
                    (*values, tick.schedule, tick.key, *(() if held_by is None else (held_by,))),
                ).rowcount
                > 0
            )

    def list(self) -> list[ScheduleRecord]:
        """See ScheduleStore."""
        with self._database.read() as transaction:
            rows = transaction.execute(f"{SCHEDULES.select} ORDER BY name").fetchall()
        return [SCHEDULES.read(row) for row in rows]


def _load(transaction: Transaction, name: str) -> ScheduleRecord:
    row = transaction.execute(f"{SCHEDULES.select} WHERE name = ?", (name,)).fetchone()
    if row is not None:
        return SCHEDULES.read(row)
    rows = transaction.execute("SELECT name FROM schedules").fetchall()
    raise NotFoundError(
        what=f"There is no schedule {name!r}.",
        fix=did_you_mean(name, [row[0] for row in rows])
        or "Create one with: penstock schedule add",
        name=name,
    )
