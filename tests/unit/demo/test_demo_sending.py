"""In which order the demo's images travel."""

import random
from dataclasses import replace
from datetime import date

from demo.chest_ct import SLICES
from demo.expected import no_case
from demo.patients import DemoPatient
from demo.sending import pairs, series_in_turn
from demo.stories import Story
from models import phantom
from tests import builders

STORY = Story("A title", "A text.", "FICTA^NORA", "MG", no_case(SLICES))
VIEWS = [(side, view) for side in "LR" for view in ("CC", "MLO")]


def a_patient(number: int, patient_id: str = "", issuer: str = "PHANTOM", *, late: bool = False) -> DemoPatient:
    """Return a patient with four mammograms of a study of her own."""
    who = phantom.patient(number, patient_id or f"P-{number}", issuer=issuer, diagnosed_on=date(2026, 1, 1))
    images = [builders.mammogram(*view, study=f"s{number}", rows=20, columns=16) for view in VIEWS]
    return DemoPatient(number, replace(STORY), who, None, images, images[:1] if late else [], [])


def test_everyone_travels_once_two_at_a_time() -> None:
    """Nobody is left out, and nobody sent twice, whether their number is even or odd."""
    for count in range(6):
        patients = [a_patient(n) for n in range(1, count + 1)]
        groups = list(pairs(patients))
        assert sorted(p.number for group in groups for p in group) == list(range(1, count + 1))
        assert all(1 <= len(group) <= 2 for group in groups)


def test_namesakes_travel_together() -> None:
    """Two women of one Patient ID are sent in turn, so that a mix-up would show."""
    patients = [a_patient(1), a_patient(2, "SAME"), a_patient(3), a_patient(4, "SAME", "PHANTOM2")]
    assert [[p.number for p in group] for group in pairs(patients)] == [[2, 4], [1, 3]]


def test_who_has_late_images_goes_first() -> None:
    """The second version takes longest."""
    patients = [a_patient(1), a_patient(2), a_patient(3, late=True)]
    assert [p.number for p in next(iter(pairs(patients)))] == [3]


def test_series_of_two_patients_alternate_and_are_out_of_order() -> None:
    """Each patient's series come all, shuffled, in turn with the other's."""
    one, other = a_patient(1), a_patient(2)
    order = series_in_turn([one, other], random.Random(1))
    own = [[str(ds.SeriesInstanceUID) for ds in patient.images] for patient in (one, other)]
    assert sorted(order) == sorted(own[0] + own[1])
    assert set(order[::2]) == set(own[0])
    assert order[::2] != own[0]
