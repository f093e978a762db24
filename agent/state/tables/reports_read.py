"""What radiologists have read."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Index, Table

from agent.state.tables.base import metadata
from agent.state.types import BigId, Key, UtcDateTime

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
