"""Who is who: merges, what is said of patients, objects under one UID, and decisions."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy import Column, Index, Table, UniqueConstraint

from agent.core.conflict import Ruling
from agent.core.identities import Standing
from agent.state.tables.base import metadata
from agent.state.types import BigId, Key, UtcDateTime, Words, enumeration

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
