"""Tables of metric points, their summaries, and the positions of journals."""

from sqlalchemy import BigInteger, Column, Index, Table

from penstock.stores.metadata.schema._columns import (
    bytes_column,
    integer_column,
    key_column,
    metadata,
    number_column,
    run_column,
)

Table(
    "metric_summaries",
    metadata,
    run_column(key=True),
    key_column("key"),
    number_column("first", null=True),
    number_column("last", null=True),
    number_column("min", null=True),
    number_column("max", null=True),
    integer_column("count"),
    number_column("last_step"),
    Column("last_time", BigInteger, nullable=False, server_default="0"),
    Index("metric_summaries_by_value", "key", "last"),
    sqlite_with_rowid=False,
)
Table(
    "metric_chunks",
    metadata,
    key_column("run_id"),
    key_column("key"),
    Column("chunk_id", BigInteger, primary_key=True, autoincrement=False),
    integer_column("count"),
    bytes_column("points"),  # compressed columns, see _chunks
    bytes_column("outline"),  # the extremes of each stretch, for charts
    sqlite_with_rowid=False,
    postgresql_partition_by="HASH (run_id)",  # into sixteen, see migration 0002
)
# The position up to which a journal is stored: written with the points, so that none counts twice.
Table("journals", metadata, key_column("journal"), integer_column("position"), integer_column("at"))
