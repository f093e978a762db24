"""Objects that stand for others where their SOP class is not taken."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this schema."""
    op.add_column("result_object", sa.Column("instead_of", sa.Text(), nullable=False, server_default=""))
