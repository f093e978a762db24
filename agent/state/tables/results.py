"""Results and their way out."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Index, Table, UniqueConstraint

from agent.core.ports import OutboxStatus
from agent.core.result import Kind
from agent.state.tables.base import metadata
from agent.state.types import BigId, Key, UtcDateTime, Words, enumeration

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
