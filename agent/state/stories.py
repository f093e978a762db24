"""Reading for people: lists of cases, and one case's whole story. Nothing here changes anything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

from agent.core.case import CaseEvent, CaseState
from agent.core.result import Kind
from agent.state import tables as t
from agent.state.contradictions import held_for
from agent.state.reads import awaited, awaits_report_since

_IS_LINEAGE: Final = t.case_document.c.name == "lineage"


@dataclass(frozen=True, slots=True)
class CaseLine:
    """One version of a case in a list."""

    id: int
    case_uuid: str
    version: int
    question: str
    issuer: str
    patient_id: str
    state: str
    opened_at: datetime
    ready_at: datetime | None
    sr_stored_at: datetime | None  # when the destination acknowledged the first SR
    reason: str
    instances: int
    summary: Mapping[str, Any]
    held_since: datetime | None = None  # of a held one
    awaits_report_since: datetime | None = None  # of one whose results wait for the report of the index study


@dataclass(frozen=True, slots=True)
class Story:
    """One version of a case with all that belongs to it; each row is as the table holds it."""

    case: CaseLine
    findings: Mapping[str, Any]
    events: Sequence[Mapping[str, Any]]
    instances: Sequence[Mapping[str, Any]]
    deliveries: Sequence[Mapping[str, Any]]
    others: Sequence[Mapping[str, Any]] = ()  # what else arrived of this patient
    held_for: Sequence[Mapping[str, Any]] = ()  # what a person has to decide, or decided
    counts: Sequence[Mapping[str, Any]] = ()  # by the PACS, a row a study
    retrievals: Sequence[Mapping[str, Any]] = ()  # requested from the PACS
    awaited: Sequence[Mapping[str, Any]] = ()  # the study whose report releases it


@dataclass(frozen=True, slots=True)
class Origins:
    """Where the answer of one version came from, and that of the version before."""

    case: CaseLine
    lineage: Mapping[str, Any]  # empty: none was kept
    before: CaseLine | None
    lineage_before: Mapping[str, Any]


def list_cases(connection: sa.Connection, state: CaseState | None, limit: int) -> Sequence[CaseLine]:
    """List versions, the newest first; held ones, which wait for somebody, the longest held first."""
    newest = t.cases.c.id.desc()
    query = _lines().order_by(*((sa.text("held_since"), newest) if state is CaseState.HELD else (newest,))).limit(limit)
    if state is CaseState.HELD:
        query = query.where(t.IS_HELD)
    elif state is not None:
        query = query.where(t.cases.c.state == state)
    return [_line(row) for row in connection.execute(query).mappings()]


def count_cases(connection: sa.Connection, state: CaseState | None) -> int:
    """Count versions."""
    query = sa.select(sa.func.coalesce(sa.func.sum(t.tally.c.number), 0)).where(t.tally.c.subject == "cases")
    if state is not None:
        query = query.where(t.tally.c.name == state)
    return int(connection.execute(query).scalar_one())


def case_story(connection: sa.Connection, case_id: int) -> Story | None:
    """Return everything about one version, or None where there is none of this number."""
    row = connection.execute(_lines().where(t.cases.c.id == case_id)).mappings().one_or_none()
    if row is None:
        return None
    documents = sa.select(t.case_document.c.body).where(
        t.case_document.c.case_id == case_id, t.case_document.c.name == "findings"
    )
    events = sa.select(t.case_event).where(t.case_event.c.case_id == case_id).order_by(t.case_event.c.id)
    return Story(
        case=_line(row),
        findings=connection.execute(documents).scalar() or {},
        events=[dict(r) for r in connection.execute(events).mappings()],
        instances=[dict(r) for r in connection.execute(_instances(case_id)).mappings()],
        deliveries=[dict(r) for r in connection.execute(_deliveries(case_id)).mappings()],
        held_for=held_for(connection, case_id),
        others=[dict(r) for r in connection.execute(_others(row)).mappings()],
        counts=[dict(r) for r in connection.execute(_of_case(t.study_count, case_id)).mappings()],
        awaited=[dict(r) for r in connection.execute(awaited(case_id)).mappings()],
        retrievals=[dict(r) for r in connection.execute(_of_case(t.retrieval, case_id)).mappings()],
    )


def case_origins(connection: sa.Connection, case_id: int) -> Origins | None:
    """Return the lineage of one version, or None where there is none of this number.

    The version before is the one that it named as its predecessor, else the newest earlier one that has a lineage.
    """
    case = _one_line(connection, case_id)
    if case is None:
        return None
    lineage = _lineage(connection, case_id)
    before_id = (lineage.get("supersedes") or {}).get("case") or connection.execute(_earlier(case)).scalar()
    if before_id is None:
        return Origins(case, lineage, None, {})
    return Origins(case, lineage, _one_line(connection, before_id), _lineage(connection, before_id))


def _one_line(connection: sa.Connection, case_id: int) -> CaseLine | None:
    row = connection.execute(_lines().where(t.cases.c.id == case_id)).mappings().one_or_none()
    return None if row is None else _line(row)


def _lineage(connection: sa.Connection, case_id: int) -> Mapping[str, Any]:
    body = sa.select(t.case_document.c.body).where(_IS_LINEAGE, t.case_document.c.case_id == case_id)
    return connection.execute(body).scalar() or {}


def _earlier(case: CaseLine) -> sa.Select[Any]:
    return (
        sa.select(t.cases.c.id)
        .join(t.case_document, sa.and_(t.case_document.c.case_id == t.cases.c.id, _IS_LINEAGE))
        .where(t.cases.c.case_uuid == UUID(case.case_uuid), t.cases.c.version < case.version)
        .order_by(t.cases.c.version.desc())
        .limit(1)
    )


def _lines() -> sa.Select[Any]:
    held = sa.select(sa.func.count()).where(t.case_instance.c.case_id == t.cases.c.id).scalar_subquery()
    first_sr = (
        sa.select(sa.func.min(t.outbox.c.stored_at))
        .join(t.result_object, t.result_object.c.id == t.outbox.c.result_object_id)
        .where(t.outbox.c.case_id == t.cases.c.id, t.result_object.c.kind.in_([Kind.SR, Kind.TEXT_SR]))
        .scalar_subquery()
    )
    document = sa.and_(t.case_document.c.case_id == t.cases.c.id, t.case_document.c.name == "summary")
    return sa.select(
        t.cases,
        held.label("instances"),
        first_sr.label("sr_stored_at"),
        t.case_document.c.body.label("summary"),
        held_since().label("held_since"),
        awaits_report_since().label("awaits_report_since"),
    ).join(t.case_document, document, isouter=True)


def held_since() -> sa.ScalarSelect[Any]:
    """When a case began to be held; another contradiction found since then changes nothing of that."""
    event = t.case_event.c
    found = (event.event == CaseEvent.CONFLICT_FOUND, event.from_state != CaseState.HELD)
    return (
        sa.select(sa.func.max(event.at))
        .where(event.case_id == t.cases.c.id, *found, t.cases.c.state == CaseState.HELD)
        .correlate(t.cases)
        .scalar_subquery()
    )


def _line(row: Mapping[Any, Any]) -> CaseLine:
    names = ("id", "version", "question", "issuer", "patient_id", "opened_at", "ready_at", "reason", "instances")
    return CaseLine(
        **{name: row[name] for name in names},
        case_uuid=str(row["case_uuid"]),
        state=str(row["state"]),
        sr_stored_at=row["sr_stored_at"],
        summary=row["summary"] or {},
        held_since=row["held_since"],
        awaits_report_since=row["awaits_report_since"],
    )


def _instances(case_id: int) -> sa.Select[Any]:
    columns = [t.instance.c[n] for n in ("sop_instance_uid", "modality", "laterality", "view_position", "received_at")]
    link = t.case_instance.c
    return (
        sa.select(*columns, link.used, link.left_out, link.quarantined)
        .join(t.case_instance, link.instance_id == t.instance.c.id)
        .where(link.case_id == case_id)
        .order_by(t.instance.c.id)
    )


def _others(case: Mapping[Any, Any]) -> sa.Select[Any]:
    """Everything that arrived of the case's patient and is not among its instances, in order of arrival."""
    table = t.arrival.c
    names = ("sop_instance_uid", "study_instance_uid", "modality", "received_at", "ending", "reason")
    mine = (
        sa.select(t.instance.c.sop_instance_uid)
        .join(t.case_instance, t.case_instance.c.instance_id == t.instance.c.id)
        .where(t.case_instance.c.case_id == case["id"])
    )
    return (
        sa.select(*(table[name] for name in names))
        .where(table.issuer == case["issuer"], table.patient_id == case["patient_id"])
        .where(table.sop_instance_uid.not_in(mine))
        .order_by(table.received_at, table.sop_instance_uid)
    )


def _of_case(table: sa.Table, case_id: int) -> sa.Select[Any]:
    return sa.select(table).where(table.c.case_id == case_id).order_by(*table.primary_key.columns)


def _deliveries(case_id: int) -> sa.Select[Any]:
    box, made = t.outbox.c, t.result_object.c
    return (
        sa.select(made.role, made.sop_instance_uid, box.destination, box.status, box.attempts, box.stored_at, box.error)
        .join(t.result_object, made.id == box.result_object_id)
        .where(box.case_id == case_id)
        .order_by(box.destination, box.position)
    )
