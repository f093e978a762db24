"""From stories to patients: synthetic images, rows of the clinical database, and how they are sent."""

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property, partial
from io import BytesIO
from multiprocessing import get_context
from typing import Final

from pydicom import dcmwrite
from pydicom.dataset import Dataset

from demo.chest_ct import chest_ct
from demo.expected import Expected
from demo.stories import Story
from models import phantom

MAKERS: Final[Mapping[str, tuple[Callable[[phantom.Patient, date], list[Dataset]], int]]] = {
    "MG": (phantom.mammography, 5),
    "US": (phantom.ultrasound_study, 4),
    "MR": (phantom.mri_study, 2),
    "CT": (chest_ct, 1),
}
"""What makes a study of each modality, and how many days ago it was taken."""
DIAGNOSED_AGO: Final = timedelta(days=10)
FEW: Final = 4  # patients that are made sooner than processes are started


@dataclass(frozen=True)
class DemoPatient:
    """One synthetic patient of the demo, with everything that is sent of her."""

    number: int
    story: Story
    who: phantom.Patient
    ehr_row: Mapping[str, object] | None
    images: Sequence[Dataset]  # routed by the PACS
    late: Sequence[Dataset]  # the same, when the first report is there
    cut: Sequence[Dataset]  # sent past the PACS, cut off
    foreign: Sequence[Dataset] = ()  # another woman's under her identifiers, routed by the PACS
    mislabelled: Sequence[Dataset] = ()  # sent past the PACS, before they come through it as they must be

    @property
    def expected(self) -> Expected:
        """What must come of her."""
        return self.story.expected

    @property
    def key(self) -> tuple[str, str]:
        """Issuer and Patient ID."""
        return self.who.issuer, self.who.patient_id

    @property
    def keys(self) -> Sequence[tuple[str, str]]:
        """Issuer and Patient ID, all that she has had, the one that is hers for good last."""
        retired = self.story.retired_id
        return [(self.who.issuer, retired), self.key] if retired else [self.key]

    @property
    def has_second_act(self) -> bool:
        """Whether something happens when the first report is there."""
        return bool(self.late or self.story.retired_id)

    @property
    def folder(self) -> str:
        """Where her results are written."""
        return f"{self.number:02d}-{self.who.issuer}-{self.who.patient_id}"

    @cached_property
    def sent(self) -> Mapping[str, Dataset]:
        """Everything sent, by SOP Instance UID."""
        return {str(ds.SOPInstanceUID): ds for ds in (*self.images, *self.late, *self.cut, *self.foreign)}

    @cached_property
    def own(self) -> Mapping[str, Dataset]:
        """Those of them that show her."""
        foreign = {str(ds.SOPInstanceUID) for ds in self.foreign}
        return {uid: ds for uid, ds in self.sent.items() if uid not in foreign}


def make_patients(stories: Sequence[Story], today: date) -> list[DemoPatient]:
    """Make the patients, many of them in a process for each core; the same day gives the same images."""
    make, numbers = partial(make_patient, today=today), range(1, len(stories) + 1)
    if len(stories) <= FEW:
        return list(map(make, numbers, stories))
    at_a_time = min(os.cpu_count() or 1, len(stories))
    with ProcessPoolExecutor(at_a_time, get_context("spawn"), signal.signal, (signal.SIGINT, signal.SIG_IGN)) as pool:
        return list(pool.map(make, numbers, stories))


def make_patient(number: int, story: Story, today: date) -> DemoPatient:
    """Make one patient out of her story."""
    who = phantom.patient(
        number,
        story.patient_id or f"DEMO-{number:02d}",
        issuer=story.issuer,
        name=story.name,
        sides=tuple(story.sides),
        axillae=story.latents or None,
        diagnosed_on=today - DIAGNOSED_AGO,
    )
    registered = replace(who, patient_id=story.retired_id or who.patient_id)
    images = _studies(registered, story.sends, today)
    cut = [images.pop()] if story.cut_last else []
    return DemoPatient(
        number,
        story,
        who,
        _row(story, registered, today) if story.in_ehr else None,
        images,
        _studies(who, story.late, today),
        cut,
        _studies(_namesake(number, story, who), story.sends, today) if story.namesake else (),
        [_of_the_other_side(images[0])] if story.mislabelled else (),
    )


def _namesake(number: int, story: Story, who: phantom.Patient) -> phantom.Patient:
    """Make another woman under the same identifiers."""
    other = phantom.patient(
        number + 1000, who.patient_id, issuer=who.issuer, name=story.namesake, diagnosed_on=who.diagnosed_on
    )
    return replace(other, birth_date=who.birth_date - timedelta(days=1234))


def _of_the_other_side(ds: Dataset) -> Dataset:
    wrong = deepcopy(ds)
    wrong.ImageLaterality = {"L": "R", "R": "L"}[str(ds.ImageLaterality)]
    return wrong


def _studies(who: phantom.Patient, modalities: str, today: date) -> list[Dataset]:
    made = [(MAKERS[modality][0], MAKERS[modality][1]) for modality in modalities.split()]
    return [ds for make, days_ago in made for ds in make(who, today - timedelta(days=days_ago))]


def _row(story: Story, who: phantom.Patient, today: date) -> dict[str, object]:
    row = {**phantom.ehr_row(who), "diagnosis": story.diagnosis}
    if story.operated_ago is not None:
        row |= {name: today - story.operated_ago for name in ("surgery_date", "surgery_date_date")}
    if "US" not in story.sends.split():
        del row["size_ultrasound_mm"]  # nobody has measured it
    return {name: value for name, value in row.items() if name in (story.columns or row)}


def part10(ds: Dataset) -> bytes:
    """Encode a dataset as a Part 10 file."""
    buffer = BytesIO()
    dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()


def cut_off(encoded: bytes) -> bytes:
    """Lose the last third of a file; what is left is of even length, as everything that DICOM sends."""
    return encoded[: len(encoded) * 2 // 3 // 2 * 2]
