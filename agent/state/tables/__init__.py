"""The tables, declared once. Changing one needs a migration: a test compares both."""

from agent.state.tables.asked import IS_WANTED, retrieval, study_count, study_search
from agent.state.tables.base import installation, metadata
from agent.state.tables.cases import (
    IS_HELD,
    IS_READY,
    IS_SCHEDULED,
    case_document,
    case_event,
    case_instance,
    cases,
    tally,
)
from agent.state.tables.identities import IS_UNDECIDED, alias, decision, identity, study_patient, told, variant
from agent.state.tables.received import IS_OPEN, OVERHEARD, arrival, association, instance, owed_copy, spool_cursor
from agent.state.tables.reports_read import IS_UNREAD, index_study, report_said
from agent.state.tables.results import IS_UNDERWAY, commitment, outbox, result_bytes, result_object

__all__ = [
    "IS_HELD",
    "IS_OPEN",
    "IS_READY",
    "IS_SCHEDULED",
    "IS_UNDECIDED",
    "IS_UNDERWAY",
    "IS_UNREAD",
    "IS_WANTED",
    "OVERHEARD",
    "alias",
    "arrival",
    "association",
    "case_document",
    "case_event",
    "case_instance",
    "cases",
    "commitment",
    "decision",
    "identity",
    "index_study",
    "installation",
    "instance",
    "metadata",
    "outbox",
    "owed_copy",
    "report_said",
    "result_bytes",
    "result_object",
    "retrieval",
    "spool_cursor",
    "study_count",
    "study_patient",
    "study_search",
    "tally",
    "told",
    "variant",
]
