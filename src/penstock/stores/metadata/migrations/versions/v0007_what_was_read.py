"""Facts of each reading of a source: versions, offsets, statement, for a repeated reading.

Revision ID: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the column; of earlier readings, which were of files, nothing more is known."""
    op.add_column("snapshots", sa.Column("read", _TEXT, nullable=False, server_default="{}"))
