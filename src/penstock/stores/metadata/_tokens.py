"""Tokens, sessions and failed sign-ins: looked up by the digest of a request's secret."""

from collections.abc import Sequence
from datetime import datetime

from penstock.core import (
    FailureRecord,
    GrantRecord,
    NotFoundError,
    Role,
    SessionRecord,
    TokenRecord,
    UserRecord,
    did_you_mean,
)
from penstock.stores.metadata._audit import note_change
from penstock.stores.metadata._codec import RecordTable, clean_text, to_micros
from penstock.stores.metadata._database import Database, Transaction
from penstock.stores.metadata._users import grants_of, load_user

TOKENS = RecordTable(
    "tokens",
    TokenRecord,
    times=("created_at", "expires_at", "used_at", "revoked_at"),
    kinds={"role": Role, "label": (clean_text, str)},
)
SESSIONS = RecordTable("sessions", SessionRecord, times=("created_at", "expires_at", "seen_at"))
FAILURES = RecordTable("sign_in_failures", FailureRecord, times=("at",))
_COUNT_FAILURE = (
    f'{FAILURES.insert} ON CONFLICT ("key") DO UPDATE SET "at" = excluded."at",'
    ' "count" = sign_in_failures."count" + 1'
)
_FAILURE = f"{FAILURES.select} WHERE key = ?"


class SQLTokenStore:
    """TokenStore on SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, token: TokenRecord) -> None:
        """See TokenStore."""
        with self._database.write(durable=True) as transaction:
            load_user(transaction, token.user)
            transaction.execute(TOKENS.insert, TOKENS.row(token))
            facts = {
                "user": token.user,
                "label": token.label,
                "role": None if token.role is None else str(token.role),
                "project": token.project,
                "expires_at": None if token.expires_at is None else token.expires_at.isoformat(),
            }
            note_change(transaction, self._database, "token.create", token.token_id, facts)

    def get(self, token_id: str) -> TokenRecord:
        """See TokenStore."""
        with self._database.read() as transaction:
            return _load(transaction, token_id)

    def find(
        self, digest: str
    ) -> tuple[TokenRecord, tuple[UserRecord, Sequence[GrantRecord]]] | None:
        """See TokenStore."""
        with self._database.read() as transaction:
            row = transaction.execute(f"{TOKENS.select} WHERE digest = ?", (digest,)).fetchone()
            if row is None:
                return None
            token = TOKENS.read(row)
            return token, _owner(transaction, token.user)

    def revoke(self, token_id: str, at: datetime) -> TokenRecord:
        """See TokenStore."""
        with self._database.write(durable=True) as transaction:
            token = _load(transaction, token_id)
            if token.revoked_at is None:
                transaction.execute(
                    "UPDATE tokens SET revoked_at = ? WHERE token_id = ?",
                    (to_micros(at), token_id),
                )
                # What was signed in with the token ends with it.
                transaction.execute("DELETE FROM sessions WHERE token_id = ?", (token_id,))
                facts = {"user": token.user}
                note_change(transaction, self._database, "token.revoke", token_id, facts)
            return _load(transaction, token_id)

    def note_used(self, token_id: str, at: datetime) -> None:
        """See TokenStore."""
        with self._database.write() as transaction:
            transaction.execute(
                "UPDATE tokens SET used_at = ? WHERE token_id = ?", (to_micros(at), token_id)
            )

    def list(self, user: str | None = None) -> list[TokenRecord]:
        """See TokenStore."""
        condition, values = ("", ()) if user is None else (' WHERE "user" = ?', (user,))
        with self._database.read() as transaction:
            rows = transaction.execute(
                f"{TOKENS.select}{condition} ORDER BY created_at, token_id", values
            ).fetchall()
        return [TOKENS.read(row) for row in rows]

    def add_session(self, session: SessionRecord) -> None:
        """See TokenStore."""
        with self._database.write(durable=True) as transaction:
            load_user(transaction, session.user)
            transaction.execute(
                "DELETE FROM sessions WHERE expires_at < ?", (to_micros(session.created_at),)
            )
            transaction.execute(SESSIONS.insert, SESSIONS.row(session))

    def find_session(
        self, digest: str
    ) -> tuple[SessionRecord, tuple[UserRecord, Sequence[GrantRecord]]] | None:
        """See TokenStore."""
        with self._database.read() as transaction:
            row = transaction.execute(f"{SESSIONS.select} WHERE digest = ?", (digest,)).fetchone()
            if row is None:
                return None
            session = SESSIONS.read(row)
            return session, _owner(transaction, session.user)

    def note_session(self, session_id: str, at: datetime) -> None:
        """See TokenStore."""
        with self._database.write() as transaction:
            transaction.execute(
                "UPDATE sessions SET seen_at = ? WHERE session_id = ?", (to_micros(at), session_id)
            )

    def end_sessions(self, user: str, *, session_id: str | None = None) -> int:
        """See TokenStore."""
        sql, values = 'DELETE FROM sessions WHERE "user" = ?', [user]
        if session_id is not None:
            sql, values = f"{sql} AND session_id = ?", [user, session_id]
        with self._database.write(durable=True) as transaction:
            return transaction.execute(sql, values).rowcount

    def end_provider_sessions(self, provider_session: str) -> Sequence[str]:
        """See TokenStore."""
        with self._database.write(durable=True) as transaction:
            rows = transaction.execute(
                f"{SESSIONS.select} WHERE provider_session = ?", (provider_session,)
            ).fetchall()
            transaction.execute(
                "DELETE FROM sessions WHERE provider_session = ?", (provider_session,)
            )
        return sorted({SESSIONS.read(row).user for row in rows})

    def get_failures(self, key: str) -> FailureRecord | None:
        """See TokenStore."""
        with self._database.read() as transaction:
            row = transaction.execute(_FAILURE, (key,)).fetchone()
        return None if row is None else FAILURES.read(row)

    def note_failure(self, key: str, at: datetime, *, forget_before: datetime) -> FailureRecord:
        """See TokenStore."""
        failure = FailureRecord(clean_text(key), 1, at)
        with self._database.write() as transaction:
            transaction.execute(
                "DELETE FROM sign_in_failures WHERE at < ?", (to_micros(forget_before),)
            )
            transaction.execute(_COUNT_FAILURE, FAILURES.row(failure))
            return FAILURES.read(transaction.execute(_FAILURE, (failure.key,)).fetchone())

    def clear_failures(self, key: str) -> None:
        """See TokenStore."""
        with self._database.write() as transaction:
            transaction.execute("DELETE FROM sign_in_failures WHERE key = ?", (key,))


def _owner(transaction: Transaction, user: str) -> tuple[UserRecord, list[GrantRecord]]:
    return load_user(transaction, user), grants_of(transaction, user)


def _load(transaction: Transaction, token_id: str) -> TokenRecord:
    row = transaction.execute(f"{TOKENS.select} WHERE token_id = ?", (token_id,)).fetchone()
    if row is not None:
        return TOKENS.read(row)
    rows = transaction.execute("SELECT token_id FROM tokens").fetchall()
    raise NotFoundError(
        what=f"There is no token {token_id!r}.",
        fix=did_you_mean(token_id, [row[0] for row in rows])
        or "Create one with: penstock tokens create",
        name=token_id,
    )
