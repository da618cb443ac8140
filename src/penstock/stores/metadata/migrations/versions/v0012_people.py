"""Users, grants, tokens, sessions, projects, the audit trail; approvals bound to evidence.

Revision ID: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
# Text is ordered by its bytes, as in SQLite, whatever language the database speaks.
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_AUTO_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add the tables and the columns of approvals; there are no users in an existing store."""
    _create_users()
    _create_tokens()
    _create_audit()
    for column in ("version_digest", "gates_digest"):
        op.add_column("approvals", sa.Column(column, _TEXT, nullable=True))
    op.add_column("approvals", sa.Column("expires_at", sa.BigInteger(), nullable=True))
    op.add_column("approvals", sa.Column("attested", _TEXT, nullable=False, server_default=""))


def _create_users() -> None:
    op.create_table(
        "users",
        _key("name"),
        _number("created_at"),
        _text("kind"),
        _text("full_name"),
        _text("password_hash", null=True),
        _text("subject", null=True),
        _number("disabled_at", null=True),
        _number("seen_at", null=True),
    )
    op.create_index("users_by_subject", "users", ["subject"], unique=True)
    op.create_table(
        "grants",
        _key("user"),
        _key("project"),
        _key("role"),
        _text("actor"),
        _number("at"),
        sqlite_with_rowid=False,
    )
    op.create_table("projects", _key("name"), _text("names"), _number("created_at"), _text("note"))


def _create_tokens() -> None:
    op.create_table(
        "tokens",
        _key("token_id"),
        _text("user"),
        _text("digest"),
        _number("created_at"),
        _text("label"),
        _text("role", null=True),
        _text("project"),
        _number("expires_at", null=True),
        _number("used_at", null=True),
        _number("revoked_at", null=True),
    )
    op.create_index("tokens_by_digest", "tokens", ["digest"], unique=True)
    op.create_table(
        "sessions",
        _key("session_id"),
        _text("user"),
        _text("digest"),
        _number("created_at"),
        _number("expires_at"),
        _number("seen_at"),
        _text("address"),
        _text("token_id", null=True),
    )
    op.create_index("sessions_by_digest", "sessions", ["digest"], unique=True)
    op.create_table("sign_in_failures", _key("key"), _number("count"), _number("at"))


def _create_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", _AUTO_ID, primary_key=True, autoincrement=True),
        _number("at"),
        _text("actor"),
        _text("action"),
        _text("subject"),
        _text("facts"),
        _text("attested"),
        _text("hash"),
    )
    op.create_index("audit_by_subject", "audit", ["subject", "id"])


def _key(name: str) -> "sa.Column[str]":
    return sa.Column(name, _TEXT, primary_key=True, nullable=False)


def _text(name: str, *, null: bool = False) -> "sa.Column[str]":
    return sa.Column(name, _TEXT, nullable=null)


def _number(name: str, *, null: bool = False) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger(), nullable=null)
