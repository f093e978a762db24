"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
WORDS = sa.Text()
CODE = sa.String(32)


def upgrade() -> None:
    """Go to this schema."""
    op.create_table(
        "arrival",
        sa.Column("segment", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("generation", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("offset_bytes", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.Column("association_id", WORDS, nullable=False),
        sa.Column("sop_instance_uid", WORDS, nullable=False),
        sa.Column("ending", CODE, nullable=False),
        sa.Column("reason", WORDS, nullable=False),
        sa.PrimaryKeyConstraint("segment", "generation", "offset_bytes", name="pk_arrival"),
    )
    op.create_index("ix_arrival_association_id", "arrival", ["association_id"])
    op.create_index("ix_arrival_sop_instance_uid", "arrival", ["sop_instance_uid"])
    op.create_table(
        "association",
        sa.Column("id", WORDS, nullable=False),
        sa.Column("calling_ae_title", WORDS, nullable=False),
        sa.Column("opened_at", TIME, nullable=False),
        sa.Column("closed_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_association"),
    )
    op.create_index(
        "ix_association_open",
        "association",
        ["id"],
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "cases",
        sa.Column("id", ID, nullable=False),
        sa.Column("case_uuid", sa.Uuid, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("question", WORDS, nullable=False),
        sa.Column("issuer", WORDS, nullable=False),
        sa.Column("patient_id", WORDS, nullable=False),
        sa.Column("state", CODE, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("opened_at", TIME, nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.Column("due_at", TIME),
        sa.Column("ready_at", TIME),
        sa.Column("reason", WORDS, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_cases"),
        sa.UniqueConstraint("case_uuid", "version", name="uq_cases_case_uuid_version"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_cases_due",
        "cases",
        ["state", "due_at"],
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index("ix_cases_patient", "cases", ["patient_id", "issuer", "question"])
    op.create_index(
        "ix_cases_ready",
        "cases",
        ["ready_at", "id"],
        sqlite_where=sa.text("state = 'ready'"),
        postgresql_where=sa.text("state = 'ready'"),
    )
    op.create_table(
        "installation",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("uuid", sa.Uuid, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_installation"),
    )
    op.create_table(
        "instance",
        sa.Column("id", ID, nullable=False),
        sa.Column("sop_instance_uid", WORDS, nullable=False),
        sa.Column("sop_class_uid", WORDS, nullable=False),
        sa.Column("transfer_syntax_uid", WORDS, nullable=False),
        sa.Column("study_instance_uid", WORDS, nullable=False),
        sa.Column("series_instance_uid", WORDS, nullable=False),
        sa.Column("issuer", WORDS, nullable=False),
        sa.Column("patient_id", WORDS, nullable=False),
        sa.Column("modality", WORDS, nullable=False),
        sa.Column("laterality", WORDS, nullable=False),
        sa.Column("view_position", WORDS, nullable=False),
        sa.Column("presentation_intent", WORDS, nullable=False),
        sa.Column("acquired_on", sa.Date),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("columns", sa.BigInteger, nullable=False),
        sa.Column("frames", sa.BigInteger, nullable=False),
        sa.Column("sha256", WORDS, nullable=False),
        sa.Column("segment", sa.BigInteger, nullable=False),
        sa.Column("generation", sa.BigInteger, nullable=False),
        sa.Column("offset_bytes", sa.BigInteger, nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_instance"),
        sa.UniqueConstraint("sop_instance_uid", name="uq_instance_sop_instance_uid"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "spool_cursor",
        sa.Column("segment", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("generation", sa.BigInteger, nullable=False),
        sa.Column("offset_bytes", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("segment", name="pk_spool_cursor"),
    )
    op.create_table(
        "case_document",
        sa.Column("case_id", ID, autoincrement=False, nullable=False),
        sa.Column("name", WORDS, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_case_document_case_id"),
        sa.PrimaryKeyConstraint("case_id", "name", name="pk_case_document"),
    )
    op.create_table(
        "case_event",
        sa.Column("id", ID, nullable=False),
        sa.Column("case_id", ID, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("event", CODE, nullable=False),
        sa.Column("from_state", CODE, nullable=False),
        sa.Column("to_state", CODE, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("reason", WORDS, nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_case_event_case_id"),
        sa.PrimaryKeyConstraint("id", name="pk_case_event"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_case_event_case_id", "case_event", ["case_id"])
    op.create_table(
        "case_instance",
        sa.Column("case_id", ID, autoincrement=False, nullable=False),
        sa.Column("instance_id", ID, autoincrement=False, nullable=False),
        sa.Column("used", sa.Boolean, nullable=False),
        sa.Column("left_out", WORDS, nullable=False),
        sa.Column("quarantined", sa.Boolean, nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_case_instance_case_id"),
        sa.ForeignKeyConstraint(["instance_id"], ["instance.id"], name="fk_case_instance_instance_id"),
        sa.PrimaryKeyConstraint("case_id", "instance_id", name="pk_case_instance"),
    )
    op.create_index("ix_case_instance_instance_id", "case_instance", ["instance_id"])
    op.create_table(
        "result_object",
        sa.Column("id", ID, nullable=False),
        sa.Column("case_id", ID, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("kind", CODE, nullable=False),
        sa.Column("role", WORDS, nullable=False),
        sa.Column("axilla", WORDS, nullable=False),
        sa.Column("idx", sa.Integer, nullable=False),
        sa.Column("sop_class_uid", WORDS, nullable=False),
        sa.Column("sop_instance_uid", WORDS, nullable=False),
        sa.Column("study_instance_uid", WORDS, nullable=False),
        sa.Column("series_instance_uid", WORDS, nullable=False),
        sa.Column("transfer_syntax_uid", WORDS, nullable=False),
        sa.Column("needs", sa.JSON, nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_result_object_case_id"),
        sa.PrimaryKeyConstraint("id", name="pk_result_object"),
        sa.UniqueConstraint(
            "case_id",
            "axilla",
            "kind",
            "sop_class_uid",
            "idx",
            name="uq_result_object_case_id_axilla_kind_sop_class_uid_idx",
        ),
        sa.UniqueConstraint("sop_instance_uid", name="uq_result_object_sop_instance_uid"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "outbox",
        sa.Column("id", ID, nullable=False),
        sa.Column("result_object_id", ID, nullable=False),
        sa.Column("case_id", ID, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("destination", WORDS, nullable=False),
        sa.Column("status", CODE, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_at", TIME, nullable=False),
        sa.Column("queued_at", TIME, nullable=False),
        sa.Column("tried_at", TIME),
        sa.Column("stored_at", TIME),
        sa.Column("error", WORDS, nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_outbox_case_id"),
        sa.ForeignKeyConstraint(["result_object_id"], ["result_object.id"], name="fk_outbox_result_object_id"),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sa.UniqueConstraint("result_object_id", "destination", name="uq_outbox_result_object_id_destination"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outbox_case_id", "outbox", ["case_id"])
    op.create_index(
        "ix_outbox_underway",
        "outbox",
        ["destination", "case_id", "position"],
        sqlite_where=sa.text("status IN ('waiting', 'sent')"),
        postgresql_where=sa.text("status IN ('waiting', 'sent')"),
    )
    op.create_table(
        "result_bytes",
        sa.Column("result_object_id", ID, autoincrement=False, nullable=False),
        sa.Column("encoded", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(["result_object_id"], ["result_object.id"], name="fk_result_bytes_result_object_id"),
        sa.PrimaryKeyConstraint("result_object_id", name="pk_result_bytes"),
    )
    op.create_table(
        "commitment",
        sa.Column("transaction_uid", WORDS, nullable=False),
        sa.Column("outbox_id", ID, autoincrement=False, nullable=False),
        sa.Column("asked_at", TIME, nullable=False),
        sa.Column("answered_at", TIME),
        sa.ForeignKeyConstraint(["outbox_id"], ["outbox.id"], name="fk_commitment_outbox_id"),
        sa.PrimaryKeyConstraint("transaction_uid", "outbox_id", name="pk_commitment"),
    )
