"""Schedules with their ticks; webhooks with their undelivered events.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

# Text is ordered by its bytes, as in SQLite, whatever language the database speaks.
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_AUTO_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _text(name: str, *, null: bool = False) -> "sa.Column[str]":
    return sa.Column(name, _TEXT, nullable=null)


def _integer(name: str, *, null: bool = False) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger(), nullable=null)


def upgrade() -> None:
    """Create the four tables."""
    _schedules()
    _hooks()


def _schedules() -> None:
    op.create_table(
        "schedules",
        _text("name"),
        _text("pipeline"),
        _text("entry"),
        _text("trigger"),
        _integer("created_at"),
        _text("params"),
        _text("options"),
        _text("created_by"),
        _integer("paused_at", null=True),
        _text("cursor", null=True),
        _integer("looked_at", null=True),
        _text("error", null=True),
        _integer("revision"),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "ticks",
        sa.Column("id", _AUTO_ID, autoincrement=True, nullable=False),
        _text("schedule"),
        _text("key"),
        _integer("due_at"),
        _text("state"),
        _text("facts"),
        _text("reason"),
        _text("run_id", null=True),
        _integer("attempt"),
        _text("holder", null=True),
        _integer("until", null=True),
        _integer("ended_at", null=True),
        _text("error", null=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("one_tick_per_key", "ticks", ["schedule", "key"], unique=True)
    op.create_index("ticks_by_time", "ticks", ["schedule", "due_at"])
    going_on = sa.text("state IN ('queued', 'running', 'waiting')")
    op.create_index(
        "ticks_going_on",
        "ticks",
        ["state"],
        sqlite_where=going_on,
        postgresql_where=going_on,
    )


def _hooks() -> None:
    op.create_table(
        "hooks",
        _text("name"),
        _text("url"),
        _text("form"),
        _text("secret", null=True),
        _text("events"),
        _integer("created_at"),
        _integer("paused_at", null=True),
        _integer("delivered"),
        _integer("delivered_at", null=True),
        _text("error", null=True),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "outbox",
        sa.Column("id", _AUTO_ID, autoincrement=True, nullable=False),
        _text("event_id"),
        _text("hook"),
        _text("kind"),
        _text("run_id"),
        _integer("at"),
        _integer("due_at"),
        _text("step", null=True),
        _text("step_run_id", null=True),
        _text("facts"),
        _integer("attempts"),
        _text("state"),
        _text("error", null=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("event_id"),
    )
    op.create_index("outbox_by_hook", "outbox", ["hook", "state", "id"])
