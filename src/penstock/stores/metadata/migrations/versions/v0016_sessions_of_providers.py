"""Which session of an OpenID provider a session began with, so that the provider can end it.

Revision ID: 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
# Text is ordered by its bytes, as in SQLite, whatever language the database speaks.
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the column; sessions that are there end by themselves within twelve hours."""
    op.add_column(
        "sessions", sa.Column("provider_session", _TEXT, nullable=False, server_default="")
    )
    op.create_index("sessions_by_provider", "sessions", ["provider_session"])
