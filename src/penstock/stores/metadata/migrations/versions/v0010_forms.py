"""The ONNX form of a version, the form that a deployment asks for, and the form that answered.

Revision ID: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
# Text is ordered by its bytes, as in SQLite, whatever language the database speaks.
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the columns; existing rows were answered by the native form."""
    op.add_column("model_versions", sa.Column("onnx", _TEXT, nullable=True))
    op.add_column("deployments", sa.Column("form", _TEXT, nullable=True))
    op.add_column("predictions", sa.Column("form", _TEXT, nullable=True))
