"""Random stories: women, their Patient IDs, images and facts, and the mistakes that hospitals make."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import partial
from itertools import pairwise
from typing import Final

from agent.core.adt import PatientNews
from agent.core.demographics import Demographics
from agent.core.patient import PatientKey
from agent.dicom.header import read_header
from tests.fakes.instances import IMPLICIT, RECEIVED, encode, mammogram, meta_of, record_of, uid
from tests.faults.cases.truth import Message, Person, Photo, Row, Story

NAMES: Final = ("Doe^Anna", "Roe^Berta", "Poe^Carla")
TODAY: Final = RECEIVED.date()
DIAGNOSED, OPERATED = TODAY - timedelta(days=20), TODAY - timedelta(days=5)
NEXT_YEAR: Final = TODAY + timedelta(days=400)  # beyond every clock here
SITTINGS: Final[Mapping[str, int]] = {"prior": -300, "screening": -30, "planning": -10, "after": -2}
"""Days from today on which images are taken."""
EXPLICIT: Final = "1.2.840.10008.1.2.1"
READ: Final = partial(read_header, site_issuer=None)


@dataclass
class Scribe:
    """Writes one story down, from one source of chance."""

    chance: random.Random
    persons: list[Person] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    numbers: int = 0
    blamed: set[str] = field(default_factory=set)  # persons under whose ID another one's image came

    def number(self) -> int:
        """Count on."""
        self.numbers += 1
        return self.numbers

    def often(self, share: float) -> bool:
        """Whether something happens that does in a share of the stories."""
        return self.chance.random() < share

    # ── persons ──

    def be_born(self, number: int) -> None:
        """Think of a woman: one to three keys, of which messages retire all but one, or nobody tells of the last."""
        issuers = ("HOSPITAL", "CLINIC", "PRACTICE")
        first = PatientKey(issuers[number] if self.often(0.5) else "HOSPITAL", str(self.chance.choice((1, number + 1))))
        if first in {key for person in self.persons for key in person.keys}:
            first = PatientKey(issuers[number], first.patient_id)
        keys = [first]
        for n in range(self.chance.choice((0, 0, 1, 1, 2))):
            keys.append(PatientKey(self.chance.choice((first.issuer, issuers[number])), f"{number + 1}-{n}"))
        born = date(1950 + 7 * number, 3, 4)
        said = Demographics(NAMES[number], born, "F")
        person = Person(NAMES[number], said, tuple(keys), *self.fall_ill(born))
        self.persons.append(person)
        self.messages += [(person.name, n) for n in range(1, len(person.rows))]
        self.merge(person)
        if self.often(0.4):
            self.messages.append(self.news("A31", self.chance.choice(keys), said=said))

    def fall_ill(self, born: date) -> tuple[str, tuple[Row, ...]]:
        """Draw what is wrong, and in which steps the clinical database learns of it."""
        kind = self.chance.choice(("none", "benign", "invasive", "invasive", "invasive", "invasive"))
        if kind == "none":
            return "", ({},)
        seen = {"recorded_date": DIAGNOSED.isoformat(), "sex": "F", "birth_date": born.isoformat()}
        if kind == "benign":
            return "", ({}, {**seen, "diagnosis": "benign"})
        sides = self.chance.choice(("L", "R", "LR"))
        steps: list[dict[str, object]] = [{"diagnosis": "invasive"}, {"side": "B" if sides == "LR" else sides}]
        if self.often(0.5):
            steps = [{**steps[0], **steps[1]}]
        steps += [self.fact() for _ in range(self.chance.randint(0, 3))]
        if self.often(0.5):
            steps.append({"surgery_date": OPERATED.isoformat(), "surgery_date_date": OPERATED.isoformat()})
        rows: list[Row] = [{}, {**seen, "diagnosis": "unknown"}]
        for step in steps:
            rows.append({**seen, **rows[-1], **step})
        return sides, tuple(rows)

    def fact(self) -> dict[str, object]:
        """Draw a fact that is known in time, only after surgery, only in some days, or dated in the future."""
        name, value = self.chance.choice(
            (("grade", 2), ("er", "positive"), ("clinical_t", "cT1c"), ("ki67_percent", 9))
        )
        day = self.chance.choice((DIAGNOSED, DIAGNOSED, OPERATED, TODAY, TODAY + timedelta(days=9), NEXT_YEAR))
        return {name: value, f"{name}_date": day.isoformat()}

    def merge(self, person: Person) -> None:
        """Let messages retire keys: one after the other, and sometimes back again."""
        if self.often(0.3):
            return  # nobody tells
        for older, newer in pairwise(reversed(person.keys)):
            if self.often(0.3):
                self.messages.append(self.news("A40", older, retired=newer))
            self.messages.append(self.news(self.chance.choice(("A40", "A47")), newer, retired=older))

    def news(
        self, event: str, patient: PatientKey, *, retired: PatientKey | None = None, said: Demographics | None = None
    ) -> PatientNews:
        """Write an HL7 message; each is sent after the one that was written before."""
        number = self.number()
        sent_at = RECEIVED - timedelta(days=3) + timedelta(minutes=number)
        return PatientNews(f"M{number}", event, sent_at, patient, retired, said or Demographics())

    # ── images ──

    def photo(self, person: Person, key: PatientKey, *, said: Demographics | None, **attributes: object) -> Photo:
        """Take an image of a person; keys, demographics and attributes may say anything."""
        number = self.number()
        sitting = self.chance.choice(list(SITTINGS))
        values: dict[str, object] = {
            "StudyInstanceUID": uid(f"{person.name} {sitting} {key.issuer} {key.patient_id}"),
            "AcquisitionDate": (TODAY + timedelta(days=SITTINGS[sitting])).strftime("%Y%m%d"),
            "ImageLaterality": self.chance.choice("LR"),
            "ViewPosition": self.chance.choice(("CC", "MLO")),
            "PixelData": number.to_bytes(8, "little"),
            **self.modality(),
            **attributes,
        }
        return written(f"image {number}", person, key, said, values)

    def modality(self) -> dict[str, object]:
        """Draw what the attributes of a modality are."""
        plain = {"ViewPosition": None, "PresentationIntentType": None}
        us = {"Modality": "US", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.6.1", **plain}
        mr = {"Modality": "MR", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4", "ImageLaterality": None, **plain}
        return self.chance.choice(({}, {}, {}, us, mr))

    def examine(self, person: Person) -> None:
        """Take a few images of a person under any of her keys."""
        for _ in range(self.chance.randint(1, 4)):
            self.messages.append(self.photo(person, self.chance.choice(person.keys), said=person.said))

    # ── mistakes ──

    def err(self) -> None:
        """Make one mistake."""
        one = self.chance.choice(self.persons)
        other = self.chance.choice([p for p in self.persons if p is not one and p.name not in self.blamed] or [one])
        mistakes: list[Callable[[Person], None]] = [self.other_side, self.other_pixels, self.other_day, self.re_encoded]
        if len(one.keys) > 1:
            mistakes += [self.two_ids, self.two_ids]
        if other is not one:
            mistakes += [partial(act, other) for act in (self.misfiled, self.strayed, self.mixed_up, self.mistaken)]
        self.chance.choice(mistakes)(one)

    def misfiled(self, other: Person, one: Person) -> None:
        """An image under another person's ID, with its own name and birth date."""
        self.blamed |= {other.name, one.name}
        self.messages.append(self.photo(one, self.chance.choice(other.keys), said=one.said))

    def strayed(self, other: Person, one: Person) -> None:
        """One image of a study came under another person's ID, and says nothing else."""
        self.blamed |= {other.name, one.name}
        study = {"StudyInstanceUID": uid(f"strayed {self.number()}")}
        self.messages.append(self.photo(one, self.chance.choice(one.keys), said=one.said, **study))
        self.messages.append(self.photo(one, self.chance.choice(other.keys), said=None, **study))

    def mixed_up(self, other: Person, one: Person) -> None:
        """A right image under a right ID, but in the study of another person."""
        study = {"StudyInstanceUID": uid(f"mixed up {self.number()}")}
        self.messages.append(self.photo(one, self.chance.choice(one.keys), said=one.said, **study))
        self.messages.append(self.photo(other, self.chance.choice(other.keys), said=other.said, **study))

    def two_ids(self, one: Person) -> None:
        """A study of one person under two of her IDs."""
        study = {"StudyInstanceUID": uid(f"two ids {self.number()}")}
        for key in self.chance.sample(one.keys, 2):
            self.messages.append(self.photo(one, key, said=one.said, **study))

    def mistaken(self, other: Person, one: Person) -> None:
        """An image came as another person's in every respect, and was corrected."""
        self.corrected(one, {}, wrong_key=self.chance.choice(other.keys), wrong_said=other.said)

    def other_side(self, one: Person) -> None:
        """The side was corrected."""
        side = self.chance.choice("LR")
        self.corrected(one, {"ImageLaterality": "R" if side == "L" else "L"}, {"ImageLaterality": side})

    def other_day(self, one: Person) -> None:
        """The day of the examination was corrected."""
        self.corrected(one, {"AcquisitionDate": self.chance.choice((DIAGNOSED, TODAY)).strftime("%Y%m%d")})

    def other_pixels(self, one: Person) -> None:
        """Another image came under the same UID."""
        self.corrected(one, {"PixelData": b"\xff" * 8})

    def corrected(
        self,
        one: Person,
        wrong: Mapping[str, object],
        right: Mapping[str, object] | None = None,
        *,
        wrong_key: PatientKey | None = None,
        wrong_said: Demographics | None = None,
    ) -> None:
        """Send one object under a UID that is right, and one that is not."""
        name, key = f"corrected {self.number()}", self.chance.choice(one.keys)
        values: dict[str, object] = {
            "StudyInstanceUID": uid(name),
            "AcquisitionDate": (DIAGNOSED + timedelta(days=3)).strftime("%Y%m%d"),
            "ImageLaterality": self.chance.choice("LR"),
            **(right or self.modality()),
        }
        self.messages.append(written(name, one, key, one.said, values))
        false = written(name, one, wrong_key or key, wrong_said or one.said, {**values, **wrong})
        self.messages.append(replace(false, is_right=False))

    def re_encoded(self, one: Person) -> None:
        """An image in two transfer syntaxes."""
        name, key = f"twice {self.number()}", self.chance.choice(one.keys)
        values: dict[str, object] = {"StudyInstanceUID": uid(name), "ImageLaterality": self.chance.choice("LR")}
        self.messages.append(written(name, one, key, one.said, values))
        self.messages.append(written(name, one, key, one.said, values, IMPLICIT))


def written(
    name: str,
    person: Person,
    key: PatientKey,
    said: Demographics | None,
    values: Mapping[str, object],
    syntax: str = EXPLICIT,
) -> Photo:
    """Encode an image and read its header."""
    born = said.birth_date if said else None
    ds = mammogram(
        name,
        **{
            "PatientID": key.patient_id,
            "IssuerOfPatientID": key.issuer,
            "PatientName": said.name if said else None,
            "PatientBirthDate": born.strftime("%Y%m%d") if born else None,
            "PatientSex": said.sex if said else None,
            "SeriesInstanceUID": uid(f"series of {name}"),
            **values,
        },
    )
    payload, meta = encode(ds, syntax), meta_of(ds, syntax)
    return Photo(payload, meta, READ(record_of(payload, meta)), person.name)


def think_up(seed: int) -> Story:
    """Return the story of a seed."""
    scribe = Scribe(random.Random(seed))
    for number in range(scribe.chance.choice((1, 2, 2, 3))):
        scribe.be_born(number)
    for person in scribe.persons:
        scribe.examine(person)
    for _ in range(scribe.chance.choice((0, 1, 1, 2, 3))):
        scribe.err()
    return Story(tuple(scribe.persons), tuple(scribe.messages))
