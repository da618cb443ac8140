"""Long JSON texts of steps and of what was read are packed; texts that are there stay as they are.

Revision ID: 0015
"""

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Change nothing: the number keeps penstock from before, which reads plain JSON only, out."""
