"""Keeping cases true to who is who: images with their owner, contradictions held, merges followed, at any moment."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from agent.assemble.circle import Circle
from agent.assemble.versions import Versions
from agent.core.adt import PatientNews
from agent.core.case import Case, CaseState
from agent.core.demographics import contradiction
from agent.core.firewall import owner
from agent.core.identities import Retirement, Told
from agent.core.instance import Instance
from agent.core.patient import PatientKey
from agent.core.ports import Unit

GONE: Final = "the contradiction is gone"


@dataclass(frozen=True)
class Patients:
    """What follows for cases from what is known of patients. It holds no state of its own."""

    versions: Versions
    questions: tuple[str, ...]

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
            said = one.demographics
            names = tuple(name for name in (said.name, *one.other_names) if name)
            unit.tell(one.patient, Told(said.birth_date, said.sex, names), one.sent_at, one.control_id)
            keys.add(one.patient)
        self.settle(unit, keys)
        for patient in sorted({unit.canonical(key) for key in keys}):
            unit.wake(patient, self.versions.now())

    def is_settled(self, unit: Unit, instance: Instance) -> bool:
        """Whether nothing that is known of an image's patient can contradict."""
        if not unit.is_alone(instance.patient):
            return False
        said = unit.told(instance.patient)
        return said is None or not contradiction(said.demographics, replace(instance.demographics, name=""))

    def settle(self, unit: Unit, keys: Iterable[PatientKey], reason: str = GONE) -> None:
        """Bring rulings, images and holds of some patients, and of all whom they touch, into agreement."""
        circle = Circle(unit, keys)
        _write_rulings(unit, circle)
        for patient in circle.patients:
            for head in unit.heads(patient):
                if self.versions.stands(unit, head):
                    self._regroup(unit, head)
        for patient in circle.patients:
            conflicts = circle.conflicts(patient)
            if conflicts and not any(self.versions.stands(unit, head) for head in unit.heads(patient)):
                for question in self.questions:
                    self.versions.taking(unit, question, patient)
            for head in unit.heads(patient):
                self._bar(unit, head)
                self.versions.settle(unit, head, conflicts, reason)

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
        if self._has_case(unit, head.question, owner):
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
    for one in circle.identities():
        if unit.identity(one.key, one.demographics) != one:
            unit.rule_identity(one)
    for (study, key), why in circle.barred_studies().items():
        if unit.barred_study(study, key) != why:
            unit.bar_study(study, key, why)
