"""Tables of webhooks and undelivered events."""

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
    "hooks",
    metadata,
    key_column("name"),
    text_column("url"),
    text_column("form"),
    text_column("secret", null=True),
    text_column("events"),
    integer_column("created_at"),
    integer_column("paused_at", null=True),
    integer_column("delivered"),
    integer_column("delivered_at", null=True),
    text_column("error", null=True),
)
Table(
    "outbox",
    metadata,
    id_column(),
    Column("event_id", ByteText, nullable=False, unique=True),
    text_column("hook"),
    text_column("kind"),
    text_column("run_id"),
    integer_column("at"),
    integer_column("due_at"),
    text_column("step", null=True),
    text_column("step_run_id", null=True),
    text_column("facts"),
    integer_column("attempts"),
    text_column("state"),
    text_column("error", null=True),
    Index("outbox_by_hook", "hook", "state", "id"),
)
