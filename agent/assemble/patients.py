"""Keeping cases true to who is who: images with their owner, contradictions held, merges followed, at any moment."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from agent.assemble.circle import Circle
from agent.assemble.readings import release
from agent.assemble.versions import Versions
from agent.core.adt import PatientNews
from agent.core.case import Case, CaseState
from agent.core.conflict import ConflictKind
from agent.core.demographics import contradiction
from agent.core.firewall import owner
from agent.core.identities import Retirement
from agent.core.instance import Instance
from agent.core.patient import PatientKey
from agent.core.ports import Unit
from agent.core.withdrawal import is_withdrawal

GONE: Final = "the contradiction is gone"
OF_OBJECTS: Final = frozenset({ConflictKind.CORRECTION, ConflictKind.PIXELS})
"""Conflicts that are to be decided also where there is no case yet: an object waits for it."""


@dataclass(frozen=True)
class Patients:
    """What follows for cases from what is known of patients. It holds no state of its own."""

    versions: Versions
    questions: tuple[str, ...]
    takers: Callable[[Instance], frozenset[str]]  # the questions whose cases take an image

    def owner(self, unit: Unit, instance: Instance) -> PatientKey:
        """Whose an instance is, after merges and rulings."""
        return owner(unit, instance.patient, instance.demographics)

    def barred(self, unit: Unit, instance: Instance) -> str:
        """Why an instance is left out by a ruling; empty: it is not."""
        known = unit.identity(instance.patient, instance.demographics)
        return (known.barred if known else "") or unit.barred_study(instance.study_instance_uid, instance.patient)

    def follow(self, unit: Unit, news: Iterable[PatientNews]) -> None:
        """Apply what one HL7 message says. Saying it again, or in another order, ends the same."""
        keys = set()
        for one in news:
            if one.retired:
                unit.retire(Retirement(one.sent_at, one.control_id, one.retired, one.patient))
                keys.add(one.retired)
            unit.tell(one.patient, one.told, one.sent_at, one.control_id)
            keys.add(one.patient)
        self.settle(unit, keys)
        for patient in sorted({unit.canonical(key) for key in keys}):
            unit.wake(patient, self.versions.now())

    def is_settled(self, unit: Unit, instance: Instance) -> bool:
        """Whether nothing that is known of an image's patient can contradict."""
        if not unit.is_alone(instance.patient):
            return False
        said = unit.told(instance.patient)
        shown = instance.demographics
        return said is None or not contradiction(said.against(shown, [said]), shown)

    def settle(self, unit: Unit, keys: Iterable[PatientKey], reason: str = GONE) -> None:
        """Bring rulings, images and holds of some patients, and of all whom they touch, into agreement."""
        circle = Circle(unit, keys)
        _write_rulings(unit, circle)
        for patient in circle.patients:
            for head in unit.heads(patient):
                if self.versions.stands(unit, head):
                    self._regroup(unit, head)
        for patient in circle.patients:
            conflicts, heads = circle.conflicts(patient), unit.heads(patient)
            is_theirs = heads or any(conflict.kind in OF_OBJECTS for conflict in conflicts)
            if conflicts and is_theirs and not any(self.versions.stands(unit, head) for head in heads):
                for question in self.questions:
                    self.versions.taking(unit, question, patient)
            for head in unit.heads(patient):
                self._bar(unit, head)
                self.versions.settle(unit, head, conflicts, reason)
        release(unit, circle.patients, self.versions.now())

    def take_up(self, unit: Unit, sop_instance_uid: str, patients: Iterable[PatientKey]) -> None:
        """Let the object that a person chose be in a case of every question that takes it, and in no other."""
        stored = unit.find_instance(sop_instance_uid)
        if stored is None:
            return
        heads = [head for one in patients for head in unit.heads(one) if self.versions.stands(unit, head)]
        holding = [head for head in heads if stored.id in {one.id for one in unit.instances(head.id)}]
        takers, owner = self.takers(stored.instance), self.owner(unit, stored.instance)
        for head in holding:
            if head.question not in takers:
                unit.unlink(head, stored)
        for question in sorted(takers - {head.question for head in holding}):
            if question in self.questions or self._has_case(unit, question, owner):
                self.versions.add(unit, question, stored, owner)

    def _regroup(self, unit: Unit, head: Case) -> None:
        """Let each image be in a case of its owner."""
        stored = unit.instances(head.id)
        owners = {one.id: self.owner(unit, one.instance) for one in stored}
        merged = unit.canonical(head.patient)
        if not stored and merged != head.patient:
            self._follow_empty(unit, head, merged)
        elif set(owners.values()) <= {head.patient}:
            return
        elif set(owners.values()) == {merged} and not self._has_case(unit, head.question, merged):
            self.versions.hand_over(unit, head, merged)
        else:
            leaving = [(one, owners[one.id]) for one in stored if owners[one.id] != head.patient]
            self.versions.move(unit, head, leaving)

    def _follow_empty(self, unit: Unit, head: Case, owner: PatientKey) -> None:
        """A case without images is only there to hold something: its patient's new key takes that over."""
        is_rejected = head.state is CaseState.DONE and is_withdrawal(unit.findings(head.id))
        if is_rejected or self._has_case(unit, head.question, owner):
            if head.state not in (CaseState.DONE, CaseState.CLOSED):
                unit.withdraw(head, self.versions.now(), "its patient was merged")
            unit.absorb(head, head.case_uuid)
        else:
            self.versions.hand_over(unit, head, owner)

    def _has_case(self, unit: Unit, question: str, patient: PatientKey) -> bool:
        newest = unit.newest_case(question, patient)
        return newest is not None and self.versions.stands(unit, newest)

    def _bar(self, unit: Unit, head: Case) -> None:
        for one in unit.instances(head.id):
            why = self.barred(unit, one.instance)
            if why != one.instance.barred:
                unit.bar(one, why)


def _write_rulings(unit: Unit, circle: Circle) -> None:
    for one in circle.identities:
        if unit.identity(one.key, one.demographics) != one:
            unit.rule_identity(one)
    for (study, key), why in circle.barred_studies().items():
        if unit.barred_study(study, key) != why:
            unit.bar_study(study, key, why)
