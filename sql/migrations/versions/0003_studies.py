"""What the PACS was asked and what it said: counts, searches, retrievals."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
TIME = sa.DateTime(timezone=True)
CODE = sa.String(32)
WORDS = sa.Text()


def upgrade() -> None:
    """Go to this schema."""
    op.create_table(
        "study_count",
        sa.Column("case_id", ID, autoincrement=False, nullable=False),
        sa.Column("study_instance_uid", WORDS, nullable=False),
        sa.Column("asked_at", TIME),
        sa.Column("counted_at", TIME),
        sa.Column("listed", sa.JSON, nullable=False),
        sa.Column("digest", WORDS, nullable=False),
        sa.Column("missing", sa.JSON, nullable=False),
        sa.Column("equal_polls", sa.Integer, nullable=False),
        sa.Column("next_at", TIME, nullable=False),
        sa.Column("error", WORDS, nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_study_count_case_id"),
        sa.PrimaryKeyConstraint("case_id", "study_instance_uid", name="pk_study_count"),
    )
    op.create_table(
        "study_search",
        sa.Column("case_id", ID, autoincrement=False, nullable=False),
        sa.Column("next_at", TIME),
        sa.Column("searched_at", TIME),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("error", WORDS, nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_study_search_case_id"),
        sa.PrimaryKeyConstraint("case_id", name="pk_study_search"),
    )
    op.create_table(
        "retrieval",
        sa.Column("id", ID, nullable=False),
        sa.Column("case_id", ID, nullable=False),
        sa.Column("issuer", WORDS, nullable=False),
        sa.Column("patient_id", WORDS, nullable=False),
        sa.Column("study_instance_uid", WORDS, nullable=False),
        sa.Column("series_instance_uid", WORDS, nullable=False),
        sa.Column("sop_instance_uids", sa.JSON, nullable=False),
        sa.Column("why", WORDS, nullable=False),
        sa.Column("status", CODE, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_at", TIME, nullable=False),
        sa.Column("asked_at", TIME, nullable=False),
        sa.Column("settled_at", TIME),
        sa.Column("error", WORDS, nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_retrieval_case_id"),
        sa.PrimaryKeyConstraint("id", name="pk_retrieval"),
        sa.UniqueConstraint(
            "case_id",
            "study_instance_uid",
            "series_instance_uid",
            name="uq_retrieval_case_id_study_instance_uid_series_instance_uid",
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_retrieval_wanted",
        "retrieval",
        ["next_at"],
        sqlite_where=sa.text("status = 'waiting'"),
        postgresql_where=sa.text("status = 'waiting'"),
    )
