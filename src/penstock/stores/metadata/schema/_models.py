"""Tables of models, versions, stages and approvals."""

from sqlalchemy import BigInteger, Column, Index, Table, text

from penstock.stores.metadata.schema._columns import (
    ByteText,
    flag_column,
    id_column,
    integer_column,
    key_column,
    metadata,
    number_column,
    text_column,
)

Table("models", metadata, key_column("model"), integer_column("created_at"), text_column("note"))
Table(
    "model_tags",
    metadata,
    key_column("model"),
    key_column("key"),
    text_column("value"),
    sqlite_with_rowid=False,
)
Table(
    "version_tags",
    metadata,
    key_column("model"),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    key_column("key"),
    text_column("value"),
    sqlite_with_rowid=False,
)
Table(
    "version_metrics",
    metadata,
    key_column("model"),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    key_column("key"),
    number_column("value", null=True),
    sqlite_with_rowid=False,
)
Table(
    "model_versions",
    metadata,
    key_column("model"),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    text_column("stage"),
    text_column("run_id", null=True),
    text_column("trained_by"),
    text_column("artifact"),
    text_column("content_digest"),
    integer_column("created_at"),
    text_column("report", null=True),
    text_column("profile", null=True),
    text_column("signature"),
    text_column("metrics"),
    text_column("gates"),
    text_column("card", null=True),
    integer_column("revision"),
    text_column("note"),
    text_column("onnx", null=True),
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
    id_column(),
    text_column("model"),
    integer_column("version"),
    text_column("from_stage"),
    text_column("to_stage"),
    text_column("actor"),
    text_column("reason"),
    integer_column("at"),
    text_column("hash"),
    Index("stage_events_by_model", "model", "id"),
)
Table(
    "approvals",
    metadata,
    id_column(),
    text_column("model"),
    integer_column("version"),
    text_column("actor"),
    flag_column("approved"),
    text_column("reason"),
    integer_column("at"),
    text_column("version_digest", null=True),
    text_column("gates_digest", null=True),
    integer_column("expires_at", null=True),
    Column("attested", ByteText, nullable=False, server_default=""),
    Index("approvals_by_version", "model", "version"),
)
