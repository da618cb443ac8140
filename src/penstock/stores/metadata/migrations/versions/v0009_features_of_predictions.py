"""Values that serving looked up in feature views for a prediction.

Revision ID: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
# Text is ordered by its bytes, as in SQLite, whatever language the database speaks.
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the column; nothing was looked up for existing rows."""
    op.add_column("predictions", sa.Column("features", _TEXT, nullable=True))
