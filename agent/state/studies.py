"""What the PACS was asked about a case, what it said, and what is to be retrieved from it."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from agent.core.case import Case, CaseState
from agent.core.pacs import AGAIN, Retrieval, RetrievalStatus, Search, StudyCount, Wanted
from agent.core.patient import PatientKey
from agent.state.cases import case_of
from agent.state.tables import IS_SCHEDULED, IS_WANTED, arrival, cases, retrieval, study_count, study_search
from agent.state.work import Work

_AT_ONCE: Final = 500  # values in one condition


class Studies(Work):
    """Counts, searches and retrievals: rows that belong to a version."""

    def want_counts(self, case_id: int, study_instance_uids: Sequence[str], at: datetime) -> None:
        """Have studies counted from now on; one that is counted already and was not since `at`: at once."""
        table = study_count.c
        unasked = {"listed": {}, "digest": "", "missing": [], "equal_polls": 0, "error": "", "next_at": at}
        for uid in dict.fromkeys(study_instance_uids):
            self._add(study_count, case_id=case_id, study_instance_uid=uid, **unasked)
        stale = (table.case_id == case_id, table.next_at > at, sa.func.coalesce(table.asked_at, at) < at)
        self._db.execute(sa.update(study_count).where(*stale).values(next_at=at))

    def studies_to_ask(self, now: datetime, quiet_since: datetime, limit: int) -> Sequence[tuple[Case, StudyCount]]:
        """Studies of COLLECTING cases to be counted now, the longest due first; none of a case with later news."""
        due = (study_count.c.next_at <= now, cases.c.changed_at <= quiet_since)
        query = _of_collecting(study_count).where(*due).order_by(study_count.c.next_at, study_count.c.case_id)
        return [(self._case(row.case_id), _count_of(row)) for row in self._db.execute(query.limit(limit)).all()]

    def _case(self, case_id: int) -> Case:
        return case_of(self._db.execute(sa.select(cases).where(cases.c.id == case_id)).one())

    def save_count(self, case_id: int, count: StudyCount, next_at: datetime) -> None:
        """Keep what the PACS said, and when to ask again."""
        this = (study_count.c.case_id == case_id, study_count.c.study_instance_uid == count.study_instance_uid)
        said = {
            "asked_at": count.asked_at,
            "counted_at": count.counted_at,
            "listed": dict(count.listed),
            "digest": count.digest,
            "missing": [list(pair) for pair in count.missing],
            "equal_polls": count.equal_polls,
            "error": count.error,
        }
        self._db.execute(sa.update(study_count).where(*this).values(**said, next_at=next_at))

    def counts(self, case_id: int) -> Sequence[StudyCount]:
        """What the PACS said of each study that was to be counted, by Study Instance UID."""
        mine = sa.select(study_count).where(study_count.c.case_id == case_id)
        return [_count_of(row) for row in self._db.execute(mine.order_by(study_count.c.study_instance_uid))]

    def not_arrived(self, sop_instance_uids: Collection[str]) -> frozenset[str]:
        """Those of which no record was ever received, whatever became of it."""
        column, found = arrival.c.sop_instance_uid, set[str]()
        for part in _parts(sorted(set(sop_instance_uids))):
            found |= set(self._db.execute(sa.select(column).where(column.in_(part)).distinct()).scalars())
        return frozenset(sop_instance_uids) - found

    def want_search(self, case_id: int, at: datetime) -> None:
        """Have the PACS asked for a case's other studies at once."""
        insert = self._insert(study_search).values(case_id=case_id, next_at=at, attempts=0, error="")
        again = {"next_at": at, "attempts": 0}
        self._db.execute(insert.on_conflict_do_update(index_elements=["case_id"], set_=again))

    def searches_due(self, now: datetime, limit: int) -> Sequence[tuple[Case, Search]]:
        """COLLECTING cases whose other studies are to be looked for now."""
        query = _of_collecting(study_search).where(study_search.c.next_at <= now)
        rows = self._db.execute(query.order_by(study_search.c.next_at, study_search.c.case_id).limit(limit)).all()
        return [(self._case(row.case_id), _search_of(row)) for row in rows]

    def save_search(self, search: Search) -> None:
        """Keep how a look for studies went."""
        this = sa.update(study_search).where(study_search.c.case_id == search.case_id)
        said = {"next_at": search.next_at, "searched_at": search.searched_at}
        self._db.execute(this.values(**said, attempts=search.attempts, error=search.error))

    def search(self, case_id: int) -> Search | None:
        """How the last look for a case's studies went; None: it was not wanted yet."""
        row = self._db.execute(sa.select(study_search).where(study_search.c.case_id == case_id)).one_or_none()
        return None if row is None else _search_of(row)

    def want_study(self, case_id: int, wanted: Wanted, why: str, at: datetime) -> bool:
        """Request a retrieval; False: this case requested the same before."""
        patient = self._case(case_id).patient
        row = {
            "case_id": case_id,
            "issuer": patient.issuer,
            "patient_id": patient.patient_id,
            "study_instance_uid": wanted.study_instance_uid,
            "series_instance_uid": wanted.series_instance_uid,
            "sop_instance_uids": list(wanted.sop_instance_uids),
            "why": why,
            "status": RetrievalStatus.WAITING,
            "attempts": 0,
            "next_at": at,
            "asked_at": at,
            "error": "",
        }
        insert = self._insert(retrieval).values(**row).on_conflict_do_nothing().returning(retrieval.c.id)
        return self._db.execute(insert).one_or_none() is not None

    def want_again(
        self, case_id: int, study_uid: str, series_uid: str, sop_instance_uids: Sequence[str], at: datetime
    ) -> None:
        """Request instances whose bytes are no longer here; what was requested before is tried anew."""
        wanted = Wanted(study_uid, series_uid, tuple(sorted(set(sop_instance_uids))))
        if self.want_study(case_id, wanted, AGAIN, at):
            return
        table = retrieval.c
        this = (
            table.case_id == case_id,
            table.study_instance_uid == study_uid,
            table.series_instance_uid == series_uid,
        )
        row = self._db.execute(sa.select(retrieval).where(*this).with_for_update()).one()
        waiting = row.sop_instance_uids if row.status is RetrievalStatus.WAITING else wanted.sop_instance_uids
        both = sorted({*waiting, *wanted.sop_instance_uids}) if waiting else []  # none: the whole series
        anew = {"sop_instance_uids": both, "status": RetrievalStatus.WAITING, "attempts": 0, "next_at": at}
        self._db.execute(sa.update(retrieval).where(*this).values(**anew, asked_at=at, why=AGAIN, error=""))

    def retrieval_due(self, now: datetime) -> Retrieval | None:
        """The retrieval that waits longest; of missing studies only for COLLECTING cases, of inputs for open ones."""
        table = retrieval.c
        is_open = sa.and_(table.why == AGAIN, cases.c.state != CaseState.CLOSED)
        query = (
            sa.select(retrieval)
            .join(cases, cases.c.id == table.case_id)
            .where(IS_WANTED, table.next_at <= now, sa.or_(cases.c.state == CaseState.COLLECTING, is_open))
            .order_by(table.next_at, table.id)
        )
        row = self._db.execute(query.limit(1)).one_or_none()
        return None if row is None else _retrieval_of(row)

    def save_retrieval(self, retrieved: Retrieval) -> None:
        """Keep how a retrieval went; one that was requested anew meanwhile stays as requested."""
        table = retrieval.c
        same = (table.id == retrieved.id, table.asked_at == retrieved.asked_at)
        went = {"status": retrieved.status, "attempts": retrieved.attempts, "next_at": retrieved.next_at}
        values = {**went, "settled_at": retrieved.settled_at, "error": retrieved.error}
        self._db.execute(sa.update(retrieval).where(*same).values(**values))

    def retrievals(self, case_id: int) -> Sequence[Retrieval]:
        """What was requested for a version, in order."""
        mine = sa.select(retrieval).where(retrieval.c.case_id == case_id).order_by(retrieval.c.id)
        return [_retrieval_of(row) for row in self._db.execute(mine)]


def _of_collecting(table: sa.Table) -> sa.Select[Any]:
    """Rows of COLLECTING cases, found by the index of the cases that are scheduled."""
    collecting = (cases.c.state == CaseState.COLLECTING, IS_SCHEDULED)
    return sa.select(table).join(cases, cases.c.id == table.c.case_id).where(*collecting)


def _parts(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), _AT_ONCE):
        yield values[start : start + _AT_ONCE]


def _count_of(row: sa.Row[Any]) -> StudyCount:
    return StudyCount(
        row.study_instance_uid,
        row.asked_at,
        row.counted_at,
        row.listed,
        row.digest,
        tuple((modality, uid) for modality, uid in row.missing),
        row.equal_polls,
        row.error,
    )


def _search_of(row: sa.Row[Any]) -> Search:
    return Search(row.case_id, row.next_at, row.searched_at, row.attempts, row.error)


def _retrieval_of(row: sa.Row[Any]) -> Retrieval:
    return Retrieval(
        id=row.id,
        case_id=row.case_id,
        patient=PatientKey(row.issuer, row.patient_id),
        wanted=Wanted(row.study_instance_uid, row.series_instance_uid, tuple(row.sop_instance_uids)),
        why=row.why,
        status=row.status,
        attempts=row.attempts,
        next_at=row.next_at,
        asked_at=row.asked_at,
        settled_at=row.settled_at,
        error=row.error,
    )
