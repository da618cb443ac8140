"""Metric points in chunks; notes and tags of experiments and models; archived and forked runs.

Revision ID: 0002
"""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from alembic import op

from penstock.stores._json import load_json
from penstock.stores.metadata._chunks import encode_chunks

revision = "0002"
down_revision = "0001"

# Text is ordered by its bytes, as in SQLite, whatever language the database speaks.
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_FETCH = 10_000
_PARTS = 16


def upgrade() -> None:
    """Create the new tables and move the old rows."""
    if op.get_bind().dialect.name == "postgresql":
        _order_by_bytes()
    _extend_runs()
    _make_tables()
    _make_indexes()
    _fill_names()
    _fill_version_metrics()
    _move_points()


def _order_by_bytes() -> None:
    rows = op.get_bind().execute(
        sa.text(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = current_schema() AND data_type = 'text' ORDER BY 1, 2"
        )
    )
    for table, column in rows.fetchall():
        op.execute(f'ALTER TABLE "{table}" ALTER COLUMN "{column}" TYPE TEXT COLLATE "C"')


def _extend_runs() -> None:
    for column in (
        sa.Column("group", _TEXT, server_default="", nullable=False),
        sa.Column("forked_from", _TEXT, nullable=True),
        sa.Column("forked_at", sa.Float(53), nullable=True),
        sa.Column("archived_at", sa.BigInteger(), nullable=True),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
    ):
        op.add_column("runs", column)
    op.add_column(
        "metric_summaries",
        sa.Column("last_time", sa.BigInteger(), server_default="0", nullable=False),
    )


def _make_tables() -> None:
    op.create_table(
        "metric_chunks",
        sa.Column("run_id", _TEXT, nullable=False),
        sa.Column("key", _TEXT, nullable=False),
        sa.Column("chunk_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("points", sa.LargeBinary(), nullable=False),
        sa.Column("outline", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "key", "chunk_id"),
        sqlite_with_rowid=False,
        postgresql_partition_by="HASH (run_id)",
    )
    if op.get_bind().dialect.name == "postgresql":
        for part in range(_PARTS):
            op.execute(
                f"CREATE TABLE metric_chunks_{part:02d} PARTITION OF metric_chunks"
                f" FOR VALUES WITH (MODULUS {_PARTS}, REMAINDER {part})"
            )
    op.create_table(
        "journals",
        sa.Column("journal", _TEXT, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("journal"),
    )
    op.create_table(
        "experiments",
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("note", _TEXT, nullable=False),
        sa.Column("archived_at", sa.BigInteger(), nullable=True),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "models",
        sa.Column("model", _TEXT, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("note", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("model"),
    )
    op.create_table(
        "version_metrics",
        sa.Column("model", _TEXT, nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key", _TEXT, nullable=False),
        sa.Column("value", sa.Float(53), nullable=True),
        sa.PrimaryKeyConstraint("model", "version", "key"),
        sqlite_with_rowid=False,
    )
    _make_tags("experiment_tags", sa.Column("experiment", _TEXT, nullable=False))
    _make_tags("model_tags", sa.Column("model", _TEXT, nullable=False))
    _make_tags(
        "version_tags",
        sa.Column("model", _TEXT, nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
    )


def _make_indexes() -> None:
    for table, whole in (("run_params", "text"), ("run_tags", "value")):
        op.add_column(table, sa.Column("start", _TEXT, server_default="", nullable=False))
        op.execute(f"UPDATE {table} SET start = substr({whole}, 1, 100)")  # noqa: S608 - our own names
        op.create_index(f"{table}_by_{whole}", table, ["key", "start"])
    op.create_index("run_params_by_number", "run_params", ["key", "number"])
    op.create_index("runs_by_state", "runs", ["state", "created_at"])
    op.create_index("runs_by_parent", "runs", ["parent_run_id"])


def _make_tags(table: str, *of: sa.Column[str] | sa.Column[int]) -> None:
    op.create_table(
        table,
        *of,
        sa.Column("key", _TEXT, nullable=False),
        sa.Column("value", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint(*[column.name for column in of], "key"),
        sqlite_with_rowid=False,
    )


def _fill_names() -> None:
    op.execute(
        "INSERT INTO experiments (name, created_at, note)"
        " SELECT experiment, MIN(created_at), '' FROM runs GROUP BY experiment"
    )
    op.execute(
        "INSERT INTO models (model, created_at, note)"
        " SELECT model, MIN(created_at), '' FROM model_versions GROUP BY model"
    )


def _fill_version_metrics() -> None:
    connection = op.get_bind()
    rows = connection.execute(sa.text("SELECT model, version, metrics FROM model_versions"))
    for model, version, metrics in rows.fetchall():
        for key, value in load_json(metrics).items():
            connection.execute(
                sa.text("INSERT INTO version_metrics VALUES (:model, :version, :key, :value)"),
                {"model": model, "version": version, "key": key, "value": value},
            )


def _move_points() -> None:
    connection = op.get_bind()
    insert = sa.text(
        'INSERT INTO metric_chunks (run_id, "key", chunk_id, "count", points, outline)'
        " VALUES (:run_id, :key, :chunk_id, :count, :points, :outline)"
    )
    summary = sa.text(
        'UPDATE metric_summaries SET last_time = :last_time WHERE run_id = :run_id AND "key" = :key'
    )
    for (run_id, key), rows in groupby(_points(connection), key=lambda row: row[:2]):
        points = [row[2:] for row in rows]
        values = [float("nan") if value is None else value for value, _, _ in points]
        steps, times = [step for _, step, _ in points], [time for _, _, time in points]
        for place, chunk in enumerate(encode_chunks(steps, values, times)):
            connection.execute(
                insert,
                {
                    "run_id": run_id,
                    "key": key,
                    "chunk_id": place,
                    "count": chunk.count,
                    "points": chunk.points,
                    "outline": chunk.outline,
                },
            )
        connection.execute(summary, {"last_time": times[-1], "run_id": run_id, "key": key})
    op.drop_index("metric_points_by_run", "metric_points")
    op.drop_table("metric_points")


def _points(connection: sa.Connection) -> Iterator[tuple[Any, ...]]:
    """Yield all old points, series after series, each in order of step."""
    statement = sa.text(
        'SELECT run_id, "key", value, step, time FROM metric_points ORDER BY run_id, "key", step, id'
    )
    rows = connection.execute(statement, execution_options={"yield_per": _FETCH})
    yield from (tuple(row) for row in rows)
