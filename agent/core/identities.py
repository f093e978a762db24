"""Who is who: what objects and messages say of patients, and what follows from all of it, in whatever order it came."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Final

from agent.core.demographics import Demographics, is_confirmed
from agent.core.instance import Instance, SpoolRef
from agent.core.patient import SPLIT, PatientKey
from agent.core.person_name import names_agree, names_match

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
    """The birth date and the sex that the hospital's messages said last, and every name that one of them gave."""

    birth_date: date | None = None
    sex: str = ""
    names: tuple[str, ...] = ()

    def against(self, said: Demographics, every: Collection["Told"]) -> Demographics:
        """Return what an object that says `said` is held against.

        A name is in it only where the object's is none of all that were told of the patient (`every`), and no birth
        date and sex confirm it: a patient may have had several names.
        """
        plain = Demographics("", self.birth_date, self.sex)
        known = any(is_confirmed(said, Demographics("", one.birth_date, one.sex)) for one in every)
        if known or names_match(said.name, [name for one in every for name in one.names]):
            return plain
        strange = (name for name in self.names if names_agree(said.name, name) is False)
        return Demographics(next(strange, ""), self.birth_date, self.sex)


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

    Messages are applied by the time at which they were sent. A key is no longer retired when a message retires into it
    what it stands for; a merge of anybody else into it does not bring it back. Persons join what the keys stand for
    after that; of all that they joined one goes on that nobody gave up, whoever decided first.
    """
    parents: dict[PatientKey, PatientKey] = {}
    every = sorted(retirements)
    for one in every:
        if not one.is_by_person:
            _apply(parents, one)
    parents |= _joined(parents, [one for one in every if one.is_by_person])
    return {key: _root(parents, key) for key in parents}


def _apply(parents: dict[PatientKey, PatientKey], said: Retirement) -> None:
    """Let one key stand for another, unless it does already by others."""
    chain = list(_chain(parents, said.surviving))
    if len(chain) > 1 and said.retired == chain[-1]:
        del parents[said.surviving]  # the merge is taken back
    elif said.retired in chain:
        return
    parents[said.retired] = said.surviving


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
    *_, last = _chain(parents, key)
    return last


def _chain(parents: Mapping[PatientKey, PatientKey], key: PatientKey) -> Iterator[PatientKey]:
    """Yield a key and what it stands for, each by the one before."""
    yield key
    while key in parents:
        key = parents[key]
        yield key
