"""Where a role comes from, and until when one holds that a claim of an OpenID provider gave.

Revision ID: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
# Text is ordered by its bytes, as in SQLite, whatever language the database speaks.
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the columns; admins gave all existing roles, which hold until they are taken away."""
    op.add_column("grants", sa.Column("source", _TEXT, nullable=False, server_default=""))
    op.add_column("grants", sa.Column("expires_at", sa.BigInteger(), nullable=True))
