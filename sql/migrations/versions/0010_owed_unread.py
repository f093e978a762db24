"""Which records that are owed to the quarantine were never read, and how far a hidden place reaches."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this schema. What could not be read until now is taken in once it can be."""
    op.add_column("owed_copy", sa.Column("until_bytes", sa.BigInteger()))
    op.add_column("owed_copy", sa.Column("is_unread", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute(sa.text("UPDATE owed_copy SET is_unread = TRUE WHERE reason LIKE 'it could not be read: %'"))
