"""What lies in a segment of the spool is found without looking at every instance."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this schema."""
    op.create_index("ix_instance_place", "instance", ["segment", "generation"])
    op.create_index("ix_variant_place", "variant", ["segment", "generation"])
