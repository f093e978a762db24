# ruff: noqa: D102 - the port describes its methods
"""What radiologists have read, in memory: the part of `tests.fakes.store` that `agent.state.reads` is in a database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from agent.core.case import Case, CaseState
from agent.core.patient import PatientKey
from agent.core.ports import OutboxStatus
from agent.core.reads import IndexStudy, Read

if TYPE_CHECKING:
    from tests.fakes.tables import Tables


class FakeReads:
    """A part of `FakeUnit`."""

    _t: Tables

    def note_read(self, read: Read) -> bool:
        is_new = read not in self._t.reads
        self._t.reads.add(read)  # an equal one that is there stays
        return is_new

    def reads(self, study_instance_uid: str, accession_number: str) -> Sequence[Read]:
        naming = {one for one in self._t.reads if one.names(study_instance_uid, accession_number)}
        reports = {one.report_id for one in naming}
        found = naming | {one for one in self._t.reads if not one.is_final and one.report_id in reports}
        return sorted(found, key=lambda one: (one.sent_at, one.arrived))

    def wait_for_read(self, case: Case, index: IndexStudy) -> None:
        self._t.index_studies[case.id] = index

    def index_study(self, case_id: int) -> IndexStudy | None:
        return self._t.index_studies.get(case_id)

    def waiting_for_read(self, patient: PatientKey) -> Sequence[Case]:
        theirs = [case for case in self._t.cases.values() if case.patient == patient]
        return [c for c in theirs if c.state is CaseState.DELIVERING and c.id in self._t.index_studies]

    def hold_back(self, case: Case) -> bool:
        if any(item.id in self._t.tried for item in self._t.outbox.values() if item.case_id == case.id):
            return False
        self._turn(case.id, OutboxStatus.WAITING, OutboxStatus.AWAITING_REPORT)
        self._note_release(case.id, None)
        return True

    def let_go(self, case: Case, at: datetime) -> bool:
        self._note_release(case.id, at)
        return self._turn(case.id, OutboxStatus.AWAITING_REPORT, OutboxStatus.WAITING, at)

    def let_all_go(self, at: datetime) -> int:
        waiting = [case_id for case_id, index in self._t.index_studies.items() if index.released_at is None]
        released = [self.let_go(self._t.cases[case_id], at) for case_id in waiting]
        self._t.index_studies.clear()
        return sum(released)

    def is_overtaken(self, case: Case) -> bool:
        seen = (self._t.cases[item.case_id] for item in self._t.outbox.values() if item.id in self._t.tried)
        return any(one.case_uuid == case.case_uuid and one.version > case.version for one in seen)

    def _turn(self, case_id: int, status: OutboxStatus, to: OutboxStatus, at: datetime | None = None) -> bool:
        items = [item for item in self._t.outbox.values() if item.case_id == case_id and item.status is status]
        for item in items:
            turned = replace(item, status=to)
            self._t.outbox[item.id] = replace(turned, queued_at=at, next_at=at) if at else turned
        return bool(items)

    def _note_release(self, case_id: int, at: datetime | None) -> None:
        index = self._t.index_studies.get(case_id)
        if index is not None:
            self._t.index_studies[case_id] = replace(index, released_at=(index.released_at or at) if at else None)
