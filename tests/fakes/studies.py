# ruff: noqa: D102 - the port describes its methods
"""What the PACS was asked, in memory: the part of `tests.fakes.store` that `agent.state.studies` is in a database."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from agent.core.case import Case, CaseState
from agent.core.pacs import AGAIN, Retrieval, RetrievalStatus, Search, StudyCount, Wanted

if TYPE_CHECKING:
    from tests.fakes.tables import Tables


class FakeStudies:
    """A part of `FakeUnit`."""

    _t: Tables
    _ids: Iterator[int]

    def want_counts(self, case_id: int, study_instance_uids: Sequence[str], at: datetime) -> None:
        for uid in study_instance_uids:
            self._t.counts.setdefault((case_id, uid), (StudyCount(uid), at))
        for key, (count, next_at) in self._t.counts.items():
            if key[0] == case_id and next_at > at and count.asked_at is not None and count.asked_at < at:
                self._t.counts[key] = (count, at)

    def studies_to_ask(self, now: datetime, quiet_since: datetime, limit: int) -> Sequence[tuple[Case, StudyCount]]:
        due = sorted(
            (next_at, case_id, uid)
            for (case_id, uid), (_, next_at) in self._t.counts.items()
            if next_at <= now and self._collects(case_id) and self._t.cases[case_id].changed_at <= quiet_since
        )
        return [(self._t.cases[case_id], self._t.counts[case_id, uid][0]) for _, case_id, uid in due[:limit]]

    def _collects(self, case_id: int) -> bool:
        return self._t.cases[case_id].state is CaseState.COLLECTING and self._t.cases[case_id].due_at is not None

    def save_count(self, case_id: int, count: StudyCount, next_at: datetime) -> None:
        if (case_id, count.study_instance_uid) in self._t.counts:
            self._t.counts[case_id, count.study_instance_uid] = (count, next_at)

    def counts(self, case_id: int) -> Sequence[StudyCount]:
        return [self._t.counts[key][0] for key in sorted(self._t.counts) if key[0] == case_id]

    def not_arrived(self, sop_instance_uids: Collection[str]) -> frozenset[str]:
        return frozenset(sop_instance_uids) - {a.sop_instance_uid for a in self._t.arrivals.values()}

    def want_search(self, case_id: int, at: datetime) -> None:
        known = self._t.searches.get(case_id, Search(case_id, at))
        self._t.searches[case_id] = replace(known, next_at=at, attempts=0)

    def searches_due(self, now: datetime, limit: int) -> Sequence[tuple[Case, Search]]:
        due = sorted(
            (search.next_at, case_id)
            for case_id, search in self._t.searches.items()
            if search.next_at is not None and search.next_at <= now and self._collects(case_id)
        )
        return [(self._t.cases[case_id], self._t.searches[case_id]) for _, case_id in due[:limit]]

    def save_search(self, search: Search) -> None:
        if search.case_id in self._t.searches:
            self._t.searches[search.case_id] = search

    def search(self, case_id: int) -> Search | None:
        return self._t.searches.get(case_id)

    def want_study(self, case_id: int, wanted: Wanted, why: str, at: datetime) -> bool:
        if self._same(case_id, wanted) is not None:
            return False
        made = next(self._ids)
        patient = self._t.cases[case_id].patient
        waiting = RetrievalStatus.WAITING
        self._t.retrievals[made] = Retrieval(made, case_id, patient, wanted, why, waiting, 0, at, at)
        return True

    def _same(self, case_id: int, wanted: Wanted) -> Retrieval | None:
        place = (wanted.study_instance_uid, wanted.series_instance_uid)
        for one in self.retrievals(case_id):
            if (one.wanted.study_instance_uid, one.wanted.series_instance_uid) == place:
                return one
        return None

    def want_again(
        self, case_id: int, study_uid: str, series_uid: str, sop_instance_uids: Sequence[str], at: datetime
    ) -> None:
        wanted = Wanted(study_uid, series_uid, tuple(sorted(set(sop_instance_uids))))
        if self.want_study(case_id, wanted, AGAIN, at):
            return
        known = self._same(case_id, wanted)
        assert known is not None
        both = wanted
        if known.status is RetrievalStatus.WAITING:
            uids = known.wanted.sop_instance_uids
            both = replace(wanted, sop_instance_uids=tuple(sorted({*uids, *wanted.sop_instance_uids})) if uids else ())
        anew = replace(known, wanted=both, why=AGAIN, status=RetrievalStatus.WAITING, attempts=0, error="")
        self._t.retrievals[known.id] = replace(anew, next_at=at, asked_at=at)

    def retrieval_due(self, now: datetime) -> Retrieval | None:
        due = [
            one
            for one in self._t.retrievals.values()
            if one.status is RetrievalStatus.WAITING and one.next_at <= now and self._may_come(one)
        ]
        return min(due, key=lambda one: (one.next_at, one.id), default=None)

    def _may_come(self, one: Retrieval) -> bool:
        state = self._t.cases[one.case_id].state
        return state is CaseState.COLLECTING or (one.why == AGAIN and state is not CaseState.CLOSED)

    def save_retrieval(self, retrieved: Retrieval) -> None:
        if self._t.retrievals[retrieved.id].asked_at == retrieved.asked_at:
            kept = self._t.retrievals[retrieved.id].wanted
            self._t.retrievals[retrieved.id] = replace(retrieved, wanted=kept)

    def retrievals(self, case_id: int) -> Sequence[Retrieval]:
        return sorted((r for r in self._t.retrievals.values() if r.case_id == case_id), key=lambda r: r.id)
