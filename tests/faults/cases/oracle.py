"""What may never be: looked for at every answer, at every send, and at the end."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from agent.core.adt import PatientNews
from agent.core.assessed import TREATMENTS
from agent.core.identities import identity_digest
from agent.core.instance import Instance
from agent.core.patient import PatientKey
from agent.core.ports import Unit
from agent.core.prediction import Side
from tests.faults.cases.place import Answered, Place
from tests.faults.cases.truth import Photo, Row, first_treatment, known_on


class Wrong(StrEnum):
    """Kinds of what may never be."""

    MIXED = "mixed_patients"
    RETIRED = "results_under_retired_id"
    FUTURE = "future_facts_used"
    SIDE = "wrong_side"
    ORDER = "different_final_states"
    STUCK = "stuck"
    ENDS = "arrivals_without_one_end"
    CRASHED = "crashed"


@dataclass
class Oracle:
    """Watches one history."""

    place: Place
    found: Counter[Wrong] = field(default_factory=Counter)
    said: list[str] = field(default_factory=list)
    looks: Counter[str] = field(default_factory=Counter)

    def blame(self, wrong: Wrong, why: str) -> None:
        """Note that something is wrong."""
        self.found[wrong] += 1
        self.said.append(f"{wrong}: {why}")

    def at_answer(self, answered: Answered) -> None:
        """Look at an answer that was saved just now."""
        self.looks["answers"] += 1
        self.looks["images_used"] += len(answered.used)
        self._persons("answered", answered)
        self._sides("answered", answered)
        self._times(answered)

    def at_send(self, unit: Unit, answered: Answered) -> None:
        """Look at a result that leaves now."""
        self.looks["sent"] += 1
        patient = answered.case.patient
        if patient in retired(self.place) or unit.canonical(patient) != patient:
            self.blame(Wrong.RETIRED, f"case {answered.case.id} is sent under a key that is no longer one")
        self._persons("sent", answered)
        self._sides("sent", answered)

    def _persons(self, when: str, answered: Answered) -> None:
        """No answer rests on images of two women, nor of one other than whom it is about, as far as can be known."""
        row = self.place.hospital.held.get((answered.case.patient, answered.asked_at), {})
        whose = {self._whose(one.instance, row) for one in answered.used}
        holder = self.place.story.holder(answered.case.patient)
        if whose - {holder}:
            self.blame(Wrong.MIXED, f"case {answered.case.id} {when} about {holder} with images of {sorted(whose)}")

    def _whose(self, used: Instance, row: Row) -> str:
        """Whom an image shows, or whom it must be taken to show by all that has come until now."""
        story = self.place.story
        photo = story.by_content[used.sop_instance_uid, used.sha256]
        claimed = story.owner_of[photo.header.patient]
        told = bool(story.belies(photo) and row.get("birth_date"))  # the clinical database gives another birth date
        if photo.owner == claimed or told or self._is_exposed(photo):
            return photo.owner
        self.looks["unknowable"] += 1
        return claimed

    def _is_exposed(self, photo: Photo) -> bool:
        """Whether anything that came shows that an object is not whose key it came under."""
        story, header = self.place.story, photo.header
        parents = parents_of(self.place)
        by_key = {key for key in story.owner_of if _root(parents, key) == _root(parents, header.patient)}
        for came in self.place.applied:
            if isinstance(came, PatientNews):
                if story.belies(photo) and came.patient in by_key and came.demographics.birth_date:
                    return True
                continue
            if not came.is_right:
                continue
            if came.uid == photo.uid and not photo.is_right:
                return True
            same_study = came.header.study_instance_uid == header.study_instance_uid
            if same_study and story.owner_of[came.header.patient] != story.owner_of[header.patient]:
                return True
            is_other = self._described(came) not in ("", self._described(photo))
            if story.belies(photo) and came.header.patient in by_key and is_other:
                return True
        return False

    def _described(self, photo: Photo) -> str:
        header = photo.header
        said = header.demographics
        return self.place.story.whose[identity_digest(header.patient, said)] if said.birth_date else ""

    def _sides(self, when: str, answered: Answered) -> None:
        """Only sides that are diseased are answered, with images of that side, and of none that was corrected since."""
        story, case = self.place.story, answered.case
        holder = story.person.get(story.holder(case.patient))
        true_sides = holder.sides if holder else ""
        for side in answered.asked.axillae:
            if side not in true_sides:
                self.blame(Wrong.SIDE, f"case {case.id} {when} for side {side}, true: {true_sides or 'none'}")
        for one in answered.used:
            shown = one.instance.laterality
            if shown in tuple(Side) and shown not in answered.used_for:
                self.blame(Wrong.SIDE, f"case {case.id} {when} with an image of side {shown}")
            photo = story.by_content[one.instance.sop_instance_uid, one.instance.sha256]
            right = [came for came in self._came(photo.uid) if came.is_right]
            if not photo.is_right and any(came.header.laterality != shown for came in right):
                self.blame(Wrong.SIDE, f"case {case.id} {when} with an image of which the side was corrected")

    def _came(self, uid: str) -> Iterator[Photo]:
        return (came for came in self.place.applied if isinstance(came, Photo) and came.uid == uid)

    def _times(self, answered: Answered) -> None:
        """Nothing is used that became known after the question, or was known or taken when treatment had begun."""
        case, day = answered.case, answered.asked_at.date()
        row = self.place.hospital.held.get((case.patient, answered.asked_at), {})
        treated = first_treatment(row)
        for name in answered.asked.facts.facts:
            self.looks["facts_used"] += 1
            known = known_on(row, name)
            if known > day:
                self.blame(Wrong.FUTURE, f"case {case.id} uses {name}, which became known on {known}, on {day}")
            if treated and known >= treated and name not in TREATMENTS:
                self.blame(Wrong.FUTURE, f"case {case.id} uses {name} of {known}, treatment began on {treated}")
        for one in answered.used:
            taken = one.instance.acquired_on
            if treated and (taken is None or taken >= treated):
                self.blame(Wrong.FUTURE, f"case {case.id} uses an image of {taken}, treatment began on {treated}")


def parents_of(place: Place) -> dict[PatientKey, PatientKey]:
    """Say which key each key gave way to, by the messages that came, in the order in which they were sent."""
    parents: dict[PatientKey, PatientKey] = {}
    news = {one for one in place.applied if isinstance(one, PatientNews) and one.retired}
    for one in sorted(news, key=lambda n: (n.sent_at, n.control_id)):
        stands_for = _root(parents, one.patient)
        if one.retired == stands_for:
            parents.pop(one.patient, None)
        if one.retired is not None and _root(parents, one.retired) != _root(parents, one.patient):
            parents[one.retired] = one.patient
    return parents


def retired(place: Place) -> set[PatientKey]:
    """Return the keys that no result may leave under any more."""
    return set(parents_of(place))


def _root(parents: Mapping[PatientKey, PatientKey], key: PatientKey) -> PatientKey:
    while key in parents:
        key = parents[key]
    return key
