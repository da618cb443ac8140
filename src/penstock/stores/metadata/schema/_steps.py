"""Tables of step runs, their logs and decisions, and leases on limited resources."""

from sqlalchemy import BigInteger, Column, Index, Table, text

from penstock.stores.metadata.schema._columns import (
    ByteText,
    flag_column,
    id_column,
    integer_column,
    key_column,
    metadata,
    run_column,
    text_column,
)

Table(
    "step_runs",
    metadata,
    id_column(),
    Column("step_run_id", ByteText, nullable=False, unique=True),
    run_column(),
    text_column("step"),
    integer_column("position"),
    text_column("state"),
    text_column("key", null=True),
    text_column("seed"),
    integer_column("attempt"),
    integer_column("started_at", null=True),
    integer_column("ended_at", null=True),
    text_column("inputs"),
    text_column("outputs"),
    text_column("addresses"),
    text_column("error", null=True),
    text_column("traceback", null=True),
    text_column("cached_from", null=True),
    text_column("facts"),
    Index("step_runs_by_run", "run_id", "position"),
    Index(
        "step_runs_by_key",
        "key",
        sqlite_where=text("state = 'finished' AND key IS NOT NULL"),
        postgresql_where=text("state = 'finished' AND key IS NOT NULL"),
    ),
)
Table(
    "step_logs",
    metadata,
    id_column(),
    text_column("step_run_id"),
    integer_column("time"),
    text_column("stream"),
    text_column("text"),
    Index("step_logs_by_step", "step_run_id"),
)
Table(
    "step_decisions",
    metadata,
    id_column(),
    run_column(),
    text_column("step"),
    flag_column("approved"),
    text_column("actor"),
    text_column("reason"),
    integer_column("at"),
    Index("step_decisions_by_run", "run_id"),
)
Table(
    "leases",  # not copied: they describe current work
    metadata,
    key_column("name"),
    Column("slot", BigInteger, primary_key=True, autoincrement=False),
    text_column("holder"),
    integer_column("until"),
)
