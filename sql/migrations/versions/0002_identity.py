"""What objects and messages say of patients, contradictions, and what a person decided."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
WORDS = sa.Text()
CODE = sa.String(32)


def upgrade() -> None:
    """Go to this schema."""
    op.add_column("arrival", sa.Column("issuer", WORDS))
    op.add_column("arrival", sa.Column("patient_id", WORDS))
    op.add_column("arrival", sa.Column("study_instance_uid", WORDS, nullable=False, server_default=""))
    op.add_column("arrival", sa.Column("modality", WORDS, nullable=False, server_default=""))
    op.add_column("arrival", sa.Column("identity", WORDS, nullable=False, server_default=""))
    op.create_index("ix_arrival_patient", "arrival", ["patient_id", "issuer"])
    for name in ("pixels_sha256", "attributes_sha256", "accession_number", "patient_name", "sex", "barred"):
        op.add_column("instance", sa.Column(name, WORDS, nullable=False, server_default=""))
    op.add_column("instance", sa.Column("birth_date", sa.Date))
    op.add_column("instance", sa.Column("traits", sa.JSON, nullable=False, server_default="{}"))
    op.create_index("ix_instance_patient", "instance", ["patient_id", "issuer"])
    op.add_column("case_instance", sa.Column("damaged_sha256", WORDS, nullable=False, server_default=""))
    op.add_column("cases", sa.Column("absorbed_by", sa.Uuid))
    held = sa.text("state = 'held'")
    op.create_index("ix_cases_held", "cases", ["id"], sqlite_where=held, postgresql_where=held)
    op.add_column("cases", sa.Column("revision", sa.Integer, nullable=False, server_default="0"))
    _who_is_who()
    _decisions()


def _who_is_who() -> None:
    op.create_table(
        "alias",
        *(sa.Column(name, WORDS) for name in ("retired_patient_id", "retired_issuer", "patient_id", "issuer")),
        sa.Column("sent_at", TIME),
        sa.Column("control_id", WORDS),
        sa.PrimaryKeyConstraint(
            "retired_patient_id", "retired_issuer", "patient_id", "issuer", "sent_at", "control_id", name="pk_alias"
        ),
    )
    op.create_index("ix_alias_surviving", "alias", ["patient_id", "issuer"])
    op.create_table(
        "told",
        sa.Column("patient_id", WORDS),
        sa.Column("issuer", WORDS),
        sa.Column("birth_date", sa.Date),
        sa.Column("birth_date_sent_at", TIME),
        sa.Column("birth_date_control_id", WORDS),
        sa.Column("sex", WORDS, nullable=False),
        sa.Column("sex_sent_at", TIME),
        sa.Column("sex_control_id", WORDS),
        sa.Column("names", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("patient_id", "issuer", name="pk_told"),
    )
    op.create_table(
        "identity",
        sa.Column("digest", WORDS),
        sa.Column("patient_id", WORDS, nullable=False),
        sa.Column("issuer", WORDS, nullable=False),
        sa.Column("patient_name", WORDS, nullable=False),
        sa.Column("birth_date", sa.Date),
        sa.Column("sex", WORDS, nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.Column("moved_patient_id", WORDS),
        sa.Column("moved_issuer", WORDS),
        sa.Column("barred", WORDS, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_identity"),
    )
    op.create_index("ix_identity_patient", "identity", ["patient_id", "issuer"])
    op.create_table(
        "study_patient",
        sa.Column("study_instance_uid", WORDS),
        sa.Column("patient_id", WORDS),
        sa.Column("issuer", WORDS),
        sa.Column("barred", WORDS, nullable=False),
        sa.PrimaryKeyConstraint("study_instance_uid", "patient_id", "issuer", name="pk_study_patient"),
    )
    op.create_index("ix_study_patient_patient", "study_patient", ["patient_id", "issuer"])


def _decisions() -> None:
    op.create_table(
        "variant",
        sa.Column("id", ID, nullable=False),
        *(sa.Column(name, WORDS, nullable=False) for name in ("sop_instance_uid", "sha256", "patient_id", "issuer")),
        sa.Column("header", sa.JSON, nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("segment", "generation", "offset_bytes")),
        sa.Column("received_at", TIME, nullable=False),
        sa.Column("other_pixels", sa.Boolean, nullable=False),
        sa.Column("standing", CODE, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_variant"),
        sa.UniqueConstraint("sop_instance_uid", "sha256", name="uq_variant_sop_instance_uid_sha256"),
        sqlite_autoincrement=True,
    )
    waiting = sa.text("standing = 'waiting'")
    op.create_index("ix_variant_waiting", "variant", ["id"], sqlite_where=waiting, postgresql_where=waiting)
    op.create_table(
        "decision",
        sa.Column("conflict_id", WORDS),
        sa.Column("ruling", CODE, nullable=False),
        sa.Column("about", WORDS, nullable=False),
        sa.Column("decided_by", WORDS, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("conflict_id", name="pk_decision"),
    )
