"""Whom the demo sends: synthetic patients, each with a story and what must come back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from pydicom.dataset import Dataset

from models import phantom


@dataclass(frozen=True)
class Expected:
    """How many objects of each kind must arrive in the PACS."""

    sr: int
    text_sr: int
    secondary_capture: int

    @property
    def total(self) -> int:
        """All objects."""
        return self.sr + self.text_sr + self.secondary_capture


NOTHING = Expected(0, 0, 0)


@dataclass(frozen=True)
class DemoPatient:
    """One synthetic patient of the demo."""

    patient_id: str
    story: str
    images: Sequence[Dataset]
    ehr_row: Mapping[str, object]
    expected: Expected


def demo_patients(today: date) -> list[DemoPatient]:
    """Make the patients; the same day gives the same images."""
    imaged, diagnosed = today - timedelta(days=3), today - timedelta(days=10)

    def make(
        number: int, story: str, expected: Expected, sides: Sequence[str] = ("L",), name: str = "", **facts: object
    ) -> DemoPatient:
        patient = phantom.patient(
            number, f"DEMO-{number:04d}", sides=sides, name=name or f"DEMO^{number:04d}", diagnosed_on=diagnosed
        )
        row = {**phantom.ehr_row(patient), **facts}
        return DemoPatient(patient.patient_id, story, phantom.studies(patient, imaged), row, expected)

    return [
        make(37, "Cancer of the left breast; four views and clinical facts.", Expected(1, 1, 2)),
        make(11, "Cancer of both breasts: two answers, a report for each axilla.", Expected(2, 1, 4), ("L", "R")),
        make(13, "Cancer of the right breast; a name in Greek.", Expected(1, 1, 2), ("R",), "ΔΟΚΙΜΗ^ΣΥΝΘΕΤΙΚΗ"),
        make(
            4,
            "The images were taken after the operation: no estimate, and the report says why.",
            Expected(0, 1, 1),
            surgery_date=diagnosed + timedelta(days=4),
            surgery_date_date=diagnosed + timedelta(days=4),
        ),
        make(5, "The biopsy showed no cancer: nothing is sent.", NOTHING, diagnosis="benign"),
    ]
