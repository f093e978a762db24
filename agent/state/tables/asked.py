"""What the PACS was asked."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Index, Table, UniqueConstraint

from agent.core.pacs import RetrievalStatus
from agent.state.tables.base import metadata
from agent.state.types import BigId, Key, UtcDateTime, Words, enumeration

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
