"""Every rule for segmentations, presentation states and key objects, and what dicom3tools says of them."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from agent.core.errors import Permanent
from agent.core.patient import PatientKey
from agent.core.result import Kind, Result, ResultObject, SourceImage
from agent.dicom import codes
from agent.report import tree
from agent.report.capture import captures
from agent.report.compose import Composer
from agent.report.draft import Draft
from agent.report.key_object import key_objects
from agent.report.presentation_state import presentation_states
from agent.report.rejection import rejections
from agent.report.segmentation import segmentations
from agent.report.slot import Finished
from agent.report.validate import RULES, validate
from tests import builders, peers
from tests.unit.report import overlays, scenes
from tests.unit.report.breaking import broken_copy
from tests.unit.report.broken import OF_OTHER_KINDS
from tests.unit.report.conftest import DEVICE
from tests.unit.report.overlays import COMPOSER
from tests.unit.report.test_validators import run

SEG, STATE, KEYS, REJECTION = "segmentation:L:1", "presentation_state:L:1", "key_object::1", "rejection::1"
OTHERS = frozenset({Kind.SEGMENTATION, Kind.PRESENTATION_STATE, Kind.KEY_OBJECT, Kind.REJECTION})


@pytest.fixture(scope="module")
def draft() -> Draft:
    """Version 2 of a result on MR: every further kind of object occurs."""
    result, images = overlays.slices()
    return Draft.of(overlays.second(result, images), images, DEVICE)


@pytest.fixture(scope="module")
def sound(draft: Draft) -> list[Finished]:
    """Its further objects, which keep every rule."""
    headers = {i.instance.sop_instance_uid: i.header for i in overlays.slices()[1]}
    return [
        *segmentations(draft, headers),
        *presentation_states(draft, headers),
        *key_objects(draft, captures(draft)),
        *rejections(draft),
    ]


def segment(ds: Dataset) -> Dataset:
    """Return the one segment."""
    return ds.SegmentSequence[0]


def image(ds: Dataset) -> Dataset:
    """Return the one image of a presentation state."""
    return ds.ReferencedSeriesSequence[0].ReferencedImageSequence[0]


def drawn(ds: Dataset) -> Dataset:
    """Return the region of a presentation state."""
    return ds.GraphicAnnotationSequence[0].GraphicObjectSequence[0]


def text(ds: Dataset) -> Dataset:
    """Return the words of a presentation state."""
    return ds.GraphicAnnotationSequence[0].TextObjectSequence[0]


def described(ds: Dataset) -> Dataset:
    """Return the description of a key object."""
    return tree.named(ds, codes.KEY_OBJECT_DESCRIPTION)[0]


def forget_last(ds: Dataset) -> None:
    """Name one object less."""
    ds.ContentSequence = ds.ContentSequence[:-1]


def name_in_evidence(ds: Dataset, uid: str = "1.2.3", study: str = "") -> None:
    """Name one object more in the evidence and the content."""
    found = deepcopy(ds.CurrentRequestedProcedureEvidenceSequence[0])
    found.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID = uid
    found.StudyInstanceUID = study or found.StudyInstanceUID
    ds.CurrentRequestedProcedureEvidenceSequence = [*ds.CurrentRequestedProcedureEvidenceSequence, found]
    item = deepcopy(ds.ContentSequence[-1])
    item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID = uid
    ds.ContentSequence = [*ds.ContentSequence, item]


def name_others_only(ds: Dataset) -> None:
    """Name nothing but an unknown object."""
    for series in ds.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence:
        series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID = "1.2.3"
    for item in ds.ContentSequence:
        if "ReferencedSOPSequence" in item:
            item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID = "1.2.3"


def shift(ds: Dataset, by: float) -> None:
    """Move the region to the right."""
    drawn(ds).GraphicData = [v + by * (n % 2 == 0) for n, v in enumerate(drawn(ds).GraphicData)]


def title(ds: Dataset, concept: codes.CodedConcept) -> None:
    """Give a key object another title."""
    ds.ConceptNameCodeSequence = [concept]


BROKEN: list[tuple[str, str, Callable[[Dataset], object]]] = [
    ("subject_equals_source", SEG, lambda ds: setattr(ds, "PatientID", "P-0002")),
    ("subject_equals_source", STATE, lambda ds: setattr(ds, "PatientName", "OTHER^NAME")),
    ("subject_equals_source", KEYS, lambda ds: setattr(ds, "AccessionNumber", "OTHER")),
    ("subject_equals_source", REJECTION, lambda ds: setattr(ds, "PatientID", "P-0002")),
    ("version_is_advertised", SEG, lambda ds: setattr(ds, "SeriesDescription", "AI ALN risk v1 L")),
    ("version_is_advertised", STATE, lambda ds: setattr(ds, "SeriesDescription", "AI ALN risk v2 annotation")),
    ("text_is_utf8", REJECTION, lambda ds: setattr(ds, "SpecificCharacterSet", "ISO_IR 100")),
    ("private_scheme_is_identified", KEYS, lambda ds: delattr(ds, "CodingSchemeIdentificationSequence")),
    ("segments_are_influences", SEG, lambda ds: setattr(ds, "SegmentSequence", [])),
    (
        "segments_are_influences",
        SEG,
        lambda ds: setattr(segment(ds).SegmentedPropertyTypeCodeSequence[0], "CodeValue", "108369006"),
    ),
    (
        "segments_are_influences",
        SEG,
        lambda ds: setattr(segment(ds).SegmentationAlgorithmIdentificationSequence[0], "AlgorithmVersion", "9"),
    ),
    ("segment_is_tracked_as_in_the_sr", SEG, lambda ds: setattr(segment(ds), "TrackingUID", "1.2.3")),
    ("segment_has_a_colour", SEG, lambda ds: delattr(segment(ds), "RecommendedDisplayCIELabValue")),
    ("segment_holds_the_disclaimer", SEG, lambda ds: setattr(segment(ds), "SegmentDescription", "A lesion.")),
    ("pixels_are_the_region", SEG, lambda ds: setattr(ds, "PixelData", bytes(len(ds.PixelData)))),
    ("pixels_are_the_region", SEG, lambda ds: setattr(ds, "Rows", 96)),
    (
        "pixels_are_the_region",
        SEG,
        lambda ds: setattr(
            ds.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0], "ReferencedSOPInstanceUID", "1.2.3"
        ),
    ),
    (
        "state_is_of_one_image_of_its_study",
        STATE,
        lambda ds: setattr(image(ds), "ReferencedSOPInstanceUID", "1.2.3"),
    ),
    ("state_is_of_one_image_of_its_study", STATE, lambda ds: setattr(image(ds), "ReferencedFrameNumber", 1)),
    (
        "state_is_of_one_image_of_its_study",
        STATE,
        lambda ds: setattr(ds.ReferencedSeriesSequence[0], "ReferencedImageSequence", [image(ds), image(ds)]),
    ),
    ("state_draws_inside_the_image", STATE, lambda ds: shift(ds, 50)),
    ("state_draws_inside_the_image", STATE, lambda ds: shift(ds, -90)),
    ("state_draws_inside_the_image", STATE, lambda ds: setattr(drawn(ds), "GraphicData", [5.0, 5.0] * 5)),
    (
        "state_draws_inside_the_image",
        STATE,
        lambda ds: setattr(drawn(ds), "GraphicData", [*drawn(ds).GraphicData[:-1], 1.0]),
    ),
    (
        "state_draws_inside_the_image",
        STATE,
        lambda ds: setattr(ds.DisplayedAreaSelectionSequence[0], "DisplayedAreaBottomRightHandCorner", [200, 200]),
    ),
    ("state_says_the_answer", STATE, lambda ds: setattr(text(ds), "UnformattedTextValue", "73 %")),
    (
        "state_says_the_answer",
        STATE,
        lambda ds: setattr(ds.GraphicAnnotationSequence[0], "TextObjectSequence", [text(ds), text(ds)]),
    ),
    ("evidence_is_what_is_named", KEYS, forget_last),
    ("evidence_is_what_is_named", REJECTION, lambda ds: delattr(ds, "CurrentRequestedProcedureEvidenceSequence")),
    ("names_objects_of_one_study", KEYS, lambda ds: name_in_evidence(ds, study="1.2.9")),
    ("names_objects_of_one_study", REJECTION, lambda ds: name_in_evidence(ds, study="1.2.9")),
    ("key_object_holds_the_disclaimer", KEYS, lambda ds: setattr(described(ds), "TextValue", "Look.")),
    ("key_object_holds_the_disclaimer", REJECTION, lambda ds: delattr(ds, "ContentTemplateSequence")),
    ("key_images_are_ours_or_sources", KEYS, lambda ds: title(ds, codes.REJECTED_FOR_QUALITY)),
    ("key_images_are_ours_or_sources", KEYS, name_others_only),
    ("rejects_nothing_of_this_version", REJECTION, name_in_evidence),
    ("rejection_says_why", REJECTION, lambda ds: title(ds, codes.REJECTED_FOR_SAFETY)),
    (
        "rejection_says_why",
        REJECTION,
        lambda ds: setattr(described(ds), "TextValue", f"{described(ds).TextValue} Else."),
    ),
]


@pytest.mark.parametrize(("rule", "role", "break_it"), BROKEN, ids=[f"{n}-{b[0]}" for n, b in enumerate(BROKEN)])
def test_broken_object_is_refused_by_name(
    draft: Draft, sound: Sequence[Finished], rule: str, role: str, break_it: Callable[[Dataset], object]
) -> None:
    """The rule does not hold, and the gate refuses the object by its role; the standard's own rules are asked first."""
    one = next(o for o in sound if o.slot.role == role)
    spoilt = broken_copy(one, break_it)
    (named,) = (r for r in RULES if r.name == rule and one.slot.kind in r.kinds)
    assert named.holds(draft, one)
    assert not named.holds(draft, spoilt)
    with pytest.raises(Permanent, match=f"^{role} breaks the rule "):
        validate(draft, [spoilt], alone=True)


def test_sound_objects_pass(draft: Draft, sound: Sequence[Finished]) -> None:
    """What the room makes keeps every rule."""
    assert {one.slot.kind for one in sound} == OTHERS
    validate(draft, sound, alone=True)


def test_every_rule_of_these_kinds_is_broken() -> None:
    """A rule that nothing can break checks nothing."""
    assert {holds.__name__ for holds in OF_OTHER_KINDS} <= {b[0] for b in BROKEN}


SCENES: dict[str, Callable[[], tuple[Result, list[SourceImage]]]] = {
    "mr": overlays.slices,
    "views": overlays.views,
    "clip": overlays.clip,
}


@pytest.fixture(scope="module", params=SCENES)
def made(request: pytest.FixtureRequest) -> tuple[ResultObject, ...]:
    """Every object of version 2 of a scene."""
    result, images = SCENES[request.param]()
    return COMPOSER(overlays.second(result, images), images)


def test_dciodvfy_finds_no_error_of_any_kind(tmp_path: Path, made: tuple[ResultObject, ...]) -> None:
    """No Error, and no warning but on our private codes."""
    program = peers.program("dciodvfy")
    for one in made:
        path = tmp_path / "object.dcm"
        path.write_bytes(one.encoded)
        said = run(program, "-new", str(path)).stderr.splitlines()
        assert [line for line in said if line.startswith("Error")] == []
        assert [line for line in said if line.startswith("Warning") and "99SENTINODE" not in line] == []


def test_series_hold_one_kind_of_one_study(made: tuple[ResultObject, ...]) -> None:
    """Series Numbers and UIDs do not collide, and modality and description are a series' own."""
    read = [dcmread(BytesIO(o.encoded), stop_before_pixels=True) for o in made]
    numbers = {(str(ds.SeriesInstanceUID), ds.Modality, int(ds.SeriesNumber), ds.SeriesDescription) for ds in read}
    assert len(numbers) == len({uid for uid, *_ in numbers}) == len({number for _, _, number, _ in numbers})
    assert {number // 20 for _, _, number, _ in numbers} == {46}
    assert {ds.Modality for ds in read if "KeyObject" in ds.SOPClassUID.keyword} == {"KO"}
    assert all(len(ds.SeriesDescription) <= 64 for ds in read)


def test_same_result_same_bytes() -> None:
    """Of every kind, with another composer."""
    result, images = overlays.slices()
    later = overlays.second(result, images)
    assert COMPOSER(later, images) == Composer(DEVICE, kinds=frozenset(Kind))(later, images)


def test_only_what_is_asked_for_is_made() -> None:
    """Each further kind by itself."""
    result, images = overlays.slices()
    later = overlays.second(result, images)
    for kind in OTHERS:
        objects = Composer(DEVICE, kinds=[kind])(later, images)
        assert {o.kind for o in objects} - {Kind.SR, Kind.TEXT_SR, Kind.SECONDARY_CAPTURE} == {kind}


def test_nothing_of_the_header_but_what_is_needed_leaves() -> None:
    """Other names and numbers of a patient in a source's header stand in none of these objects."""
    canaries = {
        "OtherPatientIDs": "CANARY1",
        "PatientAddress": "CANARY2",
        "OperatorsName": "CANARY3",
        "InstitutionName": "CANARY4",
        "ImageComments": "CANARY5",
        "PositionReferenceIndicator": "CANARY6",
        "WindowCenterWidthExplanation": "CANARY7",
        "RescaleSlope": 1,
        "RescaleIntercept": 0,
        "RescaleType": "CANARY8",
    }
    result, images = scenes.mr_alone(**overlays.PLACED | canaries)
    moved = replace(overlays.second(result, images), patient=PatientKey("PHANTOM", "P-0009"))
    for one in COMPOSER(moved, images):
        assert b"CANARY" not in one.encoded
        assert builders.PATIENT.patient_id.encode() not in one.encoded
