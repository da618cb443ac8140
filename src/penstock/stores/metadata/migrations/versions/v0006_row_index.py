"""Each prediction's position in the request, so that a batch is counted as a single request.

Revision ID: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column; existing rows count as a request each, as before."""
    op.add_column(
        "predictions",
        sa.Column("row_index", sa.BigInteger(), nullable=False, server_default="0"),
    )
