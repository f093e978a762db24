"""Cases, what happened to them, what is kept of them, and how many rows there are."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Index, Table, UniqueConstraint

from agent.core.case import CaseEvent, CaseState
from agent.state.tables.base import metadata
from agent.state.types import BigId, Key, UtcDateTime, Words, enumeration

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
