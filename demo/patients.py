"""From stories to patients: synthetic images, rows of the clinical database, and how they are sent."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from io import BytesIO
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

    @property
    def expected(self) -> Expected:
        """What must come of her."""
        return self.story.expected

    @property
    def key(self) -> tuple[str, str]:
        """Issuer and Patient ID."""
        return self.who.issuer, self.who.patient_id

    @property
    def folder(self) -> str:
        """Where her results are written."""
        return f"{self.number:02d}-{self.who.issuer}-{self.who.patient_id}"

    @cached_property
    def sent(self) -> Mapping[str, Dataset]:
        """Everything sent, by SOP Instance UID."""
        return {str(ds.SOPInstanceUID): ds for ds in (*self.images, *self.late, *self.cut)}


def make_patients(stories: Sequence[Story], today: date) -> list[DemoPatient]:
    """Make the patients; the same day gives the same images."""
    return [make_patient(number, story, today) for number, story in enumerate(stories, start=1)]


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
    images = _studies(who, story.sends, today)
    cut = [images.pop()] if story.cut_last else []
    row = _row(story, who, today) if story.in_ehr else None
    return DemoPatient(number, story, who, row, images, _studies(who, story.late, today), cut)


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
