"""A single word for deciders: approvals and decisions have an actor, as events have.

Revision ID: 0008
"""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Rename the columns; the rows stay."""
    op.execute("ALTER TABLE approvals RENAME COLUMN approver TO actor")
    op.execute("ALTER TABLE step_decisions RENAME COLUMN decided_by TO actor")
