"""Tables of artifacts, lineage, snapshots and proofs."""

from sqlalchemy import Column, Index, LargeBinary, Table

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
    "artifacts",
    metadata,
    # The same bytes can be two values: b'1' and the number 1. The content digest distinguishes
    # them.
    key_column("digest"),
    key_column("content_digest"),
    text_column("format"),
    text_column("type_name"),
    integer_column("size_bytes"),
    integer_column("created_at"),
    flag_column("unsafe"),
    Column("inline", LargeBinary, nullable=True),
    text_column("metadata"),
    Index("artifacts_by_content", "content_digest"),
)
Table(
    "run_artifacts",
    metadata,
    run_column(key=True),
    key_column("name"),
    text_column("digest"),
    text_column("content_digest"),
    integer_column("at"),
    sqlite_with_rowid=False,
)
Table(
    "edges",
    metadata,
    key_column("source"),
    key_column("target"),
    key_column("role"),
    Index("edges_by_target", "target", "source", "role"),
    sqlite_with_rowid=False,
)
Table(
    "snapshots",
    metadata,
    id_column(),
    text_column("source"),
    text_column("run_id", null=True),
    integer_column("at"),
    text_column("schema"),
    text_column("ordered_digest"),
    text_column("order_free_digest"),
    integer_column("rows"),
    Column("read", ByteText, nullable=False, server_default="{}"),
    Index("snapshots_by_source", "source", "id"),
)
Table(
    "proofs",
    metadata,
    id_column(),
    run_column(),
    text_column("kind"),
    text_column("verdict"),
    integer_column("at"),
    text_column("details"),
    Index("proofs_by_run", "run_id"),
)
