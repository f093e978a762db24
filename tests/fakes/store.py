# ruff: noqa: D102 - the port describes its methods
"""The agent's state in memory: what `agent.state` does, without a database. Both pass one contract test."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from threading import Lock
from typing import Any
from uuid import UUID

from agent.core.case import Case, CaseEvent, CaseState, IllegalTransition
from agent.core.errors import StaleCase, Transient
from agent.core.instance import Arrival, End, Instance, SpoolRef
from agent.core.patient import PatientKey
from agent.core.ports import StoredInstance
from agent.state.instances import AROUND
from agent.state.move import CaseChange, claimed_by, move
from tests.fakes.kept_store import FakeResidents
from tests.fakes.read_store import FakeReads
from tests.fakes.result_store import FakeResults
from tests.fakes.studies import FakeStudies
from tests.fakes.tables import Tables
from tests.fakes.who_store import Link

INSTALLATION = UUID("6f1c1b3e-7f0e-4a54-9c5b-2b1f6c8d0e11")


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


class FakeUnit(FakeResidents, FakeReads, FakeStudies, FakeResults):
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

    def place_hidden(self, ref: SpoolRef, at: datetime) -> None:
        use = (ref.segment, ref.generation)
        for one in self.arrivals():
            if (one.ref.segment, one.ref.generation) == use and one.association_id in self._t.associations:
                self.association_closed(one.association_id, at)

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

    def predecessor(self, case: Case) -> Case | None:
        versions = [c for c in self._t.cases.values() if c.case_uuid == case.case_uuid and c.version < case.version]
        return max((c for c in versions if c.state is not CaseState.CLOSED), key=lambda c: c.version, default=None)

    def installation(self) -> UUID:
        return self._installation
