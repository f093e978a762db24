"""What a person has to decide, what was decided, and cases that change hands."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import sqlalchemy as sa

from agent.core.case import Case, CaseEvent, CaseState
from agent.core.conflict import Conflict, ConflictKind, Decision
from agent.core.demographics import Demographics
from agent.core.patient import PatientKey
from agent.core.stored import StoredInstance
from agent.state.cases import case_of
from agent.state.instances import Instances
from agent.state.tables import IS_HELD, case_instance, cases, decision, instance

_WATCHED: Final = (CaseState.COLLECTING, CaseState.DORMANT, CaseState.DONE, CaseState.FAILED)


class Holds(Instances):
    """Cases of patients as a whole."""

    def heads(self, patient: PatientKey) -> Sequence[Case]:
        """The newest version of each case of a patient (canonical), but for absorbed cases; the newest case last."""
        theirs = (cases.c.patient_id == patient.patient_id, cases.c.issuer == patient.issuer)
        later, first = cases.alias("later"), cases.alias("first")
        is_head = ~sa.exists().where(later.c.case_uuid == cases.c.case_uuid, later.c.version > cases.c.version)
        query = (
            sa.select(cases)
            .join(first, sa.and_(first.c.case_uuid == cases.c.case_uuid, first.c.version == 1))
            .where(*theirs, cases.c.absorbed_by.is_(None), is_head)
            .order_by(first.c.id)
        )
        return [case_of(row) for row in self._db.execute(query)]

    def versions(self, case: Case) -> Sequence[Case]:
        """Every version of a case, the first one first."""
        query = sa.select(cases).where(cases.c.case_uuid == case.case_uuid).order_by(cases.c.version)
        return [case_of(row) for row in self._db.execute(query)]

    def said_in(self, case_id: int) -> Sequence[tuple[PatientKey, Demographics]]:
        """How the instances of a version name their patient, but for those that a person left out; each way once."""
        table = instance.c
        columns = (table.issuer, table.patient_id, table.patient_name, table.birth_date, table.sex)
        query = (
            sa.select(*columns)
            .distinct()
            .join(case_instance, case_instance.c.instance_id == table.id)
            .where(case_instance.c.case_id == case_id, table.barred == "")
        )
        return [(PatientKey(r[0], r[1]), Demographics(r[2], r[3], r[4])) for r in self._db.execute(query)]

    def is_disputed(self, case: Case) -> bool:
        """Whether a later version of the same case is HELD."""
        later = (cases.c.case_uuid == case.case_uuid, cases.c.version > case.version)
        return bool(
            self._db.execute(sa.select(sa.exists().where(*later, cases.c.state == CaseState.HELD))).scalar_one()
        )

    def rekey(self, case: Case, patient: PatientKey, at: datetime, reason: str) -> Case:
        """Give an unanswered version to another patient. Raises StaleCase."""
        moved = self.apply(case, CaseEvent.FACTS_CHANGED, at, reason=reason, due_at=at)
        self._db.execute(
            sa.update(cases).where(cases.c.id == case.id).values(issuer=patient.issuer, patient_id=patient.patient_id)
        )
        return self.case(moved.id)

    def open_version_for(self, previous: Case, patient: PatientKey, at: datetime) -> Case:
        """Open version n+1 of a case, COLLECTING, of another patient, with the instances of version n."""
        opened = self.open_version(previous, at)
        values = {"issuer": patient.issuer, "patient_id": patient.patient_id, "due_at": at}
        self._db.execute(sa.update(cases).where(cases.c.id == opened.id).values(**values))
        return self.case(opened.id)

    def absorb(self, case: Case, by: UUID) -> None:
        """Note that a case is part of another now, whose next result supersedes its own."""
        self._db.execute(sa.update(cases).where(cases.c.case_uuid == case.case_uuid).values(absorbed_by=by))

    def link(self, case: Case, stored: StoredInstance) -> None:
        """Add a known instance to a version."""
        self._add(case_instance, case_id=case.id, instance_id=stored.id, used=False, left_out="", quarantined=False)

    def unlink(self, case: Case, stored: StoredInstance) -> None:
        """Take an instance out of a version."""
        this = (case_instance.c.case_id == case.id, case_instance.c.instance_id == stored.id)
        self._db.execute(sa.delete(case_instance).where(*this))

    def withdraw(self, case: Case, at: datetime, reason: str) -> Case:
        """Close a version; what it has in the outbox is never sent. Raises StaleCase, IllegalTransition."""
        return self.apply(case, CaseEvent.WITHDRAWN, at, reason=reason)

    def wake(self, patient: PatientKey, at: datetime) -> None:
        """Look at the patient's (canonical) newest versions again at once, those that wait and those that are done."""
        due = [case.id for case in self.heads(patient) if case.state in _WATCHED]
        woken = {"due_at": at, "revision": cases.c.revision + 1}
        self._db.execute(sa.update(cases).where(cases.c.id.in_(due)).values(**woken))

    def hold(self, case: Case, conflicts: Sequence[Conflict], at: datetime) -> Case:
        """Keep a version for a person: CONFLICT_FOUND, or the new list of conflicts of one that is HELD.

        A new list is news: who looked at the one before cannot write about the case any more. Raises StaleCase.
        """
        reason = " ".join(conflict.sentence for conflict in conflicts)
        if case.state is CaseState.HELD:
            self._update(case, reason=reason, revision=case.revision + 1)
            held = self.case(case.id)
        else:
            held = self.apply(case, CaseEvent.CONFLICT_FOUND, at, reason=reason)
        rows = [{"kind": c.kind, "subjects": list(c.subjects), "sentence": c.sentence} for c in conflicts]
        self._keep(case.id, "conflicts", {"conflicts": rows})
        return held

    def conflicts(self, case_id: int) -> Sequence[Conflict]:
        """What `hold` kept last."""
        rows = self._document(case_id, "conflicts").get("conflicts", ())
        return [Conflict(ConflictKind(row["kind"]), tuple(row["subjects"]), row["sentence"]) for row in rows]

    def held(self) -> Sequence[Case]:
        """Every HELD version."""
        query = sa.select(cases).where(IS_HELD).order_by(cases.c.id)
        return [case_of(row) for row in self._db.execute(query)]

    def decide(self, decided: Decision) -> None:
        """Keep a decision; a later one of the same conflict replaces it."""
        values = {"ruling": decided.ruling, "about": decided.about, "decided_by": decided.by, "at": decided.at}
        insert = self._insert(decision).values(conflict_id=decided.conflict_id, **values)
        self._db.execute(insert.on_conflict_do_update(index_elements=["conflict_id"], set_=values))

    def decision(self, conflict_id: str) -> Decision | None:
        """What was decided about a conflict."""
        row = self._db.execute(sa.select(decision).where(decision.c.conflict_id == conflict_id)).one_or_none()
        return None if row is None else Decision(conflict_id, row.ruling, row.about, row.decided_by, row.at)
