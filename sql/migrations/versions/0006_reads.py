"""What radiologists have read, and results that wait for it."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
TIME = sa.DateTime(timezone=True)
WORDS = sa.Text()


def upgrade() -> None:
    """Go to this schema."""
    op.create_table(
        "report_said",
        sa.Column("digest", WORDS, nullable=False),
        sa.Column("patient_id", WORDS, nullable=False),
        sa.Column("issuer", WORDS, nullable=False),
        sa.Column("report_id", WORDS, nullable=False),
        sa.Column("study_instance_uid", WORDS, nullable=False),
        sa.Column("accession_number", WORDS, nullable=False),
        sa.Column("sent_at", TIME, nullable=False),
        sa.Column("source_id", WORDS, nullable=False),
        sa.Column("is_final", sa.Boolean, nullable=False),
        sa.Column("arrived", sa.BigInteger, nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("digest", name="pk_report_said"),
    )
    op.create_index("ix_report_said_study_instance_uid", "report_said", ["study_instance_uid"])
    op.create_index("ix_report_said_accession_number", "report_said", ["accession_number"])
    op.create_index("ix_report_said_report", "report_said", ["report_id"])
    op.create_table(
        "index_study",
        sa.Column("case_id", ID, autoincrement=False, nullable=False),
        sa.Column("study_instance_uid", WORDS, nullable=False),
        sa.Column("accession_number", WORDS, nullable=False),
        sa.Column("waiting_since", TIME, nullable=False),
        sa.Column("released_at", TIME),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_index_study_case_id"),
        sa.PrimaryKeyConstraint("case_id", name="pk_index_study"),
    )
    op.create_index(
        "ix_index_study_unread",
        "index_study",
        ["case_id"],
        sqlite_where=sa.text("released_at IS NULL"),
        postgresql_where=sa.text("released_at IS NULL"),
    )
