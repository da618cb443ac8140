"""Each prediction's place in its request, so that a batch is counted as one request.

Revision ID: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column; rows that are there were one request each, as they were counted."""
    op.add_column(
        "predictions",
        sa.Column("row_index", sa.BigInteger(), nullable=False, server_default="0"),
    )
