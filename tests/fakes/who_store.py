# ruff: noqa: D102 - the port describes its methods
"""The part of the state in memory that is about identity: who is who, variants, and what a person decided."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count
from typing import Any
from uuid import UUID

from agent.core.case import Case, CaseEvent, CaseState
from agent.core.conflict import Conflict, Decision
from agent.core.demographics import Demographics
from agent.core.identities import Identity, Retirement, Standing, Told, Variant, identity_digest, survivors
from agent.core.instance import Arrival, Instance
from agent.core.patient import PatientKey
from agent.core.ports import StoredInstance

_WATCHED = (CaseState.COLLECTING, CaseState.DORMANT, CaseState.DONE, CaseState.FAILED)


@dataclass(frozen=True)
class Link:
    """How a version stands to one of its instances."""

    stored: StoredInstance
    used: bool = False
    left_out: str = ""
    quarantined: bool = False


class FakeWho:
    """Mixed into the fake unit, whose tables it uses."""

    _t: Any
    _ids: count
    apply: Any
    _fence: Any
    open_version: Any

    def alone(self) -> None:
        """There is one unit at a time anyway."""

    def canonical(self, key: PatientKey) -> PatientKey:
        return survivors(self._edges(key)).get(key, key)

    def kin(self, key: PatientKey) -> Sequence[PatientKey]:
        return sorted({key, *(k for edge in self._edges(key) for k in (edge.retired, edge.surviving))})

    def _edges(self, key: PatientKey) -> set[Retirement]:
        keys, edges = {key}, set[Retirement]()
        while True:
            found = {edge for edge in self._t.aliases if edge.retired in keys or edge.surviving in keys}
            if found == edges:
                return edges
            edges = found
            keys |= {k for edge in edges for k in (edge.retired, edge.surviving)}

    def retire(self, retirement: Retirement) -> bool:
        if retirement in self._t.aliases:
            return False
        self._t.aliases.add(retirement)
        return True

    def told(self, key: PatientKey) -> Told | None:
        found = self._t.told.get(key)
        return found and found[0]

    def tell(self, key: PatientKey, told: Told, sent_at: datetime, control_id: str) -> None:
        before, order = self._t.told.get(key, (Told(), (datetime.min.replace(tzinfo=sent_at.tzinfo), "")))
        names = tuple(sorted({*before.names, *told.names}))
        newest = told if (sent_at, control_id) > order else before
        self._t.told[key] = replace(newest, names=names), max(order, (sent_at, control_id))

    def identities(self, key: PatientKey) -> Sequence[Identity]:
        mine = [one for one in self._t.identities.values() if one.key == key]
        return sorted(mine, key=lambda one: one.digest)

    def identity(self, key: PatientKey, demographics: Demographics) -> Identity | None:
        return self._t.identities.get(identity_digest(key, demographics))

    def is_alone(self, key: PatientKey) -> bool:
        known = self.identities(key)
        return (
            self.kin(key) == [key]
            and len(known) == 1
            and not (known[0].moved_to or known[0].barred)
            and all(self.study_keys(study) == [key] for study in self.studies_of(key))
            and not any(self.barred_study(study, key) for study in self.studies_of(key))
            and not self.waiting_variants(key)
        )

    def note_identity(self, key: PatientKey, demographics: Demographics, at: datetime) -> bool:
        noted = Identity(key, demographics, at)
        is_new = noted.digest not in self._t.identities
        self._t.identities.setdefault(noted.digest, noted)
        return is_new

    def rule_identity(self, identity: Identity) -> None:
        self._t.identities[identity.digest] = identity

    def study_keys(self, study_instance_uid: str) -> Sequence[PatientKey]:
        return sorted(k for study, k in self._t.studies if study == study_instance_uid)

    def studies_of(self, key: PatientKey) -> Sequence[str]:
        return sorted(study for study, k in self._t.studies if k == key)

    def note_study(self, study_instance_uid: str, key: PatientKey) -> bool:
        is_new = (study_instance_uid, key) not in self._t.studies
        self._t.studies.setdefault((study_instance_uid, key), "")
        return is_new

    def bar_study(self, study_instance_uid: str, key: PatientKey, reason: str) -> None:
        self._t.studies[study_instance_uid, key] = reason

    def barred_study(self, study_instance_uid: str, key: PatientKey) -> str:
        return self._t.studies.get((study_instance_uid, key), "")

    def bar(self, stored: StoredInstance, reason: str) -> None:
        self._replace(replace(stored, instance=replace(stored.instance, barred=reason)))

    def _replace(self, stored: StoredInstance) -> None:
        uid = stored.instance.sop_instance_uid
        self._t.instances[uid] = stored
        for key, link in self._t.links.items():
            if key[1] == uid:
                self._t.links[key] = replace(link, stored=stored)

    def is_damaged(self, sop_instance_uid: str) -> bool:
        return any(uid == sop_instance_uid and link.quarantined for (_, uid), link in self._t.links.items())

    def variants(self, sop_instance_uid: str) -> Sequence[Variant]:
        mine = [one for one in self._t.variants.values() if one.instance.sop_instance_uid == sop_instance_uid]
        return sorted(mine, key=lambda one: one.id)

    def waiting_variants(self, key: PatientKey) -> Sequence[Variant]:
        waiting = [one for one in self._t.variants.values() if one.standing is Standing.WAITING]
        return sorted((one for one in waiting if key in self._named(one.instance)), key=lambda one: one.id)

    def _named(self, instance: Instance) -> list[PatientKey]:
        return [instance.patient, self._t.instances[instance.sop_instance_uid].instance.patient]

    def add_variant(self, instance: Instance, arrival: Arrival, *, other_pixels: bool) -> None:
        if all(one.instance.sha256 != instance.sha256 for one in self.variants(instance.sop_instance_uid)):
            added = Variant(next(self._ids), instance, arrival.ref, arrival.received_at, other_pixels)
            self._t.variants[added.id] = added

    def settle_variant(self, variant: Variant, standing: Standing) -> None:
        self._t.variants[variant.id] = replace(variant, standing=standing)

    def put_in_place(self, stored: StoredInstance, variant: Variant) -> StoredInstance:
        del self._t.variants[variant.id]
        new_id = next(self._ids)
        self._t.variants[new_id] = Variant(
            new_id, stored.instance, stored.ref, stored.received_at, variant.other_pixels, Standing.SUPERSEDED
        )
        put = StoredInstance(stored.id, variant.instance, variant.ref, variant.received_at)
        self._replace(put)
        self._forget_unsaid(stored.instance)
        return put

    def _forget_unsaid(self, header: Instance) -> None:
        left = [one.instance for one in self._t.instances.values() if one.instance.patient == header.patient]
        if not any(one.study_instance_uid == header.study_instance_uid for one in left):
            self._t.studies.pop((header.study_instance_uid, header.patient), None)
        if not any(one.demographics == header.demographics for one in left):
            self._t.identities.pop(identity_digest(header.patient, header.demographics), None)

    def heads(self, patient: PatientKey) -> Sequence[Case]:
        newest: dict[UUID, Case] = {}
        for one in sorted(self._t.cases.values(), key=lambda c: c.version):
            newest[one.case_uuid] = one
        first = {c.case_uuid: c.id for c in self._t.cases.values() if c.version == 1}
        mine = [c for c in newest.values() if c.patient == patient and c.case_uuid not in self._t.absorbed]
        return sorted(mine, key=lambda c: first[c.case_uuid])

    def versions(self, case: Case) -> Sequence[Case]:
        mine = [one for one in self._t.cases.values() if one.case_uuid == case.case_uuid]
        return sorted(mine, key=lambda one: one.version)

    def said_in(self, case_id: int) -> Sequence[tuple[PatientKey, Demographics]]:
        links = [link.stored.instance for (owner, _), link in self._t.links.items() if owner == case_id]
        return list({(one.patient, one.demographics) for one in links if not one.barred})

    def is_disputed(self, case: Case) -> bool:
        return any(one.version > case.version and one.state is CaseState.HELD for one in self.versions(case))

    def rekey(self, case: Case, patient: PatientKey, at: datetime, reason: str) -> Case:
        moved = self.apply(case, CaseEvent.FACTS_CHANGED, at, reason=reason, due_at=at)
        self._t.cases[case.id] = replace(moved, patient=patient)
        return self._t.cases[case.id]

    def open_version_for(self, previous: Case, patient: PatientKey, at: datetime) -> Case:
        opened = self.open_version(previous, at)
        self._t.cases[opened.id] = replace(opened, patient=patient, due_at=at)
        return self._t.cases[opened.id]

    def absorb(self, case: Case, by: UUID) -> None:
        self._t.absorbed[case.case_uuid] = by

    def link(self, case: Case, stored: StoredInstance) -> None:
        self._t.links.setdefault((case.id, stored.instance.sop_instance_uid), Link(stored))

    def unlink(self, case: Case, stored: StoredInstance) -> None:
        self._t.links.pop((case.id, stored.instance.sop_instance_uid), None)

    def withdraw(self, case: Case, at: datetime, reason: str) -> Case:
        return self.apply(case, CaseEvent.WITHDRAWN, at, reason=reason)

    def wake(self, patient: PatientKey, at: datetime) -> None:
        for case in self.heads(patient):
            if case.state in _WATCHED:
                self._t.cases[case.id] = replace(case, due_at=at)

    def hold(self, case: Case, conflicts: Sequence[Conflict], at: datetime) -> Case:
        reason = " ".join(conflict.sentence for conflict in conflicts)
        if case.state is CaseState.HELD:
            self._fence(case)
            self._t.cases[case.id] = replace(case, reason=reason)
        else:
            self.apply(case, CaseEvent.CONFLICT_FOUND, at, reason=reason)
        self._t.conflicts[case.id] = tuple(conflicts)
        return self._t.cases[case.id]

    def conflicts(self, case_id: int) -> Sequence[Conflict]:
        return list(self._t.conflicts.get(case_id, ()))

    def held(self) -> Sequence[Case]:
        held = [case for case in self._t.cases.values() if case.state is CaseState.HELD]
        return sorted(held, key=lambda case: case.id)

    def decide(self, decision: Decision) -> None:
        self._t.decisions[decision.conflict_id] = decision

    def decision(self, conflict_id: str) -> Decision | None:
        return self._t.decisions.get(conflict_id)
