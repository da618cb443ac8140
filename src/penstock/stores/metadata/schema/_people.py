"""Tables of users, grants, tokens, sessions, failed sign-ins, projects and the audit trail."""

from sqlalchemy import Column, Index, Table

from penstock.stores.metadata.schema._columns import (
    ByteText,
    id_column,
    integer_column,
    key_column,
    metadata,
    text_column,
)

Table(
    "users",
    metadata,
    key_column("name"),
    integer_column("created_at"),
    text_column("kind"),
    text_column("full_name"),
    text_column("password_hash", null=True),
    text_column("subject", null=True),
    integer_column("disabled_at", null=True),
    integer_column("seen_at", null=True),
    Index("users_by_subject", "subject", unique=True),
)
Table(
    "grants",
    metadata,
    key_column("user"),
    key_column("project"),
    key_column("role"),
    text_column("actor"),
    integer_column("at"),
    Column("source", ByteText, nullable=False, server_default=""),
    integer_column("expires_at", null=True),
    sqlite_with_rowid=False,
)
Table(
    "projects",
    metadata,
    key_column("name"),
    text_column("names"),
    integer_column("created_at"),
    text_column("note"),
)
Table(
    "tokens",
    metadata,
    key_column("token_id"),
    text_column("user"),
    text_column("digest"),
    integer_column("created_at"),
    text_column("label"),
    text_column("role", null=True),
    text_column("project"),
    integer_column("expires_at", null=True),
    integer_column("used_at", null=True),
    integer_column("revoked_at", null=True),
    Index("tokens_by_digest", "digest", unique=True),
)
Table(
    "sessions",
    metadata,
    key_column("session_id"),
    text_column("user"),
    text_column("digest"),
    integer_column("created_at"),
    integer_column("expires_at"),
    integer_column("seen_at"),
    text_column("address"),
    text_column("token_id", null=True),
    Column("provider_session", ByteText, nullable=False, server_default=""),
    Index("sessions_by_digest", "digest", unique=True),
    Index("sessions_by_provider", "provider_session"),
)
Table(
    "sign_in_failures",
    metadata,
    key_column("key"),
    integer_column("count"),
    integer_column("at"),
)
Table(
    "audit",
    metadata,
    id_column(),
    integer_column("at"),
    text_column("actor"),
    text_column("action"),
    text_column("subject"),
    text_column("facts"),
    text_column("attested"),
    text_column("hash"),
    Index("audit_by_subject", "subject", "id"),
)
