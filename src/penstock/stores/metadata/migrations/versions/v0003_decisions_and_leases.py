"""Approvals and rejections of waiting steps; leases on resources with a concurrency limit.

Revision ID: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

# Text is ordered by its bytes, as in SQLite, whatever language the database speaks.
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_AUTO_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the two tables."""
    op.create_table(
        "step_decisions",
        sa.Column("id", _AUTO_ID, autoincrement=True, nullable=False),
        sa.Column("run_id", _TEXT, nullable=False),
        sa.Column("step", _TEXT, nullable=False),
        sa.Column("approved", sa.Boolean(), nullable=False),
        sa.Column("decided_by", _TEXT, nullable=False),
        sa.Column("reason", _TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("step_decisions_by_run", "step_decisions", ["run_id"])
    op.create_table(
        "leases",
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("slot", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("holder", _TEXT, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", "slot"),
    )
