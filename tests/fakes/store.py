# ruff: noqa: D102 - the port describes its methods
"""The agent's state in memory: what `agent.state` does, without a database. Both pass one contract test."""

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from threading import Lock
from typing import Any
from uuid import UUID

from agent.core.case import Case, CaseEvent, CaseState, IllegalTransition
from agent.core.conflict import Conflict, Decision
from agent.core.errors import Permanent, StaleCase, Transient
from agent.core.identities import Identity, Retirement, Variant
from agent.core.instance import Arrival, End, Instance, SpoolRef
from agent.core.pacs import Retrieval, Search, StudyCount
from agent.core.patient import PatientKey
from agent.core.ports import OutboxItem, OutboxStatus, Settled, StoredInstance
from agent.core.reads import IndexStudy, Read
from agent.core.result import Reference, ResultObject
from agent.state.instances import AROUND
from agent.state.move import CaseChange, check_spares, claimed_by, move, queued_as, sending_order
from tests.fakes.read_store import FakeReads
from tests.fakes.studies import FakeStudies
from tests.fakes.who_store import FakeWho, Link

INSTALLATION = UUID("6f1c1b3e-7f0e-4a54-9c5b-2b1f6c8d0e11")


@dataclass
class Tables:
    """Everything that is known. Values are frozen: copying the collections is a snapshot."""

    cursor: dict[int, SpoolRef] = field(default_factory=dict)
    associations: dict[str, tuple[datetime, datetime | None]] = field(default_factory=dict)  # opened, closed
    arrivals: dict[SpoolRef, Arrival] = field(default_factory=dict)
    instances: dict[str, StoredInstance] = field(default_factory=dict)
    cases: dict[int, Case] = field(default_factory=dict)
    links: dict[tuple[int, str], Link] = field(default_factory=dict)
    history: dict[int, tuple[CaseChange, ...]] = field(default_factory=dict)
    findings: dict[int, str] = field(default_factory=dict)
    summaries: dict[int, str] = field(default_factory=dict)
    lineages: dict[int, str] = field(default_factory=dict)
    objects: dict[int, tuple[ResultObject, ...]] = field(default_factory=dict)
    outbox: dict[int, OutboxItem] = field(default_factory=dict)
    tried: dict[int, datetime] = field(default_factory=dict)  # outbox item -> when its bytes first may have left
    stored: set[int] = field(default_factory=set)  # outbox items that a destination acknowledged once
    unanswered: Counter[int] = field(default_factory=Counter)  # requests without an answer, by outbox item
    commitments: dict[str, tuple[int, ...]] = field(default_factory=dict)
    answered: set[tuple[str, int]] = field(default_factory=set)  # transaction and outbox item
    counts: dict[tuple[int, str], tuple[StudyCount, datetime]] = field(default_factory=dict)  # and when to ask again
    searches: dict[int, Search] = field(default_factory=dict)
    retrievals: dict[int, Retrieval] = field(default_factory=dict)
    aliases: set[Retirement] = field(default_factory=set)
    told: dict[PatientKey, frozenset[tuple[Any, ...]]] = field(default_factory=dict)
    identities: dict[str, Identity] = field(default_factory=dict)
    studies: dict[tuple[str, PatientKey], str] = field(default_factory=dict)  # study and patient -> why barred
    variants: dict[int, Variant] = field(default_factory=dict)
    reads: set[Read] = field(default_factory=set)
    index_studies: dict[int, IndexStudy] = field(default_factory=dict)
    absorbed: dict[UUID, UUID] = field(default_factory=dict)
    conflicts: dict[int, tuple[Conflict, ...]] = field(default_factory=dict)
    decisions: dict[str, Decision] = field(default_factory=dict)

    def snapshot(self) -> "Tables":
        """Return a copy that later changes do not touch."""
        return Tables(**{name: copy(table) for name, table in vars(self).items()})


class FakeStore:
    """A `Store` in memory. Set `away` and every unit raises Transient, as when the database is gone."""

    def __init__(self, installation: UUID = INSTALLATION) -> None:
        self.tables = Tables()
        self.away = False
        self._installation = installation
        self._ids = count(1)
        self._lock = Lock()

    @contextmanager
    def unit(self) -> Iterator["FakeUnit"]:
        """Begin a transaction, one at a time; roll back on an error."""
        if self.away:
            raise Transient("the database cannot be reached")
        if not self._lock.acquire(timeout=5):
            raise Transient("the database is locked")
        before = self.tables.snapshot()
        try:
            yield FakeUnit(self.tables, self._ids, self._installation)
        except BaseException:
            self.tables = before
            raise
        finally:
            self._lock.release()


class FakeUnit(FakeWho, FakeReads, FakeStudies):
    """A `Unit` on dictionaries."""

    def __init__(self, tables: Tables, ids: Iterator[int], installation: UUID) -> None:
        self._t = tables
        self._ids = ids
        self._installation = installation

    # what the spool said
    def cursor(self) -> Mapping[int, SpoolRef]:
        return dict(self._t.cursor)

    def advance(self, ref: SpoolRef) -> None:
        self._t.cursor[ref.segment] = ref

    def receiver_started(self, at: datetime) -> None:
        for association_id, (opened_at, closed_at) in self._t.associations.items():
            if closed_at is None and opened_at <= at:
                self._t.associations[association_id] = (opened_at, at)

    def association_opened(self, association_id: str, calling_ae_title: str, at: datetime) -> None:
        self._t.associations.setdefault(association_id, (at, None))

    def association_closed(self, association_id: str, at: datetime) -> None:
        opened_at, _ = self._t.associations.get(association_id, (at, None))
        self._t.associations[association_id] = (opened_at, at)

    def is_own(self, sop_instance_uid: str) -> bool:
        return any(o.sop_instance_uid == sop_instance_uid for objects in self._t.objects.values() for o in objects)

    def find_instance(self, sop_instance_uid: str) -> StoredInstance | None:
        return self._t.instances.get(sop_instance_uid)

    def expect(self, sop_instance_uids: Sequence[str]) -> None:
        """Everything is in memory already."""

    def has_open_case(self, sop_instance_uid: str) -> bool:
        holding = {self._t.cases[owner].case_uuid for owner, uid in self._t.links if uid == sop_instance_uid}
        return bool(holding & self._open_uuids())

    def _open_uuids(self) -> set[UUID]:
        return {case.case_uuid for case in self._t.cases.values() if case.state is not CaseState.CLOSED}

    def damaged(self, case: Case) -> Sequence[Arrival]:
        first = next(c for c in self._t.cases.values() if (c.case_uuid, c.version) == (case.case_uuid, 1))
        keys = self.kin(case.patient)
        return [
            one
            for one in self.arrivals()
            if one.end is End.QUARANTINED and one.patient in keys and one.received_at >= first.opened_at - AROUND
            if one.sop_instance_uid not in self._t.instances
        ]

    def place(self, stored: StoredInstance, ref: SpoolRef) -> None:
        self._replace(replace(stored, ref=ref))

    def arrived(self, arrival: Arrival) -> None:
        self._t.arrivals.setdefault(arrival.ref, arrival)

    def arrivals(self) -> Sequence[Arrival]:
        return [self._t.arrivals[ref] for ref in sorted(self._t.arrivals)]

    # cases
    def newest_case(self, question: str, patient: PatientKey) -> Case | None:
        mine = [case for case in self.heads(patient) if case.question == question]
        still_open = [case for case in mine if case.case_uuid in self._open_uuids()]
        return next(reversed(still_open or mine), None)

    def case(self, case_id: int) -> Case:
        return self._t.cases[case_id]

    def lock(self, case_id: int) -> Case:
        return self.case(case_id)

    def open_case(self, question: str, patient: PatientKey, at: datetime, case_uuid: UUID) -> Case:
        return self._open(case_uuid, 1, question, patient, at)

    def open_version(self, previous: Case, at: datetime) -> Case:
        case = self._open(previous.case_uuid, previous.version + 1, previous.question, previous.patient, at)
        for link in self._links(previous.id):
            if not link.quarantined:
                self._t.links[case.id, link.stored.instance.sop_instance_uid] = Link(link.stored)
        return case

    def _open(self, case_uuid: UUID, version: int, question: str, patient: PatientKey, at: datetime) -> Case:
        if any((c.case_uuid, c.version) == (case_uuid, version) for c in self._t.cases.values()):
            raise StaleCase(f"version {version} of this case is open already")
        at = at.astimezone(UTC)
        case = Case(next(self._ids), case_uuid, version, question, patient, CaseState.COLLECTING, 0, at, at)
        self._t.cases[case.id] = case
        return case

    def add_instance(self, case: Case, instance: Instance, arrival: Arrival, quiet_until: datetime) -> Case:
        moved = self.apply(case, CaseEvent.INSTANCE_STORED, arrival.received_at, due_at=quiet_until)
        self.arrived(arrival)
        uid = instance.sop_instance_uid
        known = self._t.instances.get(uid) or StoredInstance(
            next(self._ids), instance, arrival.ref, arrival.received_at
        )
        stored = replace(known, ref=arrival.ref, received_at=arrival.received_at)
        self._t.instances[uid] = stored
        self._t.links.setdefault((case.id, uid), Link(stored))
        for key, link in self._t.links.items():
            if key[1] == uid:
                self._t.links[key] = replace(link, stored=stored)
        return moved

    def instances(self, case_id: int) -> Sequence[StoredInstance]:
        return [link.stored for link in self._links(case_id)]

    def links(self, case_id: int) -> Sequence[Link]:
        """How a version stands to its instances (tests only)."""
        return self._links(case_id)

    def _links(self, case_id: int) -> list[Link]:
        mine = [link for (owner, _), link in self._t.links.items() if owner == case_id]
        return sorted(mine, key=lambda link: (link.stored.received_at, link.stored.id))

    def has_open_association(self, case_id: int) -> bool:
        uids = {link.stored.instance.sop_instance_uid for link in self._links(case_id)}
        brought_by = {a.association_id for a in self._t.arrivals.values() if a.sop_instance_uid in uids}
        still_open = {one for one, (_, closed_at) in self._t.associations.items() if closed_at is None}
        return bool(still_open & brought_by)

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
        moved = move(case, event, at, reason=reason, due_at=due_at)
        self._fence(case)
        if event is CaseEvent.RERUN and self._anything_sent(case.id):
            raise IllegalTransition("something of this version was sent: resend it instead")
        self._t.cases[case.id] = moved
        change = CaseChange(at, event, case.state, moved.state, moved.attempt, reason + detail)
        self._t.history[case.id] = (*self._t.history.get(case.id, ()), change)
        if event is CaseEvent.RESEND:
            self.queue_again(case.id, at)
        return moved

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

    def history(self, case_id: int) -> Sequence[CaseChange]:
        return self._t.history.get(case_id, ())

    def tally(self, case_id: int) -> Mapping[CaseEvent, int]:
        events = [change.event for change in self.history(case_id)]
        reruns = [n for n, event in enumerate(events) if event is CaseEvent.RERUN]
        return Counter(events[reruns[-1] + 1 :] if reruns else events)

    def _fence(self, case: Case) -> None:
        now = self._t.cases[case.id]
        seen = (case.state, case.attempt, case.changed_at, case.revision)
        if (now.state, now.attempt, now.changed_at, now.revision) != seen:
            raise StaleCase(f"case {case.id} moved on")

    def postpone(self, case: Case, due_at: datetime | None, reason: str) -> Case:
        self._fence(case)
        self._t.cases[case.id] = replace(case, due_at=due_at, reason=reason)
        return self._t.cases[case.id]

    def save_findings(self, case: Case, findings: Mapping[str, Any]) -> None:
        self._fence(case)
        self._t.findings[case.id] = json.dumps(dict(findings))

    def findings(self, case_id: int) -> Mapping[str, Any]:
        found: dict[str, Any] = json.loads(self._t.findings.get(case_id, "{}"))
        return found

    def due(self, states: Sequence[CaseState], now: datetime, limit: int) -> Sequence[Case]:
        found = {(c.due_at, c.id): c for c in self._t.cases.values() if c.state in states and c.due_at}
        return [found[key] for key in sorted(found) if key[0] <= now][:limit]

    def claim(self, now: datetime, lease_until: datetime, worker: str) -> Case | None:
        unanswered = [c for c in self._t.cases.values() if c.state in (CaseState.READY, CaseState.RUNNING)]
        waiting = [
            c
            for c in unanswered
            if c.state is CaseState.READY and (c.due_at is None or c.due_at <= now)
            if not any(e.case_uuid == c.case_uuid and e.version < c.version for e in unanswered)
        ]
        if not waiting:
            return None
        longest = min(waiting, key=lambda c: (c.ready_at or now, c.id))
        return self.apply(longest, CaseEvent.CLAIMED, now, reason=claimed_by(worker), due_at=lease_until)

    def renew(self, case: Case, lease_until: datetime) -> None:
        if case.state is not CaseState.RUNNING:
            raise StaleCase(f"case {case.id} is not leased")
        self._fence(case)
        self._t.cases[case.id] = replace(self._t.cases[case.id], due_at=lease_until)

    def leases_of(self, worker: str) -> Sequence[Case]:
        held = [c for c in self._t.cases.values() if c.state is CaseState.RUNNING and c.reason == claimed_by(worker)]
        return sorted(held, key=lambda c: c.id)

    def expired_leases(self, now: datetime) -> Sequence[Case]:
        return self.due([CaseState.RUNNING], now, len(self._t.cases))

    def mark_left_out(self, case: Case, stored: StoredInstance, reason: str, *, quarantined: bool) -> None:
        self._fence(case)
        key = (case.id, stored.instance.sop_instance_uid)
        marks = {"left_out": reason, "quarantined": quarantined}
        damaged = stored.instance.sha256 if quarantined else ""
        self._t.links[key] = replace(self._t.links[key], used=False, damaged_sha256=damaged, **marks)
        if quarantined:
            for ref, arrival in self._t.arrivals.items():
                if arrival.sop_instance_uid == key[1] and arrival.end in (End.COLLECTED, End.DUPLICATE):
                    self._t.arrivals[ref] = replace(arrival, end=End.QUARANTINED, reason=reason)

    def mark_used(self, case: Case, sop_instance_uids: Sequence[str]) -> None:
        self._fence(case)
        for link in self._links(case.id):
            uid = link.stored.instance.sop_instance_uid
            if uid in sop_instance_uids:
                self._t.links[case.id, uid] = Link(link.stored, used=True)
            else:
                self._t.links[case.id, uid] = replace(link, used=False)

    # results and their way out
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

    def predecessor(self, case: Case) -> Case | None:
        versions = [c for c in self._t.cases.values() if c.case_uuid == case.case_uuid and c.version < case.version]
        return max((c for c in versions if c.state is not CaseState.CLOSED), key=lambda c: c.version, default=None)

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

    def installation(self) -> UUID:
        return self._installation


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
