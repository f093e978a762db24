"""What the spool said: cursor, associations, arrivals and instances."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy import Column, Index, Table

from agent.core.instance import End
from agent.state.tables.base import metadata
from agent.state.types import BigId, Key, UtcDateTime, Words, enumeration

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

owed_copy: Final = Table(
    "owed_copy",
    metadata,
    Column("segment", sa.BigInteger, primary_key=True, autoincrement=False),
    Column("generation", sa.BigInteger, primary_key=True, autoincrement=False),
    Column("offset_bytes", sa.BigInteger, primary_key=True, autoincrement=False),
    Column("reason", Words, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("until_bytes", sa.BigInteger),
    Column("is_unread", sa.Boolean, nullable=False, server_default=sa.false()),
)

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
