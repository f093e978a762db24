"""Who is who: what objects and messages say of patients, and what follows from all of it, in whatever order it came."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Final

from agent.core.demographics import UNSAID, Demographics
from agent.core.instance import Instance, SpoolRef
from agent.core.patient import SPLIT, PatientKey

BY_PERSON: Final = "person:"


@dataclass(frozen=True, slots=True)
class Identity:
    """One person as objects name it: a patient key with one set of demographics."""

    key: PatientKey
    demographics: Demographics
    seen_at: datetime  # when the first object that says so was received
    moved_to: PatientKey | None = None  # a person said that it is another patient
    barred: str = ""  # why its objects are left out; empty: they are not

    @property
    def digest(self) -> str:
        """Name of this identity, which tells nobody whose it is."""
        return identity_digest(self.key, self.demographics)


@dataclass(frozen=True, slots=True, order=True)
class Retirement:
    """A patient key that is now another's: an HL7 message says so, or a person."""

    sent_at: datetime
    control_id: str  # MSH-10; of a person's, BY_PERSON and the conflict that was decided
    retired: PatientKey
    surviving: PatientKey

    @property
    def is_by_person(self) -> bool:
        """Whether a person joined the two."""
        return self.control_id.startswith(BY_PERSON)


@dataclass(frozen=True, slots=True)
class Told:
    """What the hospital's newest message says of a patient, and every name that one of its messages gave."""

    birth_date: date | None = None
    sex: str = ""
    names: tuple[str, ...] = ()

    @property
    def demographics(self) -> Demographics:
        """What an object is held against: names are compared apart, since a patient may have had several."""
        return Demographics(UNSAID.name, self.birth_date, self.sex)


class Standing(StrEnum):
    """What counts of several objects under one SOP Instance UID."""

    WAITING = "waiting"  # for a person
    SUPERSEDED = "superseded"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Variant:
    """Another object that came under the SOP Instance UID of a known one."""

    id: int
    instance: Instance
    ref: SpoolRef
    received_at: datetime
    other_pixels: bool
    standing: Standing = Standing.WAITING


def digest_of(*parts: str) -> str:
    """Return a short name for some texts, the same in every run."""
    return sha256("\x1f".join(parts).encode()).hexdigest()[:16]


def identity_digest(key: PatientKey, said: Demographics) -> str:
    """Return a short name for what an object says of its patient."""
    return digest_of(key.issuer, key.patient_id, said.name, str(said.birth_date), said.sex)


def key_digest(key: PatientKey) -> str:
    """Return a short name for a patient, which tells nobody whose it is."""
    return digest_of(key.issuer, key.patient_id)


def apart(identity: Identity) -> PatientKey:
    """Return the key of an identity that a person split off: no clinical database knows it, so nothing is answered."""
    return PatientKey(f"{SPLIT}{identity.digest}", identity.key.patient_id)


def survivors(retirements: Iterable[Retirement]) -> Mapping[PatientKey, PatientKey]:
    """Say for every retired key which one it is now, whatever the order in which the messages came.

    Messages are applied by the time at which they were sent: a key that survives again is no longer retired. Persons
    join what the keys stand for after that; of all that they joined one goes on that nobody gave up, whoever decided
    first.
    """
    parents: dict[PatientKey, PatientKey] = {}
    every = sorted(retirements)
    for one in every:
        if not one.is_by_person:
            parents.pop(one.surviving, None)
            parents[one.retired] = one.surviving
    parents |= _joined(parents, [one for one in every if one.is_by_person])
    return {key: _root(parents, key) for key in parents}


def _joined(parents: Mapping[PatientKey, PatientKey], by_persons: Iterable[Retirement]) -> dict[PatientKey, PatientKey]:
    """Say for what the keys of persons' merges stand for which of them it is now."""
    groups: dict[PatientKey, frozenset[PatientKey]] = {}
    given_up = set()
    for one in by_persons:
        retired, surviving = _root(parents, one.retired), _root(parents, one.surviving)
        if retired != surviving:
            given_up.add(retired)
            group = groups.get(retired, frozenset({retired})) | groups.get(surviving, frozenset({surviving}))
            groups |= dict.fromkeys(group, group)
    goes_on = {key: min(group - given_up or group) for key, group in groups.items()}
    return {key: survivor for key, survivor in goes_on.items() if key != survivor}


def _root(parents: Mapping[PatientKey, PatientKey], key: PatientKey) -> PatientKey:
    while key in parents:
        key = parents[key]
    return key
