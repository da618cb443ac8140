"""The audit trail: each record is written with the change and chained to the record before."""
# ruff: noqa: S608 - statements are made of our own names; values are always bound

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from penstock.core import AuditRecord, current_actor, current_identity, digest_json, now, redact
from penstock.stores._json import load_json
from penstock.stores.metadata._codec import RecordTable, clean_text, from_micros, to_micros
from penstock.stores.metadata._database import Database, Transaction

AUDIT = RecordTable("audit", AuditRecord, times=("at",), structures=("facts",))
_PAGE = 1000
_TEXTS = ("actor", "action", "subject", "attested")


def note_change(
    transaction: Transaction,
    database: Database,
    action: str,
    subject: str,
    facts: Mapping[str, Any] | None = None,
    *,
    actor: str | None = None,
) -> None:
    """Write the actor of this transaction: the signed-in user, or the process's user.

    Args:
        transaction: The transaction of the change.
        database: The transaction's database.
        action: Noun and verb, such as ``user.create``.
        subject: Name of the changed thing.
        facts: Further facts.
        actor: Actor of the change, where no identity is known.
    """
    identity = current_identity()
    who = identity.actor if identity else actor or current_actor()
    attested = identity.attested if identity else ""
    record = AuditRecord(now(), who, action, subject, dict(facts or {}), attested)
    _append(transaction, database, record)


def audit_hash(previous: str, record: AuditRecord) -> str:
    """Compute the digest of a record together with the hash of the record before.

    Args:
        previous: Hash of the record before; empty for the first.
        record: The record; the record's ``hash`` does not count.
    """
    return digest_json(
        [
            previous,
            to_micros(record.at),
            record.actor,
            record.action,
            record.subject,
            record.facts,
            record.attested,
        ]
    )


class SQLAuditStore:
    """AuditStore on SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, record: AuditRecord) -> AuditRecord:
        """See AuditStore."""
        with self._database.write(durable=True) as transaction:
            return _append(transaction, self._database, record)

    def list(
        self,
        *,
        subject: str | None = None,
        actor: str | None = None,
        since: datetime | None = None,
        limit: int = 100,
    ) -> list[AuditRecord]:
        """See AuditStore."""
        wanted, values = ["1 = 1"], list[Any]()
        since_us = None if since is None else to_micros(since)
        for text, value in (("subject = ?", subject), ("actor = ?", actor), ("at >= ?", since_us)):
            if value is not None:
                wanted.append(text)
                values.append(value)
        with self._database.read() as transaction:
            rows = transaction.execute(
                f"{AUDIT.select} WHERE {' AND '.join(wanted)} ORDER BY id DESC LIMIT ?",
                (*values, limit),
            ).fetchall()
        return [AUDIT.read(row) for row in rows]

    def verify(self) -> int | None:
        """See AuditStore."""
        previous, position, last = "", 0, 0
        sql = f"SELECT id, {AUDIT.columns} FROM audit WHERE id > ? ORDER BY id LIMIT {_PAGE}"
        with self._database.read() as transaction:
            while rows := transaction.execute(sql, (last,)).fetchall():
                for number, *row in rows:
                    record = _read_or_none(row)
                    if record is None or record.hash != audit_hash(previous, record):
                        return position
                    previous, last, position = record.hash, number, position + 1
        return None


def _read_or_none(row: Any) -> AuditRecord | None:
    """Read a row; None if its facts are no JSON, which penstock never writes."""
    try:
        at, actor, action, subject, facts, attested, seal = row
        return AuditRecord(
            from_micros(at), actor, action, subject, load_json(facts), attested, seal
        )
    except ValueError:
        return None


def _append(transaction: Transaction, database: Database, record: AuditRecord) -> AuditRecord:
    database.alone(transaction, "audit")
    row = transaction.execute("SELECT hash FROM audit ORDER BY id DESC LIMIT 1").fetchone()
    facts = {name: _plain(value) for name, value in record.facts.items()}
    # As the database will have them: a digest of anything else would look like a later change.
    texts: dict[str, Any] = {name: clean_text(getattr(record, name)) for name in _TEXTS}
    record = replace(record, **texts, facts=facts)
    record = replace(record, hash=audit_hash(row[0] if row else "", record))
    transaction.execute(AUDIT.insert, AUDIT.row(record))
    return record


def _plain(value: Any) -> Any:
    """Return a fact without secrets."""
    if isinstance(value, str):
        return clean_text(redact(value))
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value if value is None or isinstance(value, bool | int | float) else str(value)
