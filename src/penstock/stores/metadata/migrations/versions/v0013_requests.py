"""The requests that a server has done, with their answers.

Revision ID: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
# Text is ordered by its bytes, as in SQLite, whatever language the database speaks.
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "requests",
        sa.Column("request", _TEXT, primary_key=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("answer", _TEXT, nullable=False),
    )
    op.create_index("requests_by_time", "requests", ["at"])
