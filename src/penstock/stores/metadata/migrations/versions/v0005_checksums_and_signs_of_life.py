"""Checksums of chunks; identity of a run's process; facts of a run that could not be recorded.

Revision ID: 0005
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from penstock.stores._json import load_json
from penstock.stores.metadata._chunks import seal_outline, seal_points
from penstock.stores.metadata._codec import clean_values
from penstock.stores.metadata._params import leaf_rows

revision = "0005"
down_revision = "0004"

# Text is ordered by its bytes, as in SQLite, whatever language the database speaks.
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add three columns, the checksums, and rows for the leaves of nested parameters."""
    op.add_column("runs", sa.Column("process", _TEXT, server_default="", nullable=False))
    op.add_column("runs", sa.Column("presumed_at", sa.BigInteger(), nullable=True))
    op.add_column("runs", sa.Column("missed", _TEXT, server_default="[]", nullable=False))
    _seal_chunks(op.get_bind())
    _find_leaves(op.get_bind())


def _seal_chunks(connection: sa.Connection) -> None:
    read = sa.text(
        'SELECT run_id, "key", chunk_id, points, outline FROM metric_chunks'
        ' WHERE (run_id, "key", chunk_id) > (:run_id, :key, :chunk_id)'
        ' ORDER BY run_id, "key", chunk_id LIMIT 200'  # of some ten kilobytes each
    )
    write = sa.text(
        "UPDATE metric_chunks SET points = :points, outline = :outline"
        ' WHERE run_id = :run_id AND "key" = :key AND chunk_id = :chunk_id'
    )
    last: dict[str, Any] = {"run_id": "", "key": "", "chunk_id": -(2**63)}
    while rows := connection.execute(read, last).fetchall():
        for run_id, key, chunk_id, points, outline in rows:
            last = {"run_id": run_id, "key": key, "chunk_id": chunk_id}
            sealed = {"points": seal_points(points), "outline": seal_outline(outline)}
            connection.execute(write, {**last, **sealed})


def _find_leaves(connection: sa.Connection) -> None:
    nested = connection.execute(
        sa.text("SELECT run_id, \"key\", value FROM run_params WHERE value LIKE '{%'")
    ).fetchall()
    insert = sa.text(
        'INSERT INTO run_params (run_id, "key", value, text, number, start)'
        " VALUES (:run_id, :key, :value, :text, :number, :start) ON CONFLICT DO NOTHING"
    )
    names = ("run_id", "key", "value", "text", "number", "start")
    for run_id, key, value in nested:
        for row in leaf_rows(run_id, key, load_json(value)):
            connection.execute(insert, dict(zip(names, clean_values(row), strict=True)))
