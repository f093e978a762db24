"""Cases: opened, found, and moved through one door."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

from agent.core.case import Case, CaseEvent, CaseState, IllegalTransition
from agent.core.errors import StaleCase
from agent.core.patient import PatientKey
from agent.state.move import CaseChange, claimed_by, move
from agent.state.resending import anything_sent, queue_again
from agent.state.tables import IS_READY, IS_SCHEDULED, case_document, case_event, cases
from agent.state.work import Work


def case_of(row: sa.Row[Any]) -> Case:
    """Return the value that a row of `cases` stands for."""
    return Case(
        id=row.id,
        case_uuid=row.case_uuid,
        version=row.version,
        question=row.question,
        patient=PatientKey(row.issuer, row.patient_id),
        state=row.state,
        attempt=row.attempt,
        opened_at=row.opened_at,
        changed_at=row.changed_at,
        due_at=row.due_at,
        ready_at=row.ready_at,
        reason=row.reason,
        revision=row.revision,
    )


class Cases(Work):
    """The only writer of a case's state."""

    def newest_case(self, question: str, patient: PatientKey) -> Case | None:
        """The newest version of the patient's newest case of a question, but for cases that another one absorbed.

        A case of which every version is CLOSED counts only where there is no other.
        """
        # cases whose moves were put off are remembered: those of others are as the database has them
        return self._once(("newest", question, patient), lambda: self._newest_case(question, patient))

    def _newest_case(self, question: str, patient: PatientKey) -> Case | None:
        theirs = {"of_patient_id": patient.patient_id, "of_issuer": patient.issuer, "of_question": question}
        row = self._connection.execute(_NEWEST, theirs).one_or_none()
        return None if row is None else case_of(row)

    def case(self, case_id: int) -> Case:
        """One version. Raises KeyError."""
        row = self._db.execute(sa.select(cases).where(cases.c.id == case_id)).one_or_none()
        if row is None:
            raise KeyError(case_id)
        return case_of(row)

    def lock(self, case_id: int) -> Case:
        """One version, which nobody else moves or settles until this unit ends. Raises KeyError.

        SQLite lets one unit write at a time anyway.
        """
        row = self._db.execute(sa.select(cases).where(cases.c.id == case_id).with_for_update()).one_or_none()
        if row is None:
            raise KeyError(case_id)
        return case_of(row)

    def open_case(self, question: str, patient: PatientKey, at: datetime, case_uuid: UUID) -> Case:
        """Open version 1 of a new case, COLLECTING. Raises StaleCase if there is one of this UUID."""
        opened = self._open(case_uuid, 1, question, patient, at)
        self._known["newest", question, patient] = opened
        return opened

    def _open(self, case_uuid: UUID, version: int, question: str, patient: PatientKey, at: datetime) -> Case:
        row = {
            "case_uuid": case_uuid,
            "version": version,
            "question": question,
            "issuer": patient.issuer,
            "patient_id": patient.patient_id,
            "state": CaseState.COLLECTING,
            "attempt": 0,
            "opened_at": at,
            "changed_at": at,
            "reason": "",
        }
        insert = self._insert(cases).on_conflict_do_nothing().returning(cases)
        opened = self._connection.execute(insert, row).one_or_none()
        if opened is None:
            raise StaleCase(f"version {version} of this case is open already")
        self._tally.add("cases", CaseState.COLLECTING)
        return case_of(opened)

    def apply(
        self,
        case: Case,
        event: CaseEvent,
        at: datetime,
        *,
        reason: str = "",
        due_at: datetime | None = None,
        detail: str = "",
    ) -> Case:
        """Apply one event: the only door to a case's state. `detail` stands behind the reason in the history alone.

        RESEND also puts every object of the version back into the outbox, as if queued at `at`.

        Raises
        ------
        StaleCase
            If the stored case is not the one that the caller looked at: another state or attempt, or news since.
        IllegalTransition
            If the table has no such row, or a version of which something was sent would be run again.
        """
        moved = move(case, event, at, reason=reason, due_at=due_at)
        self._update(
            case,
            state=moved.state,
            attempt=moved.attempt,
            changed_at=moved.changed_at,
            due_at=moved.due_at,
            ready_at=moved.ready_at,
            reason=moved.reason,
        )
        if event is CaseEvent.RERUN and anything_sent(self._db, case.id):
            raise IllegalTransition("something of this version was sent: resend it instead")
        if event is CaseEvent.RESEND:
            self.queue_again(case.id, at)
        self._tally.moved(case, moved)
        self._note(case, moved, event, at, reason + detail)
        return moved

    def queue_again(self, case_id: int, at: datetime) -> None:
        """Put every object of a version back into the outbox, as if it had been queued at `at`."""
        queue_again(self._db, self._tally, case_id, at)

    def _apply_later(self, case: Case, event: CaseEvent, at: datetime, due_at: datetime) -> Case:
        """Apply news to a case together with what else comes for it, if it was read or moved in this unit last."""
        newest = ("newest", case.question, case.patient)
        if self._known.get(newest) != case:
            return self.apply(case, event, at, due_at=due_at)
        moved = move(case, event, at, due_at=due_at)
        self._tally.moved(case, moved)
        self._later.move(case, moved, _line(case, moved, event, at, ""))
        self._known[newest] = moved
        return moved

    def _note(self, case: Case, moved: Case, event: CaseEvent, at: datetime, reason: str) -> None:
        self._db.execute(sa.insert(case_event), _line(case, moved, event, at, reason))

    def _update(self, case: Case, **values: Any) -> None:
        """Write to a case if it still is the one the caller looked at. Raises StaleCase."""
        if self._db.execute(sa.update(cases).where(*_same(case)).values(**values)).rowcount == 0:
            raise StaleCase(f"case {case.id} moved on")

    def _fence(self, case: Case) -> None:
        """Let nobody write about a case that moved on. Raises StaleCase."""
        query = sa.select(cases.c.id).where(*_same(case)).with_for_update()
        if self._db.execute(query).one_or_none() is None:
            raise StaleCase(f"case {case.id} moved on")

    def history(self, case_id: int) -> Sequence[CaseChange]:
        """What happened to a version, in order."""
        rows = self._db.execute(sa.select(case_event).where(case_event.c.case_id == case_id).order_by(case_event.c.id))
        return [CaseChange(r.at, r.event, r.from_state, r.to_state, r.attempt, r.reason) for r in rows]

    def tally(self, case_id: int) -> Mapping[CaseEvent, int]:
        """How often each event happened to a version since it was last to be run again (RERUN); none: left away."""
        table = case_event.c
        mine = table.case_id == case_id
        rerun = sa.select(sa.func.max(table.id)).where(mine, table.event == CaseEvent.RERUN).scalar_subquery()
        query = sa.select(table.event, sa.func.count()).where(mine, table.id > sa.func.coalesce(rerun, 0))
        return {row[0]: int(row[1]) for row in self._db.execute(query.group_by(table.event))}

    def postpone(self, case: Case, due_at: datetime | None, reason: str) -> Case:
        """Look at the case again later, None: no more; its state stays. Raises StaleCase, also if woken since."""
        self._update(case, due_at=due_at, reason=reason)
        return replace(case, due_at=due_at, reason=reason)

    def due(self, states: Sequence[CaseState], now: datetime, limit: int) -> Sequence[Case]:
        """Cases in one of `states` that are due, the longest due first.

        One look a state: then the index gives them in order, and however many are due, no more than `limit` are read.
        """
        query = sa.select(cases).where(cases.c.due_at <= now).order_by(cases.c.due_at, cases.c.id).limit(limit)
        found = [(row.due_at, row.id, row) for s in states for row in self._db.execute(query.where(cases.c.state == s))]
        return [case_of(row) for _, _, row in sorted(found, key=lambda one: one[:2])[:limit]]

    def claim(self, now: datetime, lease_until: datetime, worker: str) -> Case | None:
        """Lease the longest waiting READY version whose earlier ones are not READY or RUNNING: CLAIMED, attempt + 1."""
        may_run = sa.or_(cases.c.due_at.is_(None), cases.c.due_at <= now)
        query = (
            sa.select(cases)
            .where(IS_READY, may_run, ~_is_behind_another())
            .order_by(cases.c.ready_at, cases.c.id)
            .limit(1)
        )
        row = self._db.execute(query.with_for_update(skip_locked=True)).one_or_none()
        if row is None:
            return None
        return self.apply(case_of(row), CaseEvent.CLAIMED, now, reason=claimed_by(worker), due_at=lease_until)

    def renew(self, case: Case, lease_until: datetime) -> None:
        """Prolong a lease. Raises StaleCase."""
        if case.state is not CaseState.RUNNING:
            raise StaleCase(f"case {case.id} is not leased")
        self._update(case, due_at=lease_until)

    def leases_of(self, worker: str) -> Sequence[Case]:
        """RUNNING cases that a worker of this name claimed."""
        theirs = (cases.c.state == CaseState.RUNNING, IS_SCHEDULED, cases.c.reason == claimed_by(worker))
        query = sa.select(cases).where(*theirs)
        return [case_of(row) for row in self._db.execute(query.order_by(cases.c.id))]

    def expired_leases(self, now: datetime) -> Sequence[Case]:
        """RUNNING cases whose lease is over."""
        query = sa.select(cases).where(cases.c.state == CaseState.RUNNING, cases.c.due_at <= now)
        return [case_of(row) for row in self._db.execute(query.order_by(cases.c.due_at, cases.c.id))]

    def save_findings(self, case: Case, findings: Mapping[str, Any]) -> None:
        """Keep what the decision rested on as JSON, with the version. Raises StaleCase."""
        self._fence(case)
        self._keep(case.id, "findings", findings)

    def findings(self, case_id: int) -> Mapping[str, Any]:
        """What `save_findings` kept; empty if nothing."""
        return self._document(case_id, "findings")

    def predecessor(self, case: Case) -> Case | None:
        """The newest earlier version of the same case that is not CLOSED."""
        earlier = (cases.c.case_uuid == case.case_uuid, cases.c.version < case.version)
        query = sa.select(cases).where(*earlier, cases.c.state != CaseState.CLOSED).order_by(cases.c.version.desc())
        row = self._db.execute(query.limit(1)).one_or_none()
        return None if row is None else case_of(row)

    def _keep(self, case_id: int, name: str, body: Mapping[str, Any]) -> None:
        insert = self._insert(case_document).values(case_id=case_id, name=name, body=dict(body))
        self._db.execute(
            insert.on_conflict_do_update(index_elements=["case_id", "name"], set_={"body": insert.excluded.body})
        )

    def _document(self, case_id: int, name: str) -> Mapping[str, Any]:
        query = sa.select(case_document.c.body).where(case_document.c.case_id == case_id, case_document.c.name == name)
        return self._db.execute(query).scalar_one_or_none() or {}


def _is_behind_another() -> sa.ColumnElement[bool]:
    """Whether an earlier version of the case is still to be answered: the later one will name it as its predecessor."""
    earlier = cases.alias("earlier")
    same_case = (earlier.c.case_uuid == cases.c.case_uuid, earlier.c.version < cases.c.version)
    return sa.exists().where(*same_case, earlier.c.state.in_([CaseState.READY, CaseState.RUNNING]))


def _same(case: Case) -> tuple[sa.ColumnElement[bool], ...]:
    """The conditions under which the stored case is the one that the caller looked at.

    State and attempt fence off a worker whose lease ended; `changed_at` and `revision` one that decided before the
    latest news.
    """
    table = cases.c
    return (
        table.id == case.id,
        table.state == case.state,
        table.attempt == case.attempt,
        table.changed_at == case.changed_at,
        table.revision == case.revision,
    )


def _line(case: Case, moved: Case, event: CaseEvent, at: datetime, reason: str) -> dict[str, Any]:
    line = {"case_id": case.id, "at": at, "event": event, "from_state": case.state, "to_state": moved.state}
    return {**line, "attempt": moved.attempt, "reason": reason}


def _select_newest() -> sa.Select[Any]:
    table, later, first, open_one = cases.c, cases.alias("later"), cases.alias("first"), cases.alias("open_one")
    is_open = sa.exists().where(open_one.c.case_uuid == table.case_uuid, open_one.c.state != CaseState.CLOSED)
    is_head = ~sa.exists().where(later.c.case_uuid == table.case_uuid, later.c.version > table.version)
    return (
        sa.select(cases)
        .join(first, sa.and_(first.c.case_uuid == table.case_uuid, first.c.version == 1))
        .where(table.patient_id == sa.bindparam("of_patient_id"), table.issuer == sa.bindparam("of_issuer"))
        .where(table.question == sa.bindparam("of_question"), table.absorbed_by.is_(None), is_head)
        .order_by(is_open.desc(), first.c.id.desc())
        .limit(1)
    )


_NEWEST: Final = _select_newest()
