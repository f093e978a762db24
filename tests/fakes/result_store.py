# ruff: noqa: D102 - the port describes its methods
"""Results and their way out, in memory: what `agent.state.results` and `agent.state.outbox` are in a database."""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from agent.core.case import Case, CaseEvent, CaseState
from agent.core.errors import Permanent, StaleCase
from agent.core.ports import OutboxItem, OutboxStatus, Settled
from agent.core.result import Reference, ResultObject
from agent.state.move import check_spares, queued_as, sending_order
from tests.fakes.tables import Tables


class FakeResults:
    """A part of `FakeUnit`."""

    _t: Tables

    def save_result(
        self, case: Case, at: datetime, summary: Mapping[str, Any], objects: Mapping[str, Sequence[ResultObject]]
    ) -> Case:
        moved = self.apply(case, CaseEvent.RESULT_SAVED, at)
        if self._anything_sent(case.id):
            raise Permanent("something of this version was sent: its result cannot change")
        for item in self.outbox_of(case.id):
            del self._t.outbox[item.id]
        self._t.objects.pop(case.id, None)
        saved = sending_order(objects.values())
        if any(self.is_own(o.sop_instance_uid) for o in saved):
            raise Permanent("a result object has the UID of another one")
        if len({(o.axilla, o.kind, o.sop_class_uid, o.index) for o in saved}) < len(saved):
            raise Permanent("two result objects of one version are the same")
        self._t.objects[case.id] = tuple(saved)
        self._t.summaries[case.id] = json.dumps(dict(summary))
        for destination, to_send in objects.items():
            check_spares(to_send)
            for sent in to_send:
                item = _queued(next(self._ids), case.id, destination, sent, at)
                self._t.outbox[item.id] = item
        return moved

    def _anything_sent(self, case_id: int) -> bool:
        return any(i.id in self._t.tried for i in self.outbox_of(case_id))

    def result_objects(self, case_id: int) -> Sequence[ResultObject]:
        return self._t.objects.get(case_id, ())

    def superseded(self, case: Case) -> int | None:
        mine = [c for c in self._t.cases.values() if c.case_uuid == case.case_uuid and c.version < case.version]
        absorbed = [c for c in self._t.cases.values() if self._t.absorbed.get(c.case_uuid) == case.case_uuid]
        for candidates in (mine, absorbed):
            if out := [
                c for c in candidates if any(self._is_or_may_be_stored(c, item) for item in self.outbox_of(c.id))
            ]:
                return max(out, key=lambda c: c.id).id
        return None

    def earlier(self, case: Case) -> Sequence[Case]:
        before = [
            c
            for c in self._t.cases.values()
            if (c.case_uuid == case.case_uuid and c.version < case.version)
            or self._t.absorbed.get(c.case_uuid) == case.case_uuid
        ]
        out = [c for c in before if any(self._is_or_may_be_stored(c, item) for item in self.outbox_of(c.id))]
        return sorted(out, key=lambda c: -c.id)

    def _is_or_may_be_stored(self, case: Case, item: OutboxItem) -> bool:
        not_out = (OutboxStatus.REFUSED, OutboxStatus.SPARE, OutboxStatus.AWAITING_REPORT)
        may_get = item.status not in not_out and case.state is not CaseState.CLOSED
        return may_get or item.id in self._t.stored or self._t.unanswered[item.id] > 0

    def references(self, case_id: int) -> Mapping[str, Reference]:
        case, items = self._t.cases[case_id], self.outbox_of(case_id)
        out = {i.sop_instance_uid for i in items if self._is_or_may_be_stored(case, i)}
        return {o.role: o.reference for o in self.result_objects(case_id) if o.sop_instance_uid in out}

    def held_by(self, case_id: int) -> Mapping[str, frozenset[str]]:
        case = self._t.cases[case_id]
        out = [i for i in self.outbox_of(case_id) if self._is_or_may_be_stored(case, i)]
        uids = {i.sop_instance_uid for i in out}
        return {uid: frozenset(i.destination for i in out if i.sop_instance_uid == uid) for uid in uids}

    def summary(self, case_id: int) -> Mapping[str, Any]:
        found: dict[str, Any] = json.loads(self._t.summaries.get(case_id, "{}"))
        return found

    def keep_lineage(self, case: Case, lineage: Mapping[str, Any]) -> None:
        self._fence(case)
        self._t.lineages[case.id] = json.dumps(dict(lineage))

    def lineage(self, case_id: int) -> Mapping[str, Any]:
        found: dict[str, Any] = json.loads(self._t.lineages.get(case_id, "{}"))
        return found

    def outbox(
        self, destination: str, status: Sequence[OutboxStatus], now: datetime, limit: int
    ) -> Sequence[OutboxItem]:
        found = [
            i
            for i in self._t.outbox.values()
            if (i.destination == destination and i.status in status and i.next_at <= now)
            and self._t.cases[i.case_id].state is CaseState.DELIVERING
        ]
        return sorted(found, key=lambda i: (i.attempts, i.case_id, i.id))[:limit]

    def outbox_of(self, case_id: int) -> Sequence[OutboxItem]:
        return sorted((i for i in self._t.outbox.values() if i.case_id == case_id), key=lambda i: i.id)

    def encoded(self, item: OutboxItem) -> bytes:
        by_uid = {o.sop_instance_uid: o.encoded for o in self.result_objects(item.case_id)}
        return by_uid[item.sop_instance_uid]

    def about_to_send(self, items: Sequence[OutboxItem], at: datetime) -> None:
        for item in items:
            if item.id not in self._t.outbox:
                raise StaleCase(f"outbox item {item.id} is gone")
            self._t.tried.setdefault(item.id, at)
            stored = self._t.outbox[item.id]
            self._t.outbox[item.id] = replace(stored, attempts=stored.attempts + 1)
            self._t.unanswered[item.id] += 1

    def answered(self, item: OutboxItem) -> None:
        if item.id not in self._t.outbox:
            raise StaleCase(f"outbox item {item.id} is gone")
        self._t.unanswered[item.id] -= 1

    def settle(
        self, item: OutboxItem, status: OutboxStatus, now: datetime, *, next_at: datetime | None = None, error: str = ""
    ) -> None:
        if item.id not in self._t.outbox:
            raise StaleCase(f"outbox item {item.id} is gone")
        if status in (OutboxStatus.SENT, OutboxStatus.CONFIRMED):
            self._t.tried.setdefault(item.id, now)
            self._t.stored.add(item.id)
        stored = self._t.outbox[item.id]
        self._t.outbox[item.id] = replace(stored, status=status, next_at=next_at or now, error=error)

    def expect_commitment(self, transaction_uid: str, items: Sequence[OutboxItem], at: datetime) -> None:
        self._t.commitments[transaction_uid] = tuple(item.id for item in items)

    def use_spare(self, item: OutboxItem, at: datetime) -> None:
        for other in self.outbox_of(item.case_id):
            is_its = (other.destination, other.instead_of) == (item.destination, item.sop_instance_uid)
            if is_its and other.status is OutboxStatus.SPARE:
                self._t.outbox[other.id] = replace(other, status=OutboxStatus.WAITING, next_at=at, queued_at=at)

    def committed(
        self, transaction_uid: str, done: Collection[str], failed: Mapping[str, Settled], at: datetime
    ) -> Sequence[int]:
        concerned = []
        for item_id in self._t.commitments.get(transaction_uid, ()):
            item = self._t.outbox.get(item_id)
            if item is None:
                continue
            concerned.append(item.case_id)
            is_new = (transaction_uid, item_id) not in self._t.answered
            if not is_new or item.sop_instance_uid not in {*done, *failed}:
                continue
            self._t.answered.add((transaction_uid, item_id))
            if item.sop_instance_uid in done:
                self.settle(item, OutboxStatus.CONFIRMED, at)
            elif item.status is OutboxStatus.SENT:
                status, error = failed[item.sop_instance_uid]
                self.settle(item, status, at, next_at=item.next_at if status is item.status else at, error=error)
                if status is OutboxStatus.WAITING:
                    self._close(item_id)
        return sorted(set(concerned))

    def queue_again(self, case_id: int, at: datetime) -> None:
        for item in self.outbox_of(case_id):
            status = OutboxStatus.SPARE if item.instead_of else OutboxStatus.WAITING
            again = replace(item, status=status, attempts=0, next_at=at, queued_at=at, error="")
            self._t.outbox[item.id] = again
            self._close(item.id)

    def _close(self, item_id: int) -> None:
        self._t.answered |= {(uid, item_id) for uid, ids in self._t.commitments.items() if item_id in ids}

    def asked(self, items: Sequence[OutboxItem]) -> Mapping[int, int]:
        pairs = [(uid, item_id) for uid, ids in self._t.commitments.items() for item_id in ids]
        open_ones = Counter(item_id for uid, item_id in pairs if (uid, item_id) not in self._t.answered)
        return {item.id: open_ones[item.id] for item in items if open_ones[item.id]}

    def underway(self) -> Mapping[str, int]:
        delivering = [i for i in self._t.outbox.values() if self._t.cases[i.case_id].state is CaseState.DELIVERING]
        return Counter(i.destination for i in delivering if i.status in (OutboxStatus.WAITING, OutboxStatus.SENT))


def _queued(item_id: int, case_id: int, destination: str, sent: ResultObject, at: datetime) -> OutboxItem:
    return OutboxItem(
        id=item_id,
        case_id=case_id,
        destination=destination,
        status=queued_as(sent),
        attempts=0,
        next_at=at,
        queued_at=at,
        kind=sent.kind,
        role=sent.role,
        sop_class_uid=sent.sop_class_uid,
        sop_instance_uid=sent.sop_instance_uid,
        study_instance_uid=sent.study_instance_uid,
        series_instance_uid=sent.series_instance_uid,
        transfer_syntax_uid=sent.transfer_syntax_uid,
        instead_of=sent.instead_of,
    )
