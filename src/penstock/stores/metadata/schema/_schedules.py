"""Tables of schedules and ticks."""

from sqlalchemy import Index, Table, text

from penstock.stores.metadata.schema._columns import (
    id_column,
    integer_column,
    key_column,
    metadata,
    text_column,
)

Table(
    "schedules",  # nor are these: a copied store must not run everything twice
    metadata,
    key_column("name"),
    text_column("pipeline"),
    text_column("entry"),
    text_column("trigger"),
    integer_column("created_at"),
    text_column("params"),
    text_column("options"),
    text_column("created_by"),
    integer_column("paused_at", null=True),
    text_column("cursor", null=True),
    integer_column("looked_at", null=True),
    text_column("error", null=True),
    integer_column("revision"),
)
_TICK_GOES_ON = text("state IN ('queued', 'running', 'waiting')")
Table(
    "ticks",
    metadata,
    id_column(),
    text_column("schedule"),
    text_column("key"),
    integer_column("due_at"),
    text_column("state"),
    text_column("facts"),
    text_column("reason"),
    text_column("run_id", null=True),
    integer_column("attempt"),
    text_column("holder", null=True),
    integer_column("until", null=True),
    integer_column("ended_at", null=True),
    text_column("error", null=True),
    Index("one_tick_per_key", "schedule", "key", unique=True),
    Index("ticks_by_time", "schedule", "due_at"),
    Index("ticks_going_on", "state", sqlite_where=_TICK_GOES_ON, postgresql_where=_TICK_GOES_ON),
)
