"""No patient text in pixels: whatever identifies a patient changes no pixel of any picture."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from io import BytesIO
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.uid import EnhancedSRStorage

from agent.core.patient import PatientKey
from agent.core.prediction import NoEstimate, Side
from agent.core.result import Reference, Result, SourceImage
from agent.report.capture import captures
from agent.report.draft import Draft
from tests import builders
from tests.unit.report import scenes
from tests.unit.report.conftest import DEVICE

IDENTITY = (
    *("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientAge", "PatientSex"),
    *("AccessionNumber", "StudyID", "StudyDate", "StudyTime", "StudyDescription", "ReferringPhysicianName"),
)
HOSTILE = [
    "MÜLLER^ÄNNE",
    "山田^花子=ヤマダ^ハナコ",
    "'; DROP TABLE--",
    "%s%n{0}",
    "<b>x</b>",
    "L axilla 99.9 %",
    "x" * 200,
    "",
]
NAMES = st.sampled_from(HOSTILE) | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40)


def identified(image: SourceImage, values: dict[str, Any]) -> SourceImage:
    """Return a source image of somebody else: another header, and another key; nothing else differs."""
    header = dcmread(BytesIO(image.header))
    header.SpecificCharacterSet = "ISO_IR 192"
    for keyword, value in values.items():
        setattr(header, keyword, value)
    patient = PatientKey(str(values["IssuerOfPatientID"]) or "OTHER", str(values["PatientID"]) or "OTHER")
    return replace(image, header=builders.part10(header), instance=replace(image.instance, patient=patient))


def pictures(result: Result, images: Sequence[SourceImage]) -> dict[str, bytes]:
    """Return the pixels of every capture."""
    made = captures(Draft.of(result, images, DEVICE))
    return {c.finished.slot.role: bytes(c.finished.ds.PixelData) for c in made}


def mammogram() -> tuple[Result, list[SourceImage]]:
    """One view with an estimate, one axilla without: a heatmap and a summary."""
    image = builders.source_image()
    answers = [builders.estimate(), NoEstimate(Side.R, "no facts")]
    return builders.result(answers, [image]), [image]


def later_version() -> tuple[Result, list[SourceImage]]:
    """A version that names what it supersedes and why."""
    result, images = mammogram()
    before = Reference(EnhancedSRStorage, "2.25.9", "2.25.10", "2.25.11")
    return replace(result, version=2, predecessors={"text_sr": before}, new_inputs=("US",)), images


SCENES: dict[str, Callable[[], tuple[Result, list[SourceImage]]]] = {
    "mammogram": mammogram,
    "later version": later_version,
    "four modalities": scenes.everything,
    "MR alone": scenes.mr_alone,
}


@pytest.fixture(scope="module", params=SCENES)
def scene(request: pytest.FixtureRequest) -> tuple[Result, list[SourceImage], dict[str, bytes]]:
    """A result with its images, and its pictures."""
    result, images = SCENES[request.param]()
    return result, images, pictures(result, images)


@pytest.mark.filterwarnings("ignore")  # pydicom's words on hostile values are not ours
@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    name=NAMES,
    patient_id=NAMES,
    issuer=st.sampled_from(HOSTILE),
    born=st.dates(date(1900, 1, 1), date(2020, 1, 1)),
    number=NAMES,
)
def test_pictures_of_two_patients_are_the_same(
    scene: tuple[Result, list[SourceImage], dict[str, bytes]],
    name: str,
    patient_id: str,
    issuer: str,
    born: date,
    number: str,
) -> None:
    """Two patients who differ in their identity alone have the same pictures, pixel by pixel."""
    result, images, wanted = scene
    day = f"{born:%Y%m%d}"
    texts = [name, patient_id, issuer, day, "099Y", "O", number, number, day, "235959", name, name]
    values = dict(zip(IDENTITY, texts, strict=True))
    others = [identified(image, values) for image in images]
    by_uid = {o.instance.sop_instance_uid: o.instance for o in others}
    used = tuple(by_uid.get(i.sop_instance_uid, i) for i in result.used)
    of_another = replace(result, patient=others[0].instance.patient, used=used)
    assert Draft.of(of_another, others, DEVICE).sources[0].subject.StudyDate == day
    assert pictures(of_another, others) == wanted


def test_pictures_of_two_answers_are_not_the_same() -> None:
    """The comparison can fail: another number is another picture."""
    result, images = mammogram()
    other = replace(result, answers=(builders.estimate("L", 0.71), *result.answers[1:]))
    first, second = pictures(result, images), pictures(other, images)
    assert first.keys() == second.keys()
    assert first["secondary_capture:L:1"] != second["secondary_capture:L:1"]
