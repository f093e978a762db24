"""What an object says of its patient and its kind, with every arrival and instance."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

WORDS = sa.Text()


def upgrade() -> None:
    """Go to this schema."""
    op.add_column("arrival", sa.Column("issuer", WORDS))
    op.add_column("arrival", sa.Column("patient_id", WORDS))
    op.add_column("arrival", sa.Column("study_instance_uid", WORDS, nullable=False, server_default=""))
    op.add_column("arrival", sa.Column("modality", WORDS, nullable=False, server_default=""))
    op.create_index("ix_arrival_patient", "arrival", ["patient_id", "issuer"])
    for name in ("pixels_sha256", "accession_number", "patient_name", "sex"):
        op.add_column("instance", sa.Column(name, WORDS, nullable=False, server_default=""))
    op.add_column("instance", sa.Column("birth_date", sa.Date))
    op.add_column("instance", sa.Column("traits", sa.JSON, nullable=False, server_default="{}"))
