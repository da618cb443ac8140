"""Users and grants; every change is written to the audit trail in the same transaction."""
# ruff: noqa: S608 - statements are made of our own names; values are always bound

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from penstock.core import (
    ConflictError,
    GrantRecord,
    NotFoundError,
    Role,
    Secret,
    UserRecord,
    did_you_mean,
    hash_password,
    is_password,
    needs_new_hash,
)
from penstock.stores.metadata._audit import note_change
from penstock.stores.metadata._codec import RecordTable, clean_text, to_micros
from penstock.stores.metadata._database import Database, Transaction

USERS = RecordTable(
    "users",
    UserRecord,
    times=("created_at", "disabled_at", "seen_at"),
    kinds={"full_name": (clean_text, str)},
)
GRANTS = RecordTable(
    "grants", GrantRecord, times=("at", "expires_at"), kinds={"role": Role, "source": str}
)
_GRANT = f'{GRANTS.insert} ON CONFLICT ("user", project, role) DO NOTHING'
# A role that an admin gives is the admin's from then on: no claim takes it away.
_OWN = (
    "UPDATE grants SET actor = ?, at = ?, source = '', expires_at = NULL"
    """ WHERE "user" = ? AND project = ? AND role = ? AND source <> ''"""
)
_PROLONG = (
    """UPDATE grants SET at = ?, expires_at = ? WHERE "user" = ? AND project = ? AND role = ?"""
    " AND source = ?"
)
_OF_USER = f'{GRANTS.select} WHERE "user" = ? ORDER BY project, role'


class SQLUserStore:
    """UserStore on SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, user: UserRecord, *, grants: Sequence[GrantRecord] = ()) -> None:
        """See UserStore."""
        with self._database.write(durable=True) as transaction:
            if _find(transaction, user.name) is not None:
                raise ConflictError(
                    what=f"There is a user {user.name!r} already.",
                    fix="Choose a different name, or see: penstock users list",
                    name=user.name,
                )
            self._insert(transaction, user, grants)

    def add_first(self, user: UserRecord, *, grants: Sequence[GrantRecord]) -> bool:
        """See UserStore."""
        with self._database.write(durable=True) as transaction:
            self._database.alone(transaction, "users")
            if transaction.execute("SELECT 1 FROM users LIMIT 1").fetchone() is not None:
                return False
            self._insert(transaction, user, grants)
            return True

    def get(self, name: str) -> UserRecord:
        """See UserStore."""
        with self._database.read() as transaction:
            return load_user(transaction, name)

    def find_subject(self, subject: str) -> UserRecord | None:
        """See UserStore."""
        with self._database.read() as transaction:
            row = transaction.execute(f"{USERS.select} WHERE subject = ?", (subject,)).fetchone()
        return None if row is None else USERS.read(row)

    def update(self, name: str, **changes: Any) -> UserRecord:
        """See UserStore."""
        sets = ", ".join(f'"{field}" = ?' for field in changes)
        values = [USERS.column(field, value) for field, value in changes.items()]
        with self._database.write(durable=True) as transaction:
            found = load_user(transaction, name)
            if not changes:
                return found
            transaction.execute(f"UPDATE users SET {sets} WHERE name = ?", (*values, name))
            facts = {
                field: value if field in {"full_name", "subject"} else value is not None
                for field, value in changes.items()
            }
            note_change(transaction, self._database, "user.change", name, facts)
            return load_user(transaction, name)

    def is_password(self, name: str, password: Secret) -> bool:
        """See UserStore."""
        # Compared here and not in SQL, which refuses some of what people type as a name.
        user = next((user for user in self.list() if user.name == name), None)
        known = None if user is None or user.disabled_at is not None else user.password_hash
        if not is_password(password, known):
            return False
        if known is not None and needs_new_hash(known):
            self.update(name, password_hash=hash_password(password))
        return True

    def note_seen(self, name: str, at: datetime) -> None:
        """See UserStore."""
        with self._database.write() as transaction:
            transaction.execute(
                "UPDATE users SET seen_at = ? WHERE name = ?", (to_micros(at), name)
            )

    def list(self) -> list[UserRecord]:
        """See UserStore."""
        with self._database.read() as transaction:
            rows = transaction.execute(f"{USERS.select} ORDER BY name").fetchall()
        return [USERS.read(row) for row in rows]

    def count(self) -> int:
        """See UserStore."""
        with self._database.read() as transaction:
            return int(transaction.execute("SELECT COUNT(*) FROM users").fetchone()[0])

    def grant(self, grant: GrantRecord) -> None:
        """See UserStore."""
        with self._database.write(durable=True) as transaction:
            load_user(transaction, grant.user)
            self._write_grant(transaction, grant)

    def revoke(self, user: str, project: str, role: Role | None = None) -> None:
        """See UserStore."""
        sql, values = 'DELETE FROM grants WHERE "user" = ? AND project = ?', [user, project]
        if role is not None:
            sql, values = f"{sql} AND role = ?", [*values, str(role)]
        with self._database.write(durable=True) as transaction:
            load_user(transaction, user)
            if not transaction.execute(sql, values).rowcount:
                raise NotFoundError(
                    what=f"{user!r} has no {role or 'role'} in project {project!r}.",
                    fix="See: penstock users list",
                    user=user,
                )
            facts = {"project": project, "role": None if role is None else str(role)}
            note_change(transaction, self._database, "user.revoke", user, facts)

    def replace_grants(self, user: str, source: str, grants: Sequence[GrantRecord]) -> None:
        """See UserStore."""
        wanted = {(grant.project, grant.role): grant for grant in grants}
        with self._database.write(durable=True) as transaction:
            load_user(transaction, user)
            for old in grants_of(transaction, user):
                if old.source and (old.source != source or (old.project, old.role) not in wanted):
                    self._drop_grant(transaction, old)
            for grant in wanted.values():
                self._write_grant(transaction, grant)
                values = (
                    to_micros(grant.at),
                    None if grant.expires_at is None else to_micros(grant.expires_at),
                )
                key = (user, grant.project, str(grant.role), source)
                transaction.execute(_PROLONG, (*values, *key))

    def list_grants(self, user: str | None = None) -> Sequence[GrantRecord]:
        """See UserStore."""
        with self._database.read() as transaction:
            if user is not None:
                return grants_of(transaction, user)
            rows = transaction.execute(f'{GRANTS.select} ORDER BY "user", project, role').fetchall()
        return [GRANTS.read(row) for row in rows]

    def _insert(
        self, transaction: Transaction, user: UserRecord, grants: Sequence[GrantRecord]
    ) -> None:
        transaction.execute(USERS.insert, USERS.row(user))
        facts = {"kind": user.kind} | ({"subject": user.subject} if user.subject else {})
        note_change(transaction, self._database, "user.create", user.name, facts)
        for grant in grants:
            self._write_grant(transaction, grant)

    def _write_grant(self, transaction: Transaction, grant: GrantRecord) -> None:
        changed = transaction.execute(_GRANT, GRANTS.row(grant)).rowcount
        if not changed and not grant.source:
            key = (grant.user, grant.project, str(grant.role))
            values = (grant.actor, to_micros(grant.at), *key)
            changed = transaction.execute(_OWN, values).rowcount
        if changed:
            note_change(transaction, self._database, "user.grant", grant.user, _facts(grant))

    def _drop_grant(self, transaction: Transaction, grant: GrantRecord) -> None:
        transaction.execute(
            'DELETE FROM grants WHERE "user" = ? AND project = ? AND role = ?',
            (grant.user, grant.project, str(grant.role)),
        )
        note_change(transaction, self._database, "user.revoke", grant.user, _facts(grant))


def _facts(grant: GrantRecord) -> dict[str, Any]:
    claimed = {"source": grant.source} if grant.source else {}
    return {"project": grant.project, "role": str(grant.role)} | claimed


def grants_of(transaction: Transaction, user: str) -> list[GrantRecord]:
    """Return the grants of a user."""
    return [GRANTS.read(row) for row in transaction.execute(_OF_USER, (user,)).fetchall()]


def _find(transaction: Transaction, name: str) -> UserRecord | None:
    row = transaction.execute(f"{USERS.select} WHERE name = ?", (name,)).fetchone()
    return None if row is None else USERS.read(row)


def load_user(transaction: Transaction, name: str) -> UserRecord:
    """Return a user; NotFoundError if there is none of that name."""
    user = _find(transaction, name)
    if user is not None:
        return user
    rows = transaction.execute("SELECT name FROM users").fetchall()
    raise NotFoundError(
        what=f"There is no user {name!r}.",
        fix=did_you_mean(name, [row[0] for row in rows]) or "Add one with: penstock users add NAME",
        name=name,
    )
