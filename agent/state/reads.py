"""What radiologists have read, and the versions that wait for it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from agent.core.case import Case, CaseState
from agent.core.identities import digest_of
from agent.core.patient import PatientKey
from agent.core.ports import OutboxStatus
from agent.core.reads import BY_WORD, IndexStudy, Read
from agent.state.cases import case_of
from agent.state.resending import anything_sent
from agent.state.tables import IS_UNREAD, cases, index_study, outbox, report_said
from agent.state.work import Work

_HELD: Final = OutboxStatus.AWAITING_REPORT


class Reads(Work):
    """Reports, and results held back for them."""

    def note_read(self, read: Read) -> bool:
        """Note what is said of a report; return whether it was new. What is repeated keeps its first place."""
        key, about = read.patient, (read.report_id, read.study_instance_uid, read.accession_number)
        said = (key.issuer, key.patient_id, *about, read.sent_at.isoformat(), read.source_id, str(read.is_final))
        row = {"patient_id": key.patient_id, "issuer": key.issuer, "report_id": read.report_id}
        row |= {"study_instance_uid": read.study_instance_uid, "accession_number": read.accession_number}
        at = {"sent_at": read.sent_at, "source_id": read.source_id, "arrived": read.arrived, "is_final": read.is_final}
        return self._is_new_apart(report_said, digest=digest_of(*said), **row, **at)

    def reads(self, study_instance_uid: str, accession_number: str) -> Sequence[Read]:
        """What names a study, or its accession number alone, and whatever takes one of these reports back."""
        table = report_said.c
        by_number = (table.study_instance_uid == "", table.accession_number == accession_number)
        named = [table.study_instance_uid == study_instance_uid]
        named += [sa.and_(*by_number)] if accession_number else []
        reports = sa.union(*(sa.select(table.report_id).where(one) for one in named)).subquery()
        taken_back = sa.and_(table.report_id.in_(sa.select(reports.c.report_id)), ~table.is_final)
        query = sa.union(*(sa.select(report_said).where(one) for one in (*named, taken_back)))
        return [_read_of(row) for row in self._db.execute(query.order_by("sent_at", "arrived", "digest"))]

    def wait_for_read(self, case: Case, index: IndexStudy) -> None:
        """Say that a version waits until its index study was read."""
        values = {
            "study_instance_uid": index.study_instance_uid,
            "accession_number": index.accession_number,
            "waiting_since": index.waiting_since,
            "released_at": index.released_at,
        }
        insert = self._insert(index_study).values(case_id=case.id, **values)
        self._db.execute(insert.on_conflict_do_update(index_elements=["case_id"], set_=values))

    def index_study(self, case_id: int) -> IndexStudy | None:
        """The index study of a version that waits for its report, or did."""
        row = self._db.execute(sa.select(index_study).where(index_study.c.case_id == case_id)).one_or_none()
        if row is None:
            return None
        return IndexStudy(row.study_instance_uid, row.accession_number, row.waiting_since, row.released_at)

    def waiting_for_read(self, patient: PatientKey) -> Sequence[Case]:
        """A patient's (canonical) DELIVERING versions that wait, or did, the oldest first."""
        theirs = (cases.c.patient_id == patient.patient_id, cases.c.issuer == patient.issuer)
        query = sa.select(cases).join(index_study, index_study.c.case_id == cases.c.id).order_by(cases.c.id)
        return [case_of(row) for row in self._db.execute(query.where(*theirs, cases.c.state == CaseState.DELIVERING))]

    def hold_back(self, case: Case) -> bool:
        """Let nothing of a version leave that has not begun to; return whether that is so now."""
        if anything_sent(self._db, case.id):
            return False
        self._turn(case.id, OutboxStatus.WAITING, {"status": _HELD})
        self._note_release(case.id, None)
        return True

    def let_go(self, case: Case, at: datetime) -> bool:
        """Let a version leave that was held back, as if it had been queued at `at`; return whether it was held back."""
        self._note_release(case.id, at)
        return self._turn(case.id, _HELD, {"status": OutboxStatus.WAITING, "queued_at": at, "next_at": at}) > 0

    def let_all_go(self, at: datetime) -> int:
        """Let every version leave that is held back, none of which waits from now on; return how many there were."""
        held = sa.select(index_study.c.case_id).where(IS_UNREAD).order_by(index_study.c.case_id)
        waiting = [
            self.let_go(case_of(row), at) for row in self._db.execute(sa.select(cases).where(cases.c.id.in_(held)))
        ]
        self._db.execute(sa.delete(index_study))
        return sum(waiting)

    def is_overtaken(self, case: Case) -> bool:
        """Whether a destination may have seen something of a later version of the same case."""
        later = (cases.c.case_uuid == case.case_uuid, cases.c.version > case.version)
        seen = sa.exists().where(*later, outbox.c.case_id == cases.c.id, outbox.c.tried_at.is_not(None))
        return bool(self._db.execute(sa.select(seen)).scalar_one())

    def _turn(self, case_id: int, status: OutboxStatus, values: dict[str, Any]) -> int:
        """Change the items of a version that have a status; return how many there were."""
        which = sa.and_(outbox.c.case_id == case_id, outbox.c.status == status)
        self._tally.rewrite_outbox(which, values["status"])
        return self._db.execute(sa.update(outbox).where(which).values(**values)).rowcount

    def _note_release(self, case_id: int, at: datetime | None) -> None:
        """Keep when a version was let go first; None: it waits again."""
        value = sa.func.coalesce(index_study.c.released_at, sa.bindparam(None, at, index_study.c.released_at.type))
        update = sa.update(index_study).where(index_study.c.case_id == case_id)
        self._db.execute(update.values(released_at=value if at else None))


def _read_of(row: sa.Row[Any]) -> Read:
    key, about = PatientKey(row.issuer, row.patient_id), (row.report_id, row.study_instance_uid, row.accession_number)
    return Read(key, *about, row.sent_at, row.source_id, row.is_final, row.arrived)


def _awaits() -> tuple[sa.ColumnElement[bool], ...]:
    return IS_UNREAD, index_study.c.case_id == cases.c.id, cases.c.state == CaseState.DELIVERING


def count_awaiting() -> sa.Select[int, Any]:
    """Ask how many versions wait for a report, and since when the longest."""
    return sa.select(sa.func.count(), sa.func.min(index_study.c.waiting_since)).where(*_awaits())


def awaits_report_since() -> sa.ScalarSelect[Any]:
    """Ask of a version in `cases` since when it waits for a report; nothing where it does not."""
    return sa.select(index_study.c.waiting_since).where(*_awaits()).correlate(cases).scalar_subquery()


def awaited(case_id: int) -> sa.Select[Any]:
    """Ask for the study whose report releases a version, and who last said in place of a report that it was read."""
    said = report_said.c
    by_word = (
        sa.select(said.source_id)
        .where(said.report_id.startswith(BY_WORD), said.study_instance_uid == index_study.c.study_instance_uid)
        .order_by(said.sent_at.desc())
        .limit(1)
    )
    released_by = by_word.correlate(index_study).scalar_subquery().label("released_by")
    return sa.select(index_study, released_by).where(index_study.c.case_id == case_id)
