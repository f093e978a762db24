"""Everyone whom some patient keys may concern: who is who among them, and what contradicts.

All of it follows from what objects and messages said and from what persons decided, never from the order of either.
A ruling holds as long as its contradiction does.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import combinations
from typing import Final

from agent.core.conflict import Conflict, ConflictKind, Decision, Ruling
from agent.core.demographics import Demographics, contradiction
from agent.core.identities import Identity, Variant, apart, digest_of, key_digest
from agent.core.patient import PatientKey
from agent.core.person_name import names_match_in_full
from agent.core.ports import Unit

OTHER_PERSON: Final = "its name, birth date or sex is not this patient's: a person left it out"
OTHER_PATIENT_ID: Final = "another Patient ID in this study: a person left it out"


class Circle:
    """A snapshot of some patients and of those whom they touch, within one transaction."""

    def __init__(self, unit: Unit, keys: Iterable[PatientKey]) -> None:
        self._unit = unit
        self.keys = _closure(unit, keys)
        self.canonical = {key: unit.canonical(key) for key in self.keys}
        self._studies = {study: unit.study_keys(study) for key in self.keys for study in unit.studies_of(key)}
        self._variants = {one.id: one for key in self.keys for one in unit.waiting_variants(key)}.values()
        self._identities = [one for key in self.keys for one in unit.identities(key)]
        self._decided: dict[str, Decision | None] = {}

    @property
    def patients(self) -> Sequence[PatientKey]:
        """Everyone who may have cases: who the keys stand for, the keys themselves, and whoever was split off."""
        split = {one.moved_to for one in (*self._identities, *self.identities) if one.moved_to}
        return sorted({*self.keys, *self.canonical.values(), *split})

    @cached_property
    def identities(self) -> Sequence[Identity]:
        """Every identity as the rulings have it now."""
        moved: dict[str, PatientKey] = {}
        barred: dict[str, str] = {}
        for conflict, pair in self._contradictions:
            decided = self._decision(conflict)
            for one in pair:
                if decided and decided.about == one.digest:
                    if decided.ruling is Ruling.SPLIT:
                        moved[one.digest] = apart(one)
                    elif decided.ruling is Ruling.DROP:
                        barred[one.digest] = OTHER_PERSON
        return [
            replace(one, moved_to=moved.get(one.digest), barred=barred.get(one.digest, "")) for one in self._identities
        ]

    def barred_studies(self) -> dict[tuple[str, PatientKey], str]:
        """For each study and key, why its images are left out; empty: they are not."""
        why = {(study, key): "" for study, keys in self._studies.items() for key in keys}
        for conflict, study, (mine, other) in self._shared_studies:
            decided = self._decision(conflict)
            if decided and decided.ruling is Ruling.DROP:
                for key in (mine, other):
                    if decided.about == key_digest(key):
                        why[study, key] = OTHER_PATIENT_ID
        return why

    def conflicts(self, patient: PatientKey) -> list[Conflict]:
        """What a person has to decide about a patient (canonical) still."""
        ruled = {one.digest: one for one in self.identities}
        found = []
        for conflict, pair in self._contradictions:
            if self.canonical[pair[0].key] == patient and not any(
                ruled[one.digest].moved_to or ruled[one.digest].barred for one in pair
            ):
                found.append(conflict)
        found += [c for c, _, pair in self._shared_studies if patient in {self.canonical[key] for key in pair}]
        open_ones = [c for c in found if self._decision(c) is None]
        return sorted({*open_ones, *self._corrections(patient)}, key=lambda c: (c.kind, c.subjects))

    @cached_property
    def _contradictions(self) -> Sequence[tuple[Conflict, tuple[Identity, ...]]]:
        return tuple(self._find_contradictions())

    @cached_property
    def _shared_studies(self) -> Sequence[tuple[Conflict, str, tuple[PatientKey, PatientKey]]]:
        return tuple(self._find_shared_studies())

    def _find_contradictions(self) -> Iterator[tuple[Conflict, tuple[Identity, ...]]]:
        """Identities of one patient that cannot be one person's; one alone contradicts what messages say."""
        for patient in sorted(set(self.canonical.values())):
            mine = [one for one in self._identities if self.canonical[one.key] == patient]
            said = [told for key in self.keys if self.canonical[key] == patient and (told := self._unit.told(key))]
            names = [name for told in said for name in told.names]
            for first, second in combinations(mine, 2):
                if why := _contradicts(first.demographics, second.demographics, names):
                    yield _demographic((first.digest, second.digest), why), (first, second)
            for one in mine:
                for told in said:
                    claim = told.against(one.demographics, said)
                    if why := contradiction(claim, one.demographics):
                        names_told = told.names if claim.name else ()
                        subjects = (one.digest, digest_of("hl7", str(told.birth_date), told.sex, *names_told))
                        yield _demographic(subjects, f"{why} between an image and an HL7 message"), (one,)

    def _find_shared_studies(self) -> Iterator[tuple[Conflict, str, tuple[PatientKey, PatientKey]]]:
        for study, keys in sorted(self._studies.items()):
            for mine, other in combinations(sorted(keys), 2):
                if self.canonical[mine] != self.canonical[other]:
                    subjects = (study, key_digest(mine), key_digest(other))
                    sentence = "Two Patient IDs in one study."
                    yield Conflict(ConflictKind.SHARED_STUDY, subjects, sentence), study, (mine, other)

    def _corrections(self, patient: PatientKey) -> Iterator[Conflict]:
        """One conflict for each SOP Instance UID under which several objects wait for a decision."""
        by_uid: dict[str, list[Variant]] = {}
        for one in self._variants:
            by_uid.setdefault(one.instance.sop_instance_uid, []).append(one)
        for uid, variants in by_uid.items():
            stored = self._unit.find_instance(uid)
            versions = [one.instance for one in variants] + ([stored.instance] if stored else [])
            if patient not in {self.owner_of_key(one.patient) for one in versions}:
                continue
            kind, sentence = ConflictKind.CORRECTION, "An image came again with other patient or study attributes."
            if any(one.other_pixels for one in variants):
                kind, sentence = ConflictKind.PIXELS, "An image came again with other pixels."
            yield Conflict(kind, (uid, *sorted(one.sha256 for one in versions)), sentence)

    def owner_of_key(self, key: PatientKey) -> PatientKey:
        """Who a key stands for."""
        return self.canonical.get(key) or self._unit.canonical(key)

    def _decision(self, conflict: Conflict) -> Decision | None:
        if conflict.id not in self._decided:
            self._decided[conflict.id] = self._unit.decision(conflict.id)
        return self._decided[conflict.id]


def _closure(unit: Unit, keys: Iterable[PatientKey]) -> Sequence[PatientKey]:
    """Return the keys and all that merges, shared studies or undecided corrections tie to them."""
    found: set[PatientKey] = set()
    left = list(keys)
    while left:
        key = left.pop()
        if key in found:
            continue
        found.add(key)
        left += unit.kin(key)
        for study in unit.studies_of(key):
            left += unit.study_keys(study)
        for variant in unit.waiting_variants(key):
            stored = unit.find_instance(variant.instance.sop_instance_uid)
            left += [variant.instance.patient, *([stored.instance.patient] if stored else [])]
    return sorted(found)


def _contradicts(first: Demographics, second: Demographics, names: Sequence[str]) -> str:
    """Say what contradicts; two names that the hospital knows both of, with given names, do not."""
    why = contradiction(first, second)
    if why and all(names_match_in_full(one.name, names) for one in (first, second)):
        return contradiction(replace(first, name=""), replace(second, name=""))
    return why


def _demographic(subjects: tuple[str, ...], why: str) -> Conflict:
    return Conflict(ConflictKind.DEMOGRAPHICS, tuple(sorted(subjects)), f"Under one Patient ID {why}.")
