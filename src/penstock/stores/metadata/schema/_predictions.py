"""Tables of predictions and their ground truth."""

from sqlalchemy import BigInteger, Column, Index, Table

from penstock.stores.metadata.schema._columns import (
    ByteText,
    id_column,
    integer_column,
    metadata,
    number_column,
    text_column,
)

Table(
    "predictions",
    metadata,
    id_column(),
    Column("prediction_id", ByteText, nullable=False, unique=True),
    text_column("deployment"),
    text_column("model"),
    integer_column("version"),
    integer_column("at"),
    text_column("inputs"),
    text_column("prediction", null=True),
    text_column("unit", null=True),
    number_column("score", null=True),
    number_column("latency_s"),
    text_column("warnings"),
    text_column("truth", null=True),
    integer_column("truth_at", null=True),
    text_column("error", null=True),
    # Rows written before this column were counted as a request each, and still are.
    Column("row_index", BigInteger, nullable=False, server_default="0"),
    text_column("features", null=True),
    text_column("form", null=True),
    Index("predictions_by_time", "deployment", "at"),
)
