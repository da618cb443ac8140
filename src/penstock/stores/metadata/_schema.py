"""The tables, database-neutral; separate because only creation and migrations need SQLAlchemy.

Times are whole microseconds since 1970 (exact, sortable, the same in every database); structures
are JSON text (see penstock.stores._json); NaN is NULL. Importing SQLAlchemy takes 0.2 s, so the
statements of daily work are plain SQL for both SQLite and PostgreSQL, and a fresh
SQLite store is made from ``fresh_sqlite.sql``, which `fresh_sqlite` writes and a test compares.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

metadata = MetaData()
# Text is ordered by its bytes, as in SQLite, whatever language the database speaks.
_Text = Text().with_variant(Text(collation="C"), "postgresql")
_AutoId = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts only INTEGER keys


def _id() -> Column[int]:
    return Column("id", _AutoId, primary_key=True, autoincrement=True)


def _text(name: str, *, null: bool = False) -> Column[str]:
    return Column(name, _Text, nullable=null)


def _integer(name: str, *, null: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=null)


def _number(name: str, *, null: bool = False) -> Column[float]:
    return Column(name, Float(53), nullable=null)


def _start() -> Column[str]:
    # The beginning of a text is enough for an index, and PostgreSQL refuses long entries.
    return Column("start", _Text, nullable=False, server_default="")


def _bytes(name: str) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=False)


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False)


def _key(name: str) -> Column[str]:
    return Column(name, _Text, primary_key=True)


def _run(*, key: bool = False, null: bool = False) -> Column[str]:
    target = ForeignKey("runs.run_id", ondelete="CASCADE")
    return Column("run_id", _Text, target, primary_key=key, nullable=null and not key)


Table(
    "runs",
    metadata,
    _id(),
    Column("run_id", _Text, nullable=False, unique=True),
    _text("name"),
    _text("experiment"),
    _text("pipeline", null=True),
    _text("entry", null=True),
    _text("state"),
    _text("seed"),
    _integer("created_at"),
    _integer("attempt"),
    _text("parent_run_id", null=True),
    _integer("started_at", null=True),
    _integer("ended_at", null=True),
    _integer("heartbeat_at", null=True),
    _text("host"),
    _integer("pid"),
    _number("pid_started"),
    _text("user"),
    _text("error", null=True),
    _text("provenance", null=True),
    _text("graph", null=True),
    _text("note"),
    # From version 0002 on: a column that a migration adds comes last.
    Column("group", _Text, nullable=False, server_default=""),
    _text("forked_from", null=True),
    _number("forked_at", null=True),
    _integer("archived_at", null=True),
    _integer("deleted_at", null=True),
    Column("process", _Text, nullable=False, server_default=""),
    _integer("presumed_at", null=True),
    Column("missed", _Text, nullable=False, server_default="[]"),
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
    _run(key=True),
    _key("key"),
    _text("value"),  # JSON with types
    _text("text"),  # as people write it, for search
    _number("number", null=True),  # for search by size
    _start(),
    Index("run_params_by_text", "key", "start"),
    Index("run_params_by_number", "key", "number"),
    sqlite_with_rowid=False,
)
Table(
    "run_tags",
    metadata,
    _run(key=True),
    _key("key"),
    _text("value"),
    _start(),
    Index("run_tags_by_value", "key", "start"),
    sqlite_with_rowid=False,
)
Table(
    "metric_summaries",
    metadata,
    _run(key=True),
    _key("key"),
    _number("first", null=True),
    _number("last", null=True),
    _number("min", null=True),
    _number("max", null=True),
    _integer("count"),
    _number("last_step"),
    Column("last_time", BigInteger, nullable=False, server_default="0"),
    Index("metric_summaries_by_value", "key", "last"),
    sqlite_with_rowid=False,
)
Table(
    "metric_chunks",
    metadata,
    _key("run_id"),
    _key("key"),
    Column("chunk_id", BigInteger, primary_key=True, autoincrement=False),
    _integer("count"),
    _bytes("points"),  # compressed columns, see _chunks
    _bytes("outline"),  # the extremes of each stretch, for charts
    sqlite_with_rowid=False,
    postgresql_partition_by="HASH (run_id)",  # into sixteen, see migration 0002
)
# The position up to which a journal is stored: written with the points, so that none counts twice.
Table("journals", metadata, _key("journal"), _integer("position"), _integer("at"))
Table(
    "experiments",
    metadata,
    _key("name"),
    _integer("created_at"),
    _text("note"),
    _integer("archived_at", null=True),
    _integer("deleted_at", null=True),
)
Table(
    "experiment_tags",
    metadata,
    _key("experiment"),
    _key("key"),
    _text("value"),
    sqlite_with_rowid=False,
)
Table(
    "step_runs",
    metadata,
    _id(),
    Column("step_run_id", _Text, nullable=False, unique=True),
    _run(),
    _text("step"),
    _integer("position"),
    _text("state"),
    _text("key", null=True),
    _text("seed"),
    _integer("attempt"),
    _integer("started_at", null=True),
    _integer("ended_at", null=True),
    _text("inputs"),
    _text("outputs"),
    _text("addresses"),
    _text("error", null=True),
    _text("traceback", null=True),
    _text("cached_from", null=True),
    _text("facts"),
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
    _id(),
    _text("step_run_id"),
    _integer("time"),
    _text("stream"),
    _text("text"),
    Index("step_logs_by_step", "step_run_id"),
)
Table(
    "artifacts",
    metadata,
    # The same bytes can be two values: b'1' and the number 1. The content digest distinguishes
    # them.
    _key("digest"),
    _key("content_digest"),
    _text("format"),
    _text("type_name"),
    _integer("size_bytes"),
    _integer("created_at"),
    _flag("unsafe"),
    Column("inline", LargeBinary, nullable=True),
    _text("metadata"),
    Index("artifacts_by_content", "content_digest"),
)
Table(
    "run_artifacts",
    metadata,
    _run(key=True),
    _key("name"),
    _text("digest"),
    _text("content_digest"),
    _integer("at"),
    sqlite_with_rowid=False,
)
Table(
    "edges",
    metadata,
    _key("source"),
    _key("target"),
    _key("role"),
    Index("edges_by_target", "target", "source", "role"),
    sqlite_with_rowid=False,
)
Table(
    "snapshots",
    metadata,
    _id(),
    _text("source"),
    _text("run_id", null=True),
    _integer("at"),
    _text("schema"),
    _text("ordered_digest"),
    _text("order_free_digest"),
    _integer("rows"),
    Column("read", _Text, nullable=False, server_default="{}"),
    Index("snapshots_by_source", "source", "id"),
)
Table(
    "proofs",
    metadata,
    _id(),
    _run(),
    _text("kind"),
    _text("verdict"),
    _integer("at"),
    _text("details"),
    Index("proofs_by_run", "run_id"),
)
Table(
    "step_decisions",
    metadata,
    _id(),
    _run(),
    _text("step"),
    _flag("approved"),
    _text("decided_by"),
    _text("reason"),
    _integer("at"),
    Index("step_decisions_by_run", "run_id"),
)
Table(
    "leases",  # not copied: they describe current work
    metadata,
    _key("name"),
    Column("slot", BigInteger, primary_key=True, autoincrement=False),
    _text("holder"),
    _integer("until"),
)
Table(
    "schedules",  # nor are these: a copied store must not run everything twice
    metadata,
    _key("name"),
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
)
_TICK_GOES_ON = text("state IN ('queued', 'running', 'waiting')")
Table(
    "ticks",
    metadata,
    _id(),
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
    Index("one_tick_per_key", "schedule", "key", unique=True),
    Index("ticks_by_time", "schedule", "due_at"),
    Index("ticks_going_on", "state", sqlite_where=_TICK_GOES_ON, postgresql_where=_TICK_GOES_ON),
)
Table(
    "hooks",
    metadata,
    _key("name"),
    _text("url"),
    _text("form"),
    _text("secret", null=True),
    _text("events"),
    _integer("created_at"),
    _integer("paused_at", null=True),
    _integer("delivered"),
    _integer("delivered_at", null=True),
    _text("error", null=True),
)
Table(
    "outbox",
    metadata,
    _id(),
    Column("event_id", _Text, nullable=False, unique=True),
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
    Index("outbox_by_hook", "hook", "state", "id"),
)
Table("models", metadata, _key("model"), _integer("created_at"), _text("note"))
Table(
    "model_tags",
    metadata,
    _key("model"),
    _key("key"),
    _text("value"),
    sqlite_with_rowid=False,
)
Table(
    "version_tags",
    metadata,
    _key("model"),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    _key("key"),
    _text("value"),
    sqlite_with_rowid=False,
)
Table(
    "version_metrics",
    metadata,
    _key("model"),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    _key("key"),
    _number("value", null=True),
    sqlite_with_rowid=False,
)
Table(
    "model_versions",
    metadata,
    _key("model"),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    _text("stage"),
    _text("run_id", null=True),
    _text("trained_by"),
    _text("artifact"),
    _text("content_digest"),
    _integer("created_at"),
    _text("report", null=True),
    _text("profile", null=True),
    _text("signature"),
    _text("metrics"),
    _text("gates"),
    _text("card", null=True),
    _integer("revision"),
    _text("note"),
    Index(
        "one_production_version",
        "model",
        unique=True,
        sqlite_where=text("stage = 'production'"),
        postgresql_where=text("stage = 'production'"),
    ),
)
Table(
    "stage_events",
    metadata,
    _id(),
    _text("model"),
    _integer("version"),
    _text("from_stage"),
    _text("to_stage"),
    _text("actor"),
    _text("reason"),
    _integer("at"),
    _text("hash"),
    Index("stage_events_by_model", "model", "id"),
)
Table(
    "approvals",
    metadata,
    _id(),
    _text("model"),
    _integer("version"),
    _text("approver"),
    _flag("approved"),
    _text("reason"),
    _integer("at"),
    Index("approvals_by_version", "model", "version"),
)
Table(
    "deployments",
    metadata,
    _key("name"),
    _text("model"),
    _text("state"),
    _text("weights"),
    _integer("control"),
    _integer("updated_at"),
    _integer("generation"),
    _text("rollout", null=True),
)
Table(
    "deployment_events",
    metadata,
    _id(),
    _text("name"),
    _text("kind"),
    _text("message"),
    _integer("at"),
    _text("facts"),
    Index("deployment_events_by_name", "name", "id"),
)
Table(
    "predictions",
    metadata,
    _id(),
    Column("prediction_id", _Text, nullable=False, unique=True),
    _text("deployment"),
    _text("model"),
    _integer("version"),
    _integer("at"),
    _text("inputs"),
    _text("prediction", null=True),
    _text("unit", null=True),
    _number("score", null=True),
    _number("latency_s"),
    _text("warnings"),
    _text("truth", null=True),
    _integer("truth_at", null=True),
    _text("error", null=True),
    # Rows written before this column were counted as a request each, and still are.
    Column("row_index", BigInteger, nullable=False, server_default="0"),
    Index("predictions_by_time", "deployment", "at"),
)
Table(
    "reports",
    metadata,
    _id(),
    Column("report_id", _Text, nullable=False, unique=True),
    _text("deployment"),
    _text("model"),
    _integer("version"),
    _integer("at"),
    _flag("drifted"),
    _text("artifact"),
    _text("summary"),
    Index("reports_by_deployment", "deployment", "at"),
)
Table(
    "alerts",
    metadata,
    _key("alert_id"),
    _text("deployment"),
    _text("model"),
    _text("kind"),
    _text("subject"),
    _text("message"),
    _integer("raised_at"),
    _integer("last_seen_at"),
    _integer("count"),
    _integer("resolved_at", null=True),
    _text("report", null=True),
    Index("alerts_by_deployment", "deployment", "raised_at"),
)
Table("settings", metadata, _key("name"), _text("value"))
Table("counters", metadata, _key("name"), _integer("value"))


def fresh_sqlite() -> str:
    """Return the SQL that creates all tables in SQLite, a paragraph for each statement."""
    dialect = sqlite.dialect()
    statements = []
    for table in metadata.sorted_tables:
        statements.append(CreateTable(table).compile(dialect=dialect))
        statements += [
            CreateIndex(index).compile(dialect=dialect)
            for index in sorted(table.indexes, key=lambda index: str(index.name))
        ]
    text_of = [
        "\n".join(line.rstrip() for line in str(statement).strip().splitlines() if line.strip())
        for statement in statements
    ]
    return ";\n\n".join(text_of) + ";\n"
