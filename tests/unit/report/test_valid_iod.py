"""What the standard's tables require of an object: what lacks it is refused, with the attribute's name."""

from collections.abc import Callable, Iterator
from copy import copy, deepcopy
from dataclasses import replace

import highdicom as hd
import numpy as np
import pytest
from highdicom import _standard_utils as standard
from pydicom import DataElement, Dataset
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    BasicTextSRStorage,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EnhancedSRStorage,
    ExplicitVRLittleEndian,
    GrayscaleSoftcopyPresentationStateStorage,
    KeyObjectSelectionDocumentStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)

from agent.core.errors import Permanent
from agent.core.prediction import NoEstimate, Side
from agent.core.result import Kind
from agent.report import rules_iod, rules_value
from agent.report.draft import Draft
from agent.report.iod_tables import CONTENT, iod
from agent.report.levels import levels
from agent.report.slot import Finished, Slot
from agent.report.validate import validate, validate_one, validate_together
from tests import builders
from tests.unit.report import scenes
from tests.unit.report.broken import HEATMAP, SR, SUMMARY, TEXT, finished
from tests.unit.report.conftest import DEVICE

OBJECT = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber", "Modality")
SUBJECT = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "AccessionNumber")
SUBJECT_2 = (*SUBJECT, "StudyID", "ReferringPhysicianName", "Manufacturer")
DOCUMENT = ("ContentDate", "ContentTime", "InstanceNumber", "CompletionFlag", "VerificationFlag")
DOCUMENT_2 = ("ReferencedPerformedProcedureStepSequence", "PerformedProcedureCodeSequence")
PIXELS = (
    *("SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit"),
    *("PixelRepresentation", "ConversionType"),
)
TYPE_1 = {SR: OBJECT + DOCUMENT, TEXT: OBJECT + DOCUMENT, HEATMAP: (*OBJECT[:4], "Modality", *PIXELS)}
TYPE_2 = {SR: SUBJECT_2 + DOCUMENT_2, TEXT: SUBJECT_2 + DOCUMENT_2, HEATMAP: (*SUBJECT_2[:-1], "InstanceNumber")}
CONDITIONAL = {
    SR: ("SpecificCharacterSet",),
    TEXT: ("SpecificCharacterSet",),
    HEATMAP: ("PatientOrientation", "PlanarConfiguration"),
}


@pytest.fixture(scope="module")
def draft() -> Draft:
    """A left axilla with an estimate, a right one without, on images of three modalities and studies."""
    result, images = scenes.everything()
    answers = (*result.answers, NoEstimate(Side.R, "no facts"))
    return Draft.of(replace(result, answers=answers), images, DEVICE)


@pytest.fixture(scope="module")
def sound(draft: Draft) -> dict[str, Finished]:
    """Its objects by role."""
    return {one.slot.role: one for one in finished(draft)}


def broken(draft: Draft, one: Finished) -> dict[str, list[str]]:
    """Return the attributes that break each rule; what takes presence for granted is asked only where all is there."""
    whole = levels(one.ds)
    for rules in (*((rule,) for rule in rules_iod.PRESENCE), (*rules_iod.CONDITIONAL, *rules_value.RULES)):
        told = {rule.__name__: sorted(rule(draft, one, whole)) for rule in rules}
        if found := {rule: attributes for rule, attributes in told.items() if attributes}:
            return found
    return {}


def without(one: Finished, keyword: str) -> Finished:
    """Return the object without an attribute."""
    return changed(one, lambda ds: delattr(ds, keyword))


def changed(one: Finished, change: Callable[[Dataset], object]) -> Finished:
    """Return the object with a change at its top level: a copy of that does."""
    ds = Dataset()
    for element in one.ds:
        ds.add(copy(element))
    change(ds)
    return Finished(one.slot, ds, one.needs, drawn=one.drawn)


def cases(table: dict[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    """Return every pair of a table."""
    return [(role, keyword) for role, keywords in table.items() for keyword in keywords]


def exchanged(sound: dict[str, Finished], one: Finished) -> list[Finished]:
    """Return a set of objects in which one was exchanged: that one first, as the others pass."""
    return [one, *(other for role, other in sound.items() if role != one.slot.role)]


def refusal(draft: Draft, sound: dict[str, Finished], one: Finished) -> str:
    """Return what the gate says of a set of objects in which one was exchanged."""
    with pytest.raises(Permanent) as refused:
        validate(draft, exchanged(sound, one))
    return str(refused.value)


@pytest.mark.parametrize("role", [SR, TEXT, HEATMAP, SUMMARY])
def test_sound_object_breaks_no_rule(draft: Draft, sound: dict[str, Finished], role: str) -> None:
    """What the room makes has all that is required of it."""
    assert broken(draft, sound[role]) == {}


@pytest.mark.parametrize(("role", "keyword"), cases(TYPE_1) + cases(TYPE_2))
def test_missing_attribute_is_refused(draft: Draft, sound: dict[str, Finished], role: str, keyword: str) -> None:
    """Without any one of the attributes of type 1 or 2 nothing is sent."""
    if keyword == "SOPClassUID":
        wanted = "no IOD is known of the SOP class "
    else:
        wanted = f"{role} breaks the rule required_attributes_are_present: {keyword}"
    assert refusal(draft, sound, without(sound[role], keyword)) == wanted


@pytest.mark.parametrize(("role", "keyword"), [c for c in cases(TYPE_1) if c[1] != "SOPClassUID"])
def test_empty_attribute_is_refused(draft: Draft, sound: dict[str, Finished], role: str, keyword: str) -> None:
    """An attribute of type 1 has a value."""
    empty = changed(sound[role], lambda ds: setattr(ds, keyword, None))
    wanted = f"{role} breaks the rule required_attributes_have_values: {keyword}"
    assert refusal(draft, sound, empty) == wanted


@pytest.mark.parametrize(("role", "keyword"), cases(TYPE_2))
def test_attribute_of_type_2_may_be_empty(draft: Draft, sound: dict[str, Finished], role: str, keyword: str) -> None:
    """What nobody knows is there, and empty."""
    empty = changed(sound[role], lambda ds: setattr(ds, keyword, [] if keyword.endswith("Sequence") else None))
    assert broken(draft, empty) == {}


@pytest.mark.parametrize(("role", "keyword"), cases(CONDITIONAL))
def test_missing_conditional_attribute_is_found(
    draft: Draft, sound: dict[str, Finished], role: str, keyword: str
) -> None:
    """What is required under a condition that holds is missed by name."""
    assert broken(draft, without(sound[role], keyword)) == {"conditions_are_met": [keyword]}


def nested(ds: Dataset) -> Iterator[Dataset]:
    """Yield every item below a dataset."""
    for element in ds:
        if element.VR == "SQ":
            for item in element.value:
                yield item
                yield from nested(item)


def _may_be_nameless(item: Dataset, element: DataElement) -> bool:
    """Whether an item's name may be left out: a container's, an image's, a region's."""
    return element.keyword == "ConceptNameCodeSequence" and item.ValueType in ("CONTAINER", "IMAGE", "SCOORD")


OPTIONAL_BELOW = frozenset(
    {
        *("ContentSequence", "ContextGroupVersion", "CodingSchemeName", "CodingSchemeResponsibleOrganization"),
        *("CodingSchemeUID", "PurposeOfReferenceCodeSequence", "SpatialLocationsPreserved"),
        *("ReferencedFrameNumber", "FloatingPointValue", "CodingSchemeVersion", "ContentTemplateSequence"),
    }
)
"""Attributes of our items that no table requires, or whose condition only a rule of a document's own knows."""


@pytest.mark.parametrize("role", [SR, TEXT, HEATMAP])
def test_every_attribute_of_an_item_is_missed(draft: Draft, sound: dict[str, Finished], role: str) -> None:
    """Each attribute of each item is taken away in turn: something is wrong, and put back: nothing is."""
    one, tried = sound[role], 0
    for item in nested(one.ds):
        for element in list(item):
            if element.keyword in OPTIONAL_BELOW or _may_be_nameless(item, element):
                continue
            del item[element.tag]
            found = broken(draft, one)
            item.add(element)
            named = [path.rpartition(".")[2] for paths in found.values() for path in paths]
            assert element.keyword in named, element.keyword
            tried += 1
    assert tried > {SR: 300, TEXT: 150, HEATMAP: 5}[role]
    assert broken(draft, one) == {}


def group(ds: Dataset) -> Dataset:
    """Return the measurement group of an SR."""
    return ds.ContentSequence[-1].ContentSequence[0]


def item(ds: Dataset, value_type: str) -> Dataset:
    """Return the first item of a Value Type, wherever it is."""
    return next(i for i in nested(ds) if i.get("ValueType") == value_type)


CONTENT_BREAKS: list[tuple[str, str, Callable[[Dataset], object]]] = [
    ("content_items_are_whole", "RelationshipType", lambda ds: delattr(item(ds, "SCOORD"), "RelationshipType")),
    ("content_items_are_whole", "ValueType", lambda ds: setattr(item(ds, "SCOORD"), "ValueType", "SCROLL")),
    ("content_items_are_whole", "ConceptNameCodeSequence", lambda ds: delattr(ds, "ConceptNameCodeSequence")),
    ("content_items_are_whole", "ContinuityOfContent", lambda ds: delattr(group(ds), "ContinuityOfContent")),
    ("content_items_are_whole", "GraphicData", lambda ds: delattr(item(ds, "SCOORD"), "GraphicData")),
    ("content_items_are_whole", "MeasuredValueSequence", lambda ds: delattr(item(ds, "NUM"), "MeasuredValueSequence")),
    ("codes_are_whole", "CodeValue", lambda ds: setattr(ds.ConceptNameCodeSequence[0], "LongCodeValue", "126000")),
    ("codes_are_whole", "CodeValue", lambda ds: delattr(ds.ConceptNameCodeSequence[0], "CodeValue")),
    (
        "codes_are_whole",
        "CodingSchemeDesignator",
        lambda ds: delattr(ds.ConceptNameCodeSequence[0], "CodingSchemeDesignator"),
    ),
]


@pytest.mark.parametrize(("rule", "keyword", "break_it"), CONTENT_BREAKS, ids=range(len(CONTENT_BREAKS)))
def test_broken_content_item_is_found(
    draft: Draft, sound: dict[str, Finished], rule: str, keyword: str, break_it: Callable[[Dataset], object]
) -> None:
    """An item of the tree that lacks what its type asks for is found by the attribute."""
    one = Finished(sound[SR].slot, deepcopy(sound[SR].ds))
    break_it(one.ds)
    assert {attribute.rpartition(".")[2] for attribute in broken(draft, one)[rule]} == {keyword}


def test_number_that_could_not_be_measured_is_whole(draft: Draft, sound: dict[str, Finished]) -> None:
    """A measured value is of type 2: it may be empty."""
    one = Finished(sound[SR].slot, deepcopy(sound[SR].ds))
    item(one.ds, "NUM").MeasuredValueSequence = []
    assert broken(draft, one) == {}


def test_item_by_reference_has_no_type_of_its_own(draft: Draft, sound: dict[str, Finished]) -> None:
    """It names another item instead (PS3.3 C.17.3.2)."""
    one = Finished(sound[SR].slot, deepcopy(sound[SR].ds))
    by_reference = deepcopy(group(one.ds).ContentSequence[-1])
    group(one.ds).ContentSequence.append(by_reference)
    by_reference.clear()
    by_reference.RelationshipType, by_reference.ReferencedContentItemIdentifier = "INFERRED FROM", [1, 4, 1]
    assert broken(draft, one) == {}


def test_code_of_a_urn_needs_no_scheme(draft: Draft, sound: dict[str, Finished]) -> None:
    """The URN names its scheme itself."""
    one = Finished(sound[SR].slot, deepcopy(sound[SR].ds))
    code = item(one.ds, "CODE").ConceptCodeSequence[0]
    del code.CodeValue, code.CodingSchemeDesignator
    code.URNCodeValue = "urn:oid:1.2.3"
    assert broken(draft, one) == {}


PICTURE_BREAKS: list[tuple[str, str, Callable[[Dataset], object]]] = [
    ("conditions_are_met", "Laterality", lambda ds: delattr(ds, "ImageLaterality")),
    ("conditions_are_met", "LossyImageCompressionRatio", lambda ds: setattr(ds, "LossyImageCompression", "01")),
    ("conditions_are_met", "PositionReferenceIndicator", lambda ds: setattr(ds, "FrameOfReferenceUID", "1.2.3")),
    ("pixel_data_is_as_long_as_its_image", "PixelData", lambda ds: delattr(ds, "PixelData")),
    ("pixel_data_is_as_long_as_its_image", "PixelData", lambda ds: setattr(ds, "Rows", ds.Rows + 1)),
    ("pixel_data_is_as_long_as_its_image", "PixelData", lambda ds: setattr(ds, "NumberOfFrames", 2)),
    ("pixel_data_is_as_long_as_its_image", "PixelData", lambda ds: setattr(ds, "PixelData", ds.PixelData + b"\0\0")),
    ("pixel_data_is_as_long_as_its_image", "PixelData", lambda ds: setattr(ds, "PixelData", ds.PixelData[:-1])),
]


@pytest.mark.parametrize(("rule", "keyword", "break_it"), PICTURE_BREAKS, ids=range(len(PICTURE_BREAKS)))
def test_broken_picture_is_found(
    draft: Draft, sound: dict[str, Finished], rule: str, keyword: str, break_it: Callable[[Dataset], object]
) -> None:
    """What the rest of an image asks for is missed by name."""
    assert keyword in broken(draft, changed(sound[HEATMAP], break_it))[rule]


@pytest.mark.parametrize("which", ["SeriesInstanceUID", "SOPInstanceUID"])
@pytest.mark.parametrize("whose", ["source", "own"])
def test_uid_that_names_something_else_is_refused(
    draft: Draft, sound: dict[str, Finished], which: str, whose: str
) -> None:
    """Neither an object nor a series takes the UID of a source image's, nor that of the other kind."""
    source = draft.sources[-1].instance  # of another study than the picture's
    other = "SOPInstanceUID" if which == "SeriesInstanceUID" else "SeriesInstanceUID"
    uid = source.series_instance_uid if whose == "source" else sound[SUMMARY].ds[other].value
    told = refusal(draft, sound, changed(sound[HEATMAP], lambda ds: setattr(ds, which, uid)))
    assert told == "the objects together break the rule uids_are_new"


KNOWN = [
    *(BasicTextSRStorage, EnhancedSRStorage, ComprehensiveSRStorage, Comprehensive3DSRStorage),
    *(SecondaryCaptureImageStorage, SegmentationStorage, GrayscaleSoftcopyPresentationStateStorage),
    KeyObjectSelectionDocumentStorage,
]


@pytest.mark.parametrize("sop_class_uid", KNOWN)
def test_tables_are_highdicoms(sop_class_uid: str) -> None:
    """What is decoded of the files equals what highdicom itself reads."""
    modules = standard.get_iod_module_map()[standard.get_sop_class_iod_map()[sop_class_uid]]
    mandatory = {m["key"] for m in modules if m["usage"] == "M"}
    rows = [r for m in mandatory - {CONTENT} for r in standard.get_module_attribute_map()[m] if not r["path"]]
    definition = iod(sop_class_uid)
    assert definition.mandatory == mandatory
    assert {keyword_for_tag(t) for t in definition.attributes.required} == {
        r["keyword"] for r in rows if r["type"] in ("1", "2")
    }
    assert {keyword_for_tag(t) for t in definition.attributes.valued} >= {
        r["keyword"] for r in rows if r["type"] == "1"
    }


@pytest.fixture(scope="module")
def slices() -> list[Dataset]:
    """Three slices of an MR with pixels, in one frame of reference."""
    made = []
    for number in range(scenes.SLICES):
        ds = scenes.mr(0, number)
        ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = builders.uid("frame"), ""
        ds.PixelSpacing, ds.SliceThickness = [1, 1], 5
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.PixelData = bytes(2 * ds.Rows * ds.Columns)
        made.append(ds)
    return made


def segmentation(slices: list[Dataset], kind: str) -> Dataset:
    """Return a segmentation as highdicom makes one."""
    code = hd.sr.CodedConcept("68171009", "SCT", "Axillary lymph node")
    described = hd.seg.SegmentDescription(1, "node", code, code, "MANUAL", tracking_uid="1.2.3", tracking_id="n")
    mask = np.zeros((len(slices), *scenes.SHAPE), np.uint8 if kind == "BINARY" else np.float32)
    mask[:, 10:20, 10:20] = 1
    return hd.seg.Segmentation(slices, mask, kind, [described], "2.25.71", 7, "2.25.72", 1, "M", "S", "1", "2")


def presentation_state(slices: list[Dataset]) -> Dataset:
    """Return a presentation state with a box, as highdicom makes one."""
    box = hd.pr.GraphicObject("POLYLINE", np.array([[1, 1], [9, 1], [9, 9], [1, 1]], float), units="PIXEL")
    layer = hd.pr.GraphicLayer("RISK", 1)
    annotation = hd.pr.GraphicAnnotation(slices[:1], layer, graphic_objects=[box])
    return hd.pr.GrayscaleSoftcopyPresentationState(
        slices[:1], "2.25.71", 7, "2.25.72", 1, "M", "S", "1", "2", "RISK", graphic_annotations=[annotation],
        graphic_layers=[layer], concept_name=None,
    )  # fmt: skip


def key_object(slices: list[Dataset]) -> Dataset:
    """Return a key object as highdicom makes one."""
    content = hd.ko.KeyObjectSelection(hd.sr.CodedConcept("113000", "DCM", "Of Interest"), slices)
    return hd.ko.KeyObjectSelectionDocument(slices, content, "2.25.71", 7, "2.25.72", 1, manufacturer="M")


OTHERS: dict[str, tuple[Kind, Callable[[list[Dataset]], Dataset]]] = {
    "binary": (Kind.SEGMENTATION, lambda s: segmentation(s, "BINARY")),
    "fractional": (Kind.SEGMENTATION, lambda s: segmentation(s, "FRACTIONAL")),
    "presentation state": (Kind.PRESENTATION_STATE, presentation_state),
    "key object": (Kind.KEY_OBJECT, key_object),
}


@pytest.fixture(scope="module", params=OTHERS)
def other(request: pytest.FixtureRequest, slices: list[Dataset]) -> Finished:
    """An object of every other kind, made by highdicom alone, in UTF-8."""
    kind, make = OTHERS[request.param]
    ds = make(slices)
    ds.SpecificCharacterSet = "ISO_IR 192"
    return Finished(Slot(kind, ds.SOPClassUID, ds.Modality, "x", 0), ds)


def test_objects_that_highdicom_makes_break_no_rule(draft: Draft, other: Finished) -> None:
    """The rules refuse nothing that is sound: segmentations, presentation states, key objects."""
    assert broken(draft, other) == {}


REQUIRED_OF_OTHERS = [
    *((Kind.SEGMENTATION, k) for k in ("SegmentSequence", "ContentLabel", "SharedFunctionalGroupsSequence", "Rows")),
    *((Kind.SEGMENTATION, k) for k in ("DimensionOrganizationSequence", "SegmentationType", "NumberOfFrames")),
    *((Kind.PRESENTATION_STATE, k) for k in ("DisplayedAreaSelectionSequence", "ReferencedSeriesSequence")),
    *((Kind.PRESENTATION_STATE, k) for k in ("ContentLabel", "PresentationCreationDate")),
    *((Kind.KEY_OBJECT, k) for k in ("CurrentRequestedProcedureEvidenceSequence", "InstanceNumber")),
]


@pytest.mark.parametrize(("kind", "keyword"), REQUIRED_OF_OTHERS)
def test_missing_attribute_of_another_kind_is_found(
    draft: Draft, slices: list[Dataset], kind: Kind, keyword: str
) -> None:
    """Each kind has its own table."""
    make = next(m for k, m in OTHERS.values() if k is kind)
    ds = make(slices)
    delattr(ds, keyword)
    one = Finished(Slot(kind, ds.SOPClassUID, ds.Modality, "x", 0), ds)
    assert broken(draft, one) == {"required_attributes_are_present": [keyword]}


CONDITIONAL_OF_OTHERS = [
    ("fractional", "MaximumFractionalValue"),
    ("fractional", "SegmentationFractionalType"),
    ("binary", "PerFrameFunctionalGroupsSequence"),
    ("presentation state", "GraphicLayerSequence"),
    ("presentation state", "PresentationLUTShape"),
]


@pytest.mark.parametrize(("name", "keyword"), CONDITIONAL_OF_OTHERS)
def test_missing_conditional_attribute_of_another_kind_is_found(
    draft: Draft, slices: list[Dataset], name: str, keyword: str
) -> None:
    """Conditions that can be told from the object itself."""
    kind, make = OTHERS[name]
    ds = make(slices)
    ds.SpecificCharacterSet = "ISO_IR 192"
    delattr(ds, keyword)
    one = Finished(Slot(kind, ds.SOPClassUID, ds.Modality, "x", 0), ds)
    assert broken(draft, one) == {"conditions_are_met": [keyword]}


@pytest.mark.parametrize("role", [SR, TEXT, HEATMAP, SUMMARY])
def test_no_missing_attribute_breaks_the_gate_itself(draft: Draft, sound: dict[str, Finished], role: str) -> None:
    """Whatever is taken away at the top level, the answer is a refusal or nothing."""
    validate(draft, list(sound.values()))
    refused = 0
    for element in sound[role].ds:
        lacking = without(sound[role], element.keyword)
        try:
            validate_one(draft, lacking)  # the others, which pass, are not asked again each time
            validate_together(draft, exchanged(sound, lacking))
        except Permanent:
            refused += 1
    assert refused > 20
