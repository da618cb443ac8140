"""Tables of runs, their parameters and tags, and experiments."""

from sqlalchemy import Column, Index, Table, text

from penstock.stores.metadata.schema._columns import (
    ByteText,
    id_column,
    integer_column,
    key_column,
    metadata,
    number_column,
    run_column,
    start_column,
    text_column,
)

Table(
    "runs",
    metadata,
    id_column(),
    Column("run_id", ByteText, nullable=False, unique=True),
    text_column("name"),
    text_column("experiment"),
    text_column("pipeline", null=True),
    text_column("entry", null=True),
    text_column("state"),
    text_column("seed"),
    integer_column("created_at"),
    integer_column("attempt"),
    text_column("parent_run_id", null=True),
    integer_column("started_at", null=True),
    integer_column("ended_at", null=True),
    integer_column("heartbeat_at", null=True),
    text_column("host"),
    integer_column("pid"),
    number_column("pid_started"),
    text_column("user"),
    text_column("error", null=True),
    text_column("provenance", null=True),
    text_column("graph", null=True),
    text_column("note"),
    # From version 0002 on: a column that a migration adds comes last.
    Column("group", ByteText, nullable=False, server_default=""),
    text_column("forked_from", null=True),
    number_column("forked_at", null=True),
    integer_column("archived_at", null=True),
    integer_column("deleted_at", null=True),
    Column("process", ByteText, nullable=False, server_default=""),
    integer_column("presumed_at", null=True),
    Column("missed", ByteText, nullable=False, server_default="[]"),
    Index("runs_by_time", "created_at"),
    Index("runs_by_experiment", "experiment", "created_at"),
    Index("runs_by_state", "state", "created_at"),
    Index("runs_by_parent", "parent_run_id"),
    Index(
        "runs_alive",
        "state",
        sqlite_where=text("state IN ('queued', 'running')"),
        postgresql_where=text("state IN ('queued', 'running')"),
    ),
)
Table(
    "run_params",
    metadata,
    run_column(key=True),
    key_column("key"),
    text_column("value"),  # JSON with types
    text_column("text"),  # as people write it, for search
    number_column("number", null=True),  # for search by size
    start_column(),
    Index("run_params_by_text", "key", "start"),
    Index("run_params_by_number", "key", "number"),
    sqlite_with_rowid=False,
)
Table(
    "run_tags",
    metadata,
    run_column(key=True),
    key_column("key"),
    text_column("value"),
    start_column(),
    Index("run_tags_by_value", "key", "start"),
    sqlite_with_rowid=False,
)
Table(
    "experiments",
    metadata,
    key_column("name"),
    integer_column("created_at"),
    text_column("note"),
    integer_column("archived_at", null=True),
    integer_column("deleted_at", null=True),
)
Table(
    "experiment_tags",
    metadata,
    key_column("experiment"),
    key_column("key"),
    text_column("value"),
    sqlite_with_rowid=False,
)
