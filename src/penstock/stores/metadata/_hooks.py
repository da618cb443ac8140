"""Webhooks, and the events that each has not received yet."""
# ruff: noqa: S608 - statements are made of our own names; values are always bound

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from penstock.core import (
    EventRecord,
    EventState,
    HookRecord,
    NotFoundError,
    did_you_mean,
    now,
)
from penstock.stores._json import dump_json, load_json
from penstock.stores.metadata._audit import note_change
from penstock.stores.metadata._codec import RecordTable, clean_text, to_micros
from penstock.stores.metadata._database import Database, Transaction
from penstock.stores.metadata._outbox import EVENTS, Outbox

HOOKS = RecordTable(
    "hooks",
    HookRecord,
    times=("created_at", "paused_at", "delivered_at"),
    kinds={
        "events": (lambda events: dump_json(list(events)), lambda text: tuple(load_json(text))),
        "error": (clean_text, str),
    },
)
_SAVE = HOOKS.upsert("name", keep=("delivered", "delivered_at"))


class SQLHookStore:
    """HookStore on SQL."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database, self._outbox = database, outbox

    def save(self, hook: HookRecord) -> None:
        """See HookStore."""
        with self._database.write(durable=True) as transaction:
            transaction.execute(_SAVE, HOOKS.row(hook))
            # The host alone: the addresses of some services are secrets themselves.
            host = urlsplit(hook.url).hostname or ""
            facts = {"host": host, "form": hook.form, "events": ", ".join(hook.events)}
            note_change(transaction, self._database, "hook.save", hook.name, facts)
        self._outbox.forget()

    def get(self, name: str) -> HookRecord:
        """See HookStore."""
        with self._database.read() as transaction:
            return _load(transaction, name)

    def delete(self, name: str) -> None:
        """See HookStore."""
        with self._database.write(durable=True) as transaction:
            _load(transaction, name)
            transaction.execute("DELETE FROM outbox WHERE hook = ?", (name,))
            transaction.execute("DELETE FROM hooks WHERE name = ?", (name,))
            note_change(transaction, self._database, "hook.delete", name)
        self._outbox.forget()

    def list_events(
        self,
        hook: str,
        *,
        state: EventState = EventState.PENDING,
        due: datetime | None = None,
        limit: int = 100,
    ) -> list[EventRecord]:
        """See HookStore."""
        wanted, values = ["hook = ?", "state = ?"], list[Any]([hook, str(state)])
        if due is not None:
            wanted.append("due_at <= ?")
            values.append(to_micros(due))
        with self._database.read() as transaction:
            rows = transaction.execute(
                f"{EVENTS.select} WHERE {' AND '.join(wanted)} ORDER BY id LIMIT ?",
                (*values, limit),
            ).fetchall()
        return [EVENTS.read(row) for row in rows]

    def count_events(self) -> dict[str, dict[str, int]]:
        """See HookStore."""
        with self._database.read() as transaction:
            rows = transaction.execute(
                "SELECT hook, state, COUNT(*) FROM outbox GROUP BY hook, state"
            ).fetchall()
        counts: dict[str, dict[str, int]] = {}
        for hook, state, number in rows:
            counts.setdefault(hook, {})[state] = number
        return counts

    def drop_events(self, hook: str, event_ids: Sequence[str], *, delivered: bool) -> None:
        """See HookStore."""
        with self._database.write() as transaction:
            transaction.executemany(
                "DELETE FROM outbox WHERE event_id = ?", [(event,) for event in event_ids]
            )
            if delivered:
                transaction.execute(
                    "UPDATE hooks SET delivered = delivered + ?, delivered_at = ?, error = NULL"
                    " WHERE name = ?",
                    (len(event_ids), to_micros(now()), hook),
                )
            else:
                facts = {"events": len(event_ids)}
                note_change(transaction, self._database, "hook.drop_events", hook, facts)

    def update_event(self, event_id: str, **changes: Any) -> None:
        """See HookStore."""
        if not changes:
            return
        sets = ", ".join(f'"{field}" = ?' for field in changes)
        values = [EVENTS.column(field, value) for field, value in changes.items()]
        with self._database.write() as transaction:
            transaction.execute(f"UPDATE outbox SET {sets} WHERE event_id = ?", (*values, event_id))
            if "error" in changes:
                transaction.execute(
                    "UPDATE hooks SET error = ? WHERE name ="
                    " (SELECT hook FROM outbox WHERE event_id = ?)",
                    (EVENTS.column("error", changes["error"]), event_id),
                )

    def list(self) -> list[HookRecord]:
        """See HookStore."""
        with self._database.read() as transaction:
            rows = transaction.execute(f"{HOOKS.select} ORDER BY name").fetchall()
        return [HOOKS.read(row) for row in rows]


def _load(transaction: Transaction, name: str) -> HookRecord:
    row = transaction.execute(f"{HOOKS.select} WHERE name = ?", (name,)).fetchone()
    if row is not None:
        return HOOKS.read(row)
    rows = transaction.execute("SELECT name FROM hooks").fetchall()
    raise NotFoundError(
        what=f"There is no webhook {name!r}.",
        fix=did_you_mean(name, [row[0] for row in rows])
        or "Create one with: penstock webhooks add",
        name=name,
    )
