"""The truth of a random story: who the women are, what their images show, what was done wrong on the way."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from agent.core.adt import PatientNews
from agent.core.demographics import Demographics
from agent.core.identities import Identity, apart, identity_digest
from agent.core.instance import Instance
from agent.core.patient import PatientKey
from tests.fakes.instances import RECEIVED

Row = Mapping[str, object]
"""What the clinical database knows of a woman at some time, by column."""


@dataclass(frozen=True)
class Person:
    """One woman: her keys, the sides of her cancer, and what the clinical database says of her, version by version."""

    name: str
    said: Demographics
    keys: tuple[PatientKey, ...]
    sides: str  # "", "L", "R" or "LR"
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Photo:
    """One object as it may be sent. Of several under one SOP Instance UID one says the truth."""

    payload: bytes
    meta: Mapping[str, str]
    header: Instance
    owner: str  # name of the person whom it shows
    is_right: bool = True

    @property
    def uid(self) -> str:
        """Its SOP Instance UID."""
        return self.header.sop_instance_uid


Message = Photo | PatientNews | tuple[str, int]
"""An object, an HL7 message, or the n-th version of what the clinical database says of a person."""


@dataclass(frozen=True)
class Story:
    """Everything that happens, in no order yet."""

    persons: tuple[Person, ...]
    messages: tuple[Message, ...]

    @cached_property
    def owner_of(self) -> Mapping[PatientKey, str]:
        """Whose each key is."""
        return {key: person.name for person in self.persons for key in person.keys}

    @cached_property
    def person(self) -> Mapping[str, Person]:
        """The persons by name."""
        return {person.name: person for person in self.persons}

    @cached_property
    def photos(self) -> tuple[Photo, ...]:
        """Every object, once."""
        return tuple(message for message in self.messages if isinstance(message, Photo))

    @cached_property
    def by_content(self) -> Mapping[tuple[str, str], Photo]:
        """The objects by SOP Instance UID and digest."""
        return {(photo.uid, photo.header.sha256): photo for photo in self.photos}

    @cached_property
    def whose(self) -> Mapping[str, str]:
        """By digest of an identity, whom its demographics describe."""
        describes = {person.said: person.name for person in self.persons}
        return {
            identity_digest(photo.header.patient, photo.header.demographics): describes.get(photo.header.demographics)
            or self.owner_of[photo.header.patient]
            for photo in self.photos
        }

    @cached_property
    def foreign(self) -> frozenset[str]:
        """Digests of the identities of whom the key is somebody else's."""
        said = {identity_digest(p.header.patient, p.header.demographics): p.header.patient for p in self.photos}
        return frozenset(digest for digest, key in said.items() if self.whose[digest] != self.owner_of[key])

    @cached_property
    def patients(self) -> tuple[PatientKey, ...]:
        """Every key under which there may be a case: the persons', and those of who was split off."""
        split = {apart(Identity(p.header.patient, p.header.demographics, RECEIVED)) for p in self.photos}
        return (*sorted(self.owner_of), *sorted(split))

    def holder(self, key: PatientKey) -> str:
        """Whose a key is; empty where a person split it off."""
        return self.owner_of.get(key, "")

    def belies(self, photo: Photo) -> str:
        """Whom the demographics of an object describe where that is not whose key it came under; else empty."""
        header = photo.header
        described = self.whose[identity_digest(header.patient, header.demographics)]
        return "" if described == self.owner_of[header.patient] else described


SURGERY_COLUMNS = ("surgery_date", "axillary_surgery_date", "systemic_therapy_date", "radiotherapy_date")


def first_treatment(row: Row) -> date | None:
    """Return the day of the first treatment that a row tells of."""
    return min((date.fromisoformat(str(row[name])) for name in SURGERY_COLUMNS if row.get(name)), default=None)


def known_on(row: Row, fact: str) -> date:
    """Return the day on which a fact of a row became known."""
    return date.fromisoformat(str(row.get(f"{fact}_date") or row["recorded_date"]))
