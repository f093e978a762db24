"""How many requests to store an object were never answered: it may lie in the archive all the same."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this schema. What was tried before and never acknowledged counts as unanswered: nobody noted answers."""
    op.add_column("outbox", sa.Column("unanswered", sa.Integer(), nullable=False, server_default="0"))
    op.execute("UPDATE outbox SET unanswered = 1 WHERE tried_at IS NOT NULL AND stored_at IS NULL")
