"""The tables, declared once. Changing one needs a migration: a test compares both."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Index, Table, UniqueConstraint

from agent.core.case import CaseEvent, CaseState
from agent.core.conflict import Ruling
from agent.core.identities import Standing
from agent.core.instance import End
from agent.core.pacs import RetrievalStatus
from agent.core.ports import OutboxStatus
from agent.core.result import Kind
from agent.state.types import BigId, Key, UtcDateTime, Words, enumeration

metadata: Final = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

installation: Final = Table(
    "installation",
    metadata,
    Column("id", sa.Integer, primary_key=True, autoincrement=False),  # always 1
    Column("uuid", sa.Uuid, nullable=False),
)

# ── what the spool said ──

spool_cursor: Final = Table(
    "spool_cursor",
    metadata,
    Column("segment", sa.BigInteger, primary_key=True, autoincrement=False),
    Column("generation", sa.BigInteger, nullable=False),
    Column("offset_bytes", sa.BigInteger, nullable=False),
)

association: Final = Table(
    "association",
    metadata,
    Column("id", Key, primary_key=True),
    Column("calling_ae_title", Key, nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("closed_at", UtcDateTime),
)
IS_OPEN: Final = association.c.closed_at.is_(None)
Index("ix_association_open", association.c.id, sqlite_where=IS_OPEN, postgresql_where=IS_OPEN)

arrival: Final = Table(
    "arrival",
    metadata,
    Column("segment", sa.BigInteger, primary_key=True, autoincrement=False),
    Column("generation", sa.BigInteger, primary_key=True, autoincrement=False),
    Column("offset_bytes", sa.BigInteger, primary_key=True, autoincrement=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("association_id", Key, nullable=False, index=True),  # no foreign key: its record may be read later
    Column("sop_instance_uid", Key, nullable=False, index=True),
    Column("ending", enumeration(End), nullable=False),
    Column("reason", Words, nullable=False),
    Column("issuer", Key),  # as far as the header could be read
    Column("patient_id", Key),
    Column("study_instance_uid", Key, nullable=False, server_default=""),
    Column("modality", Words, nullable=False, server_default=""),
    Column("identity", Key, nullable=False, server_default=""),  # digest, of an image that no case takes
    Index("ix_arrival_patient", "patient_id", "issuer"),
)
OVERHEARD: Final = arrival.c.identity != sa.literal_column("''")

instance: Final = Table(
    "instance",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("sop_instance_uid", Key, nullable=False, unique=True),
    Column("sop_class_uid", Key, nullable=False),
    Column("transfer_syntax_uid", Key, nullable=False),
    Column("study_instance_uid", Key, nullable=False),
    Column("series_instance_uid", Key, nullable=False),
    Column("issuer", Key, nullable=False),
    Column("patient_id", Key, nullable=False),
    Column("modality", Words, nullable=False),
    Column("laterality", Words, nullable=False),
    Column("view_position", Words, nullable=False),
    Column("presentation_intent", Words, nullable=False),
    Column("acquired_on", sa.Date),
    Column("rows", sa.BigInteger, nullable=False),
    Column("columns", sa.BigInteger, nullable=False),
    Column("frames", sa.BigInteger, nullable=False),
    Column("sha256", Words, nullable=False),
    Column("pixels_sha256", Words, nullable=False, server_default=""),
    Column("attributes_sha256", Words, nullable=False, server_default=""),
    Column("accession_number", Words, nullable=False, server_default=""),
    Column("patient_name", Words, nullable=False, server_default=""),
    Column("birth_date", sa.Date),
    Column("sex", Words, nullable=False, server_default=""),
    Column("traits", sa.JSON, nullable=False, server_default="{}"),
    Column("barred", Words, nullable=False, server_default=""),  # why a person left it out
    Column("segment", sa.BigInteger, nullable=False),
    Column("generation", sa.BigInteger, nullable=False),
    Column("offset_bytes", sa.BigInteger, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Index("ix_instance_patient", "patient_id", "issuer"),
    Index("ix_instance_place", "segment", "generation"),
    sqlite_autoincrement=True,
)

# ── cases ──

cases: Final = Table(  # `case` is a word of SQL
    "cases",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("case_uuid", sa.Uuid, nullable=False),
    Column("version", sa.Integer, nullable=False),
    Column("question", Key, nullable=False),
    Column("issuer", Key, nullable=False),
    Column("patient_id", Key, nullable=False),
    Column("state", enumeration(CaseState), nullable=False),
    Column("attempt", sa.Integer, nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime),  # of a RUNNING case: the end of its lease
    Column("ready_at", UtcDateTime),
    Column("reason", Words, nullable=False),
    Column("absorbed_by", sa.Uuid),  # the case that it is part of since a merge
    Column("revision", sa.Integer, nullable=False, server_default="0"),
    UniqueConstraint("case_uuid", "version"),
    Index("ix_cases_patient", "patient_id", "issuer", "question"),
    sqlite_autoincrement=True,
)
# A partial index serves a query only if the query says the same: hence the conditions are shared, with literal values.
IS_SCHEDULED: Final = cases.c.due_at.isnot(None)
Index("ix_cases_due", cases.c.state, cases.c.due_at, sqlite_where=IS_SCHEDULED, postgresql_where=IS_SCHEDULED)
IS_READY: Final = cases.c.state == sa.literal_column("'ready'")
Index("ix_cases_ready", cases.c.ready_at, cases.c.id, sqlite_where=IS_READY, postgresql_where=IS_READY)
IS_HELD: Final = cases.c.state == sa.literal_column("'held'")
Index("ix_cases_held", cases.c.id, sqlite_where=IS_HELD, postgresql_where=IS_HELD)

case_instance: Final = Table(
    "case_instance",
    metadata,
    Column("case_id", BigId, ForeignKey("cases.id"), primary_key=True, autoincrement=False),
    Column("instance_id", BigId, ForeignKey("instance.id"), primary_key=True, autoincrement=False, index=True),
    Column("used", sa.Boolean, nullable=False),
    Column("left_out", Words, nullable=False),  # why; empty: not left out
    Column("quarantined", sa.Boolean, nullable=False),
    Column("damaged_sha256", Words, nullable=False, server_default=""),  # of the bytes that were quarantined
)

case_event: Final = Table(
    "case_event",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("case_id", BigId, ForeignKey("cases.id"), nullable=False, index=True),
    Column("at", UtcDateTime, nullable=False),
    Column("event", enumeration(CaseEvent), nullable=False),
    Column("from_state", enumeration(CaseState), nullable=False),
    Column("to_state", enumeration(CaseState), nullable=False),
    Column("attempt", sa.Integer, nullable=False),
    Column("reason", Words, nullable=False),
    sqlite_autoincrement=True,
)

case_document: Final = Table(  # beside `cases`, so that rows which are searched stay small
    "case_document",
    metadata,
    Column("case_id", BigId, ForeignKey("cases.id"), primary_key=True, autoincrement=False),
    Column("name", Key, primary_key=True),  # findings, summary, lineage
    Column("body", sa.JSON, nullable=False),
)

tally: Final = Table(  # how many rows there are of what kind, for whoever looks at everything
    "tally",
    metadata,
    Column("subject", Key, primary_key=True),  # cases, arrivals, outbox
    Column("name", Key, primary_key=True),  # state, end, destination
    Column("detail", Key, primary_key=True),  # of an arrival the reason, of an outbox item the status
    Column("number", sa.BigInteger, nullable=False),
)

# ── who is who ──

alias: Final = Table(  # every merge that was told, in whatever order
    "alias",
    metadata,
    Column("retired_patient_id", Key, primary_key=True),
    Column("retired_issuer", Key, primary_key=True),
    Column("patient_id", Key, primary_key=True),
    Column("issuer", Key, primary_key=True),
    Column("sent_at", UtcDateTime, primary_key=True),
    Column("control_id", Key, primary_key=True),
    Index("ix_alias_surviving", "patient_id", "issuer"),
)

told: Final = Table(  # what HL7 messages say of a patient
    "told",
    metadata,
    Column("patient_id", Key, primary_key=True),
    Column("issuer", Key, primary_key=True),
    Column("birth_date", sa.Date),
    Column("birth_date_sent_at", UtcDateTime),  # of the message that said so last
    Column("birth_date_control_id", Words),
    Column("sex", Words, nullable=False),
    Column("sex_sent_at", UtcDateTime),
    Column("sex_control_id", Words),
    Column("names", sa.JSON, nullable=False),
)

identity: Final = Table(  # what objects say of a patient
    "identity",
    metadata,
    Column("digest", Key, primary_key=True),
    Column("patient_id", Key, nullable=False),
    Column("issuer", Key, nullable=False),
    Column("patient_name", Words, nullable=False),
    Column("birth_date", sa.Date),
    Column("sex", Words, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("moved_patient_id", Key),  # a person split it off
    Column("moved_issuer", Key),
    Column("barred", Words, nullable=False),
    Index("ix_identity_patient", "patient_id", "issuer"),
)

study_patient: Final = Table(
    "study_patient",
    metadata,
    Column("study_instance_uid", Key, primary_key=True),
    Column("patient_id", Key, primary_key=True),
    Column("issuer", Key, primary_key=True),
    Column("barred", Words, nullable=False),
    Index("ix_study_patient_patient", "patient_id", "issuer"),
)

variant: Final = Table(  # other objects under the SOP Instance UID of a known one
    "variant",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("sop_instance_uid", Key, nullable=False),
    Column("sha256", Key, nullable=False),
    Column("patient_id", Key, nullable=False),
    Column("issuer", Key, nullable=False),
    Column("header", sa.JSON, nullable=False),
    Column("segment", sa.BigInteger, nullable=False),
    Column("generation", sa.BigInteger, nullable=False),
    Column("offset_bytes", sa.BigInteger, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("other_pixels", sa.Boolean, nullable=False),
    Column("standing", enumeration(Standing), nullable=False),
    UniqueConstraint("sop_instance_uid", "sha256"),
    Index("ix_variant_place", "segment", "generation"),
    sqlite_autoincrement=True,
)
IS_UNDECIDED: Final = variant.c.standing == sa.literal_column("'waiting'")
Index("ix_variant_waiting", variant.c.id, sqlite_where=IS_UNDECIDED, postgresql_where=IS_UNDECIDED)

decision: Final = Table(  # what a person decided, for good
    "decision",
    metadata,
    Column("conflict_id", Key, primary_key=True),
    Column("ruling", enumeration(Ruling), nullable=False),
    Column("about", Words, nullable=False),
    Column("decided_by", Words, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

# ── results and their way out ──

result_object: Final = Table(
    "result_object",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("case_id", BigId, ForeignKey("cases.id"), nullable=False),
    Column("position", sa.Integer, nullable=False),  # sending order within the version
    Column("kind", enumeration(Kind), nullable=False),
    Column("role", Key, nullable=False),
    Column("axilla", Key, nullable=False),
    Column("idx", sa.Integer, nullable=False),
    Column("sop_class_uid", Key, nullable=False),
    Column("sop_instance_uid", Key, nullable=False, unique=True),
    Column("study_instance_uid", Key, nullable=False),
    Column("series_instance_uid", Key, nullable=False),
    Column("transfer_syntax_uid", Key, nullable=False),
    Column("needs", sa.JSON, nullable=False),
    Column("instead_of", Key, nullable=False, server_default=""),  # SOP Instance UID
    UniqueConstraint("case_id", "axilla", "kind", "sop_class_uid", "idx"),
    sqlite_autoincrement=True,
)

result_bytes: Final = Table(  # a table of their own: nobody who looks for an object reads past its bytes
    "result_bytes",
    metadata,
    Column("result_object_id", BigId, ForeignKey("result_object.id"), primary_key=True, autoincrement=False),
    Column("encoded", sa.LargeBinary, nullable=False),
)

outbox: Final = Table(
    "outbox",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("result_object_id", BigId, ForeignKey("result_object.id"), nullable=False),
    Column("case_id", BigId, ForeignKey("cases.id"), nullable=False, index=True),
    Column("position", sa.Integer, nullable=False),  # sending order at this destination
    Column("destination", Key, nullable=False),
    Column("status", enumeration(OutboxStatus), nullable=False),
    Column("attempts", sa.Integer, nullable=False),
    Column("next_at", UtcDateTime, nullable=False),
    Column("queued_at", UtcDateTime, nullable=False),
    Column("tried_at", UtcDateTime),  # when a destination first may have seen the bytes; never taken back
    Column("unanswered", sa.Integer, nullable=False, server_default="0"),  # requests without an answer; never forgotten
    Column("stored_at", UtcDateTime),  # when the destination first acknowledged it
    Column("error", Words, nullable=False),
    UniqueConstraint("result_object_id", "destination"),
    sqlite_autoincrement=True,
)
IS_UNDERWAY: Final = outbox.c.status.in_([sa.literal_column("'waiting'"), sa.literal_column("'sent'")])
Index(
    "ix_outbox_underway",
    outbox.c.destination,
    outbox.c.case_id,
    outbox.c.position,
    sqlite_where=IS_UNDERWAY,
    postgresql_where=IS_UNDERWAY,
)

commitment: Final = Table(
    "commitment",
    metadata,
    Column("transaction_uid", Key, primary_key=True),
    Column("outbox_id", BigId, ForeignKey("outbox.id"), primary_key=True, autoincrement=False),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("answered_at", UtcDateTime),
)

# ── what radiologists have read ──

report_said: Final = (
    Table(  # every word on a report, in whatever order; a later one of the same report may take it back
        "report_said",
        metadata,
        Column("digest", Key, primary_key=True),
        Column("patient_id", Key, nullable=False),
        Column("issuer", Key, nullable=False),
        Column("report_id", Key, nullable=False),
        Column("study_instance_uid", Key, nullable=False, index=True),
        Column("accession_number", Key, nullable=False, index=True),
        Column("sent_at", UtcDateTime, nullable=False),
        Column("source_id", Key, nullable=False),
        Column("is_final", sa.Boolean, nullable=False),
        Column("arrived", sa.BigInteger, nullable=False, server_default="0"),  # sequence of the record
    )
)
Index("ix_report_said_report", report_said.c.report_id)

index_study: Final = Table(  # of versions that wait for the report of theirs, or did
    "index_study",
    metadata,
    Column("case_id", BigId, ForeignKey("cases.id"), primary_key=True, autoincrement=False),
    Column("study_instance_uid", Key, nullable=False),
    Column("accession_number", Key, nullable=False),
    Column("waiting_since", UtcDateTime, nullable=False),
    Column("released_at", UtcDateTime),
)
IS_UNREAD: Final = index_study.c.released_at.is_(None)
Index("ix_index_study_unread", index_study.c.case_id, sqlite_where=IS_UNREAD, postgresql_where=IS_UNREAD)

# ── what the PACS was asked ──

study_count: Final = Table(
    "study_count",
    metadata,
    Column("case_id", BigId, ForeignKey("cases.id"), primary_key=True, autoincrement=False),
    Column("study_instance_uid", Key, primary_key=True),
    Column("asked_at", UtcDateTime),
    Column("counted_at", UtcDateTime),
    Column("listed", sa.JSON, nullable=False),  # modality -> instances
    Column("digest", Words, nullable=False),
    Column("missing", sa.JSON, nullable=False),  # [modality, SOP Instance UID]
    Column("equal_polls", sa.Integer, nullable=False),
    Column("next_at", UtcDateTime, nullable=False),
    Column("error", Words, nullable=False),
)

study_search: Final = Table(
    "study_search",
    metadata,
    Column("case_id", BigId, ForeignKey("cases.id"), primary_key=True, autoincrement=False),
    Column("next_at", UtcDateTime),
    Column("searched_at", UtcDateTime),
    Column("attempts", sa.Integer, nullable=False),
    Column("error", Words, nullable=False),
)

retrieval: Final = Table(
    "retrieval",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("case_id", BigId, ForeignKey("cases.id"), nullable=False),
    Column("issuer", Key, nullable=False),
    Column("patient_id", Key, nullable=False),
    Column("study_instance_uid", Key, nullable=False),
    Column("series_instance_uid", Key, nullable=False),  # empty: the study
    Column("sop_instance_uids", sa.JSON, nullable=False),  # none: the whole of it
    Column("why", Words, nullable=False),
    Column("status", enumeration(RetrievalStatus), nullable=False),
    Column("attempts", sa.Integer, nullable=False),
    Column("next_at", UtcDateTime, nullable=False),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("settled_at", UtcDateTime),
    Column("error", Words, nullable=False),
    UniqueConstraint("case_id", "study_instance_uid", "series_instance_uid"),
    sqlite_autoincrement=True,
)
IS_WANTED: Final = retrieval.c.status == sa.literal_column("'waiting'")
Index("ix_retrieval_wanted", retrieval.c.next_at, sqlite_where=IS_WANTED, postgresql_where=IS_WANTED)
