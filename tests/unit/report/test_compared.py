"""Rules that compare a finished object with its result: what a reader sees is what the model said, and nothing else."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from highdicom.sr import CodeContentItem, CodedConcept, NumContentItem, TextContentItem
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import Dataset

from agent.core.errors import Permanent
from agent.core.prediction import NoEstimate, Side
from agent.core.result import LeftOut
from agent.dicom import codes
from agent.report import tree
from agent.report.capture import captures
from agent.report.catalogue import Language
from agent.report.compose import Composer
from agent.report.draft import Draft
from agent.report.key_object import key_objects
from agent.report.presentation_state import presentation_states
from agent.report.references import references
from agent.report.rejection import rejections
from agent.report.slot import Finished
from agent.report.validate import RULES, validate, validate_one
from tests import builders
from tests.refusing import refusal
from tests.unit.report import overlays, scenes
from tests.unit.report.breaking import broken_copy, container, drop, first, group, move, number
from tests.unit.report.broken import EVERYTHING, OF_COMPARISONS, finished
from tests.unit.report.conftest import DEVICE
from tests.unit.report.overlays import COMPOSER

SR, TEXT, HEATMAP, SUMMARY = "sr:L", "text_sr", "secondary_capture:L:1", "secondary_capture::1"
RESERVE, STATE, KEYS, REJECTION = "sr:L:comprehensive", "presentation_state:L:1", "key_object::1", "rejection::1"
Broken = tuple[str, str, Callable[[Dataset], object]]


@pytest.fixture(scope="module")
def draft() -> Draft:
    """Version 2 of a result on two views: every kind of object but a segmentation."""
    images = [builders.source_image(builders.mammogram("L", v)) for v in ("MLO", "CC")]
    result = builders.result([builders.estimate(), NoEstimate(Side.R, "no facts")], images, **EVERYTHING)
    return Draft.of(overlays.second(result, images), images, DEVICE)


@pytest.fixture(scope="module")
def sound(draft: Draft) -> list[Finished]:
    """Its objects, which keep every rule."""
    headers = {s.instance.sop_instance_uid: s.header for s in draft.sources}
    others = [*presentation_states(draft, headers), *key_objects(draft, captures(draft)), *rejections(draft)]
    return [*finished(draft), *others]


def item(ds: Dataset, concept: CodedConcept) -> Dataset:
    """Return the first item with a concept name."""
    return tree.named(ds, concept)[0]


def meaning(ds: Dataset, concept: CodedConcept, said: str) -> None:
    """Change what the code of the first item with a name means, and not the code."""
    found = next(i for i in tree.named(ds, concept) if i.ValueType == "CODE")
    found.ConceptCodeSequence = [deepcopy(found.ConceptCodeSequence[0])]
    found.ConceptCodeSequence[0].CodeMeaning = said


def value(ds: Dataset, concept: CodedConcept, code: CodedConcept) -> None:
    """Change the value of the first item with a name."""
    next(i for i in tree.named(ds, concept) if i.ValueType == "CODE").ConceptCodeSequence = [code]


def say(ds: Dataset, concept: CodedConcept, text: str, n: int = 0) -> None:
    """Change the text of the n-th item with a name."""
    tree.named(ds, concept)[n].TextValue = text


def add(parent: Dataset, one: Dataset) -> None:
    """Put an item below another one, at the end."""
    parent.ContentSequence = [*parent.ContentSequence, one]


def sentence(text: str = "Metastasis proven.") -> Dataset:
    """Return a sentence that nobody made."""
    return TextContentItem(codes.CONCLUSION, text, "CONTAINS")


def another_number(name: CodedConcept = codes.PROBABILITY) -> Dataset:
    """Return a number of nobody."""
    return NumContentItem(name, 5.0, codes.PERCENT, relationship_type="CONTAINS")


def follow(ds: Dataset, uid: str) -> None:
    """Name another document as the one before."""
    series = ds.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0]
    series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID = uid


def black(ds: Dataset, rows: slice, columns: slice = slice(None)) -> None:
    """Paint a part of a picture black."""
    pixels = np.frombuffer(ds.PixelData, np.uint8).reshape(ds.Rows, ds.Columns, 3).copy()
    pixels[rows, columns] = 0
    ds.PixelData = pixels.tobytes()


def relate(found: Dataset, relation: str) -> None:
    """Change how an item is related to the one above."""
    found.RelationshipType = relation


def shift_state(ds: Dataset, by: float) -> None:
    """Move the outline of a presentation state to the right."""
    drawn = ds.GraphicAnnotationSequence[0].GraphicObjectSequence[0]
    drawn.GraphicData = [v + by * (n % 2 == 0) for n, v in enumerate(drawn.GraphicData)]


def name_view(ds: Dataset) -> None:
    """Name the other view of the same side as the source."""
    other = builders.uid("s1", "L", "CC")
    assert ds.SourceImageSequence[0].ReferencedSOPInstanceUID != other
    ds.SourceImageSequence[0].ReferencedSOPInstanceUID = other


def forget_image(ds: Dataset) -> None:
    """Leave one image out of the library."""
    library = tree.named(ds, codes.IMAGE_LIBRARY_GROUP)[0]
    library.ContentSequence = library.ContentSequence[:-1]


BROKEN: list[Broken] = [
    ("predecessor_is_the_version_before", SR, lambda ds: delattr(ds, "PredecessorDocumentsSequence")),
    ("predecessor_is_the_version_before", RESERVE, lambda ds: follow(ds, "2.25.1")),
    ("predecessor_is_the_version_before", TEXT, lambda ds: delattr(ds, "PredecessorDocumentsSequence")),
    ("language_is_stated", SR, lambda ds: drop(ds, codes.LANGUAGE)),
    ("language_is_stated", TEXT, lambda ds: value(ds, codes.LANGUAGE, codes.GERMAN)),
    ("language_is_stated", KEYS, lambda ds: drop(ds, codes.LANGUAGE)),
    ("language_is_stated", REJECTION, lambda ds: value(ds, codes.LANGUAGE, codes.GERMAN)),
    ("observer_is_a_device", SR, lambda ds: drop(ds, codes.OBSERVER_TYPE)),
    ("observer_is_a_device", TEXT, lambda ds: drop(ds, codes.OBSERVER_TYPE)),
    ("observer_is_a_device", TEXT, lambda ds: value(ds, codes.OBSERVER_TYPE, codes.FINDING)),
    ("observer_is_a_device", KEYS, lambda ds: say(ds, codes.DEVICE_OBSERVER_NAME, "OTHER")),
    ("names_no_predecessor", KEYS, lambda ds: setattr(ds, "PredecessorDocumentsSequence", [])),
    ("selection_says_no_more", KEYS, lambda ds: add(ds, sentence())),
    ("comments_stand_beside_the_region", SR, lambda ds: drop(ds, codes.COMMENT)),
    (
        "comments_stand_beside_the_region",
        SR,
        lambda ds: setattr(group(ds), "ContentSequence", list(group(ds).ContentSequence)[:-1]),
    ),
    ("comments_stand_beside_the_region", SR, lambda ds: say(ds, codes.COMMENT, "AI influence on R ALN risk")),
    ("algorithm_is_the_results", SR, lambda ds: drop(ds, codes.ALGORITHM_NAME)),
    ("algorithm_is_the_results", SR, lambda ds: drop(ds, codes.ALGORITHM_FAMILY)),
    ("algorithm_is_the_results", SR, lambda ds: drop(ds, codes.ALGORITHM_PARAMETERS)),
    ("algorithm_is_the_results", SR, lambda ds: say(ds, codes.ALGORITHM_NAME, "another")),
    ("algorithm_is_the_results", SR, lambda ds: say(ds, codes.ALGORITHM_VERSION, "9")),
    ("algorithm_is_the_results", SR, lambda ds: say(ds, codes.ALGORITHM_PARAMETERS, f"manifest_sha256={'9' * 64}", 1)),
    ("library_holds_every_image", SR, lambda ds: drop(ds, codes.IMAGE_LIBRARY)),
    ("library_holds_every_image", SR, forget_image),
    ("library_holds_every_image", SR, lambda ds: value(ds, codes.IMAGE_LATERALITY, codes.SIDES["R"])),
    (
        "library_holds_every_image",
        SR,
        lambda ds: setattr(
            first(item(ds, codes.IMAGE_LIBRARY), "IMAGE").ReferencedSOPSequence[0],
            "ReferencedSOPInstanceUID",
            builders.uid("s1", "L", "CC"),
        ),
    ),
    ("source_of_measurement_is_the_regions", SR, lambda ds: drop(ds, codes.SOURCE_OF_MEASUREMENT)),
    (
        "source_of_measurement_is_the_regions",
        SR,
        lambda ds: setattr(
            item(ds, codes.SOURCE_OF_MEASUREMENT).ReferencedSOPSequence[0],
            "ReferencedSOPInstanceUID",
            builders.uid("s1", "L", "CC"),
        ),
    ),
    (
        "finding_site_is_the_axilla",
        SR,
        lambda ds: value(ds, codes.FINDING_SITE, CodedConcept("76752008", "SCT", "Breast")),
    ),
    (
        "tracking_uid_is_the_results",
        SR,
        lambda ds: setattr(item(ds, codes.TRACKING_UNIQUE_IDENTIFIER), "UID", "2.25.1"),
    ),
    ("regions_are_the_maps", SR, lambda ds: move(ds, 40)),
    (
        "regions_are_the_maps",
        SR,
        lambda ds: setattr(first(ds, "SCOORD"), "GraphicData", [1.0, 1, 9, 1, 9, 9, 1, 9, 1, 1]),
    ),
    ("items_are_related_as_allowed", SR, lambda ds: relate(number(ds), "HAS PROPERTIES")),
    ("items_are_related_as_allowed", SR, lambda ds: relate(first(ds, "SCOORD"), "HAS PROPERTIES")),
    ("items_are_related_as_allowed", TEXT, lambda ds: relate(container(ds, codes.EVIDENCE), "HAS PROPERTIES")),
    ("items_are_related_as_allowed", KEYS, lambda ds: relate(ds.ContentSequence[-1], "HAS OBS CONTEXT")),
    ("items_stand_where_they_belong", SR, lambda ds: add(ds, another_number())),
    ("items_stand_where_they_belong", SR, lambda ds: add(container(ds, codes.FINDINGS), another_number())),
    ("items_stand_where_they_belong", SR, lambda ds: add(container(ds, codes.EVIDENCE), another_number())),
    (
        "items_stand_where_they_belong",
        SR,
        lambda ds: add(ds, CodeContentItem(codes.FINDING, codes.CATEGORIES["LOW"], "CONTAINS")),
    ),
    ("items_stand_where_they_belong", TEXT, lambda ds: add(ds, another_number())),
    ("items_stand_where_they_belong", TEXT, lambda ds: add(container(ds, codes.FINDINGS), another_number())),
    ("no_other_sentence", TEXT, lambda ds: add(ds, sentence())),
    ("no_other_sentence", SR, lambda ds: add(ds, sentence())),
    ("no_other_sentence", SR, lambda ds: add(group(ds), sentence("Benign."))),
    ("no_other_sentence", SR, lambda ds: add(container(ds, codes.OPERATING_POINT), sentence())),
    ("no_other_sentence", TEXT, lambda ds: add(ds, TextContentItem(codes.DISCLAIMER, "Cleared.", "CONTAINS"))),
    ("says_nothing_else", HEATMAP, lambda ds: setattr(ds, "NominalScannedPixelSpacing", [0.1, 0.1])),
    ("says_nothing_else", SUMMARY, lambda ds: setattr(ds, "ImagerPixelSpacing", [0.1, 0.1])),
    ("says_nothing_else", STATE, lambda ds: setattr(ds, "ShutterShape", "CIRCULAR")),
    ("source_is_the_key_image", HEATMAP, name_view),
    ("source_is_the_key_image", HEATMAP, lambda ds: setattr(ds.SourceImageSequence[0], "ReferencedFrameNumber", 2)),
    ("orientation_equals_the_source", HEATMAP, lambda ds: setattr(ds, "PatientOrientation", ["P", "FL"])),
    ("orientation_equals_the_source", SUMMARY, lambda ds: setattr(ds, "PatientOrientation", ["A", "R"])),
    ("derivation_is_described", HEATMAP, lambda ds: delattr(ds, "DerivationDescription")),
    ("derivation_is_described", HEATMAP, lambda ds: setattr(ds, "ImageComments", f"{ds.ImageComments} Proven.")),
    ("derivation_is_described", SUMMARY, lambda ds: setattr(ds, "DerivationDescription", "Cleared.")),
    ("pixels_are_what_was_drawn", HEATMAP, lambda ds: black(ds, slice(160, 260), slice(400, 800))),
    ("pixels_are_what_was_drawn", SUMMARY, lambda ds: black(ds, slice(160, 260), slice(400, 800))),
    ("picture_says_the_answer", HEATMAP, lambda ds: black(ds, slice(160, 260), slice(400, 800))),
    ("picture_says_the_answer", SUMMARY, lambda ds: black(ds, slice(160, 260), slice(400, 800))),
    ("picture_shows_its_source", HEATMAP, lambda ds: black(ds, slice(600, 700), slice(650, 800))),
    ("picture_shows_its_source", HEATMAP, lambda ds: black(ds, slice(800, 900), slice(100, 300))),
    ("state_draws_the_maps_region", STATE, lambda ds: shift_state(ds, 20)),
    (
        "state_draws_the_maps_region",
        STATE,
        lambda ds: setattr(
            ds.GraphicAnnotationSequence[0].TextObjectSequence[0],
            "AnchorPoint",
            [1.0, 1.0],
        ),
    ),
    ("state_keeps_the_window", STATE, lambda ds: setattr(ds, "PresentationLUTShape", "INVERSE")),
    ("state_keeps_the_window", STATE, lambda ds: setattr(ds.SoftcopyVOILUTSequence[0], "WindowCenter", 100)),
    ("state_keeps_the_window", STATE, lambda ds: setattr(ds.SoftcopyVOILUTSequence[0], "VOILUTFunction", "SIGMOID")),
    ("state_keeps_the_window", STATE, lambda ds: delattr(ds, "SoftcopyVOILUTSequence")),
    ("state_keeps_the_window", STATE, lambda ds: setattr(ds, "RescaleSlope", 2)),
    ("state_keeps_the_window", STATE, lambda ds: setattr(ds, "ColorSpace", "SRGB")),
    (
        "state_keeps_the_proportions",
        STATE,
        lambda ds: setattr(ds.DisplayedAreaSelectionSequence[0], "PresentationPixelAspectRatio", [2, 1]),
    ),
    ("state_is_of_its_side", STATE, lambda ds: setattr(ds, "Laterality", "R")),
]


@pytest.mark.parametrize(("rule", "role", "break_it"), BROKEN, ids=[f"{n}-{b[0]}" for n, b in enumerate(BROKEN)])
def test_broken_object_is_refused(
    draft: Draft, sound: Sequence[Finished], rule: str, role: str, break_it: Callable[[Dataset], object]
) -> None:
    """The rule does not hold, and the gate refuses the object by its role and a rule's name."""
    one = next(o for o in sound if o.slot.role == role)
    spoilt = broken_copy(one, break_it)
    (named,) = {r.holds for r in RULES if r.name == rule and one.slot.kind in r.kinds}
    assert named(draft, one)
    assert not named(draft, spoilt)
    with pytest.raises(Permanent, match=f"^{role} breaks the rule "):
        validate_one(draft, spoilt)


ATTRIBUTES: list[tuple[str, str, Callable[[Dataset], object]]] = [
    ("codes_mean_what_they_say: .*CodeMeaning", SR, lambda ds: meaning(ds, codes.LATERALITY, "Right")),
    ("codes_mean_what_they_say: .*CodeMeaning", SR, lambda ds: meaning(ds, codes.RISK_CATEGORY, "Low risk")),
    ("codes_mean_what_they_say: .*CodeMeaning", TEXT, lambda ds: meaning(ds, codes.OBSERVER_TYPE, "Person")),
    (
        "codes_mean_what_they_say: .*CodeMeaning",
        HEATMAP,
        lambda ds: setattr(
            ds.SourceImageSequence[0], "PurposeOfReferenceCodeSequence", [CodedConcept("121322", "DCM", "Mask image")]
        ),
    ),
    (
        "codes_mean_what_they_say: ContentSequence.ConceptCodeSequence.CodeValue",
        SR,
        lambda ds: value(ds, codes.PROCEDURE_REPORTED, CodedConcept("71651007", "SCT", "Mammography")),
    ),
    ("enumerated_values_are_ours: Modality", SR, lambda ds: setattr(ds, "Modality", "MG")),
    ("enumerated_values_are_ours: Modality", KEYS, lambda ds: setattr(ds, "Modality", "SR")),
    (
        "enumerated_values_are_ours: ContentSequence.ContinuityOfContent",
        TEXT,
        lambda ds: setattr(container(ds, codes.EVIDENCE), "ContinuityOfContent", "BOTH"),
    ),
    (
        "enumerated_values_are_ours: .*GraphicType",
        STATE,
        lambda ds: setattr(ds.GraphicAnnotationSequence[0].GraphicObjectSequence[0], "GraphicType", "INTERPOLATED"),
    ),
]


@pytest.mark.parametrize(("refusal", "role", "break_it"), ATTRIBUTES)
def test_broken_attribute_is_named(
    draft: Draft, sound: Sequence[Finished], refusal: str, role: str, break_it: Callable[[Dataset], object]
) -> None:
    """A code that contradicts its meaning, and a value that its kind cannot have, are refused by the attribute."""
    one = next(o for o in sound if o.slot.role == role)
    spoilt = broken_copy(one, break_it)
    with pytest.raises(Permanent, match=f"^{role} breaks the rule {refusal}$"):
        validate_one(draft, spoilt)


def test_sound_objects_pass(draft: Draft, sound: Sequence[Finished]) -> None:
    """What the room makes keeps every rule."""
    assert refusal(validate, draft, sound) == ""


def test_invented_predecessor_is_refused() -> None:
    """The first version follows nothing."""
    image = builders.source_image()
    draft = Draft.of(builders.result(None, [image]), [image], DEVICE)
    for one in finished(draft)[:3]:
        one.ds.PredecessorDocumentsSequence = references([overlays.elsewhere("other")])
        with pytest.raises(Permanent, match="predecessor_is_the_version_before"):
            validate_one(draft, one)


def test_region_on_a_capture_is_compared_with_where_the_picture_shows_the_image() -> None:
    """Of a 4D series the region lies on our picture: moved there, it is refused with all objects together."""
    result, images = scenes.mr_alone(one_series=True)
    draft = Draft.of(result, images, DEVICE)
    objects = finished(draft)
    validate(draft, objects)
    for one in objects[:2]:
        move(one.ds, 30)
    with pytest.raises(Permanent, match="together break the rule regions_on_captures_are_the_maps"):
        validate(draft, objects)
    without = [o for o in finished(draft) if o.slot.role != HEATMAP]
    with pytest.raises(Permanent, match="together break the rule regions_on_captures_are_the_maps"):
        validate(draft, without)


def test_picture_of_what_lies_beside_the_regions_is_refused() -> None:
    """An ultrasound image drawn whole shows a name, though nobody says so."""
    item = Dataset()
    item.RegionSpatialFormat = item.RegionDataType = 3
    item.RegionLocationMinX0, item.RegionLocationMinY0 = 30, 20
    item.RegionLocationMaxX1, item.RegionLocationMaxY1 = 109, 69
    image = scenes.source(scenes.ultrasound(SequenceOfUltrasoundRegions=[item]))
    draft = Draft.of(builders.result(None, [image], [builders.influence(image, 50, 50)]), [image], DEVICE)
    (source,) = draft.sources
    assert source.cleaned
    whole = replace(draft, sources=(replace(source, image_hw=image.image_hw),))
    one = next(c.finished for c in captures(whole) if c.finished.slot.axilla)
    with pytest.raises(Permanent, match="breaks the rule nothing_beside_the_regions_is_shown"):
        validate_one(whole, one)
    with pytest.raises(Permanent, match="breaks the rule picture_shows_its_source"):
        validate_one(draft, one)


def test_picture_that_nobody_drew_is_refused(draft: Draft, sound: Sequence[Finished]) -> None:
    """And one whose geometry is not the picture's."""
    one = next(o for o in sound if o.slot.role == HEATMAP)
    with pytest.raises(Permanent, match="pixels_are_what_was_drawn"):
        validate_one(draft, replace(one, drawn=None))
    assert one.drawn is not None
    with pytest.raises(Permanent, match="picture_shows_its_source"):
        validate_one(draft, replace(one, drawn=replace(one.drawn, left=one.drawn.left + 1)))


def test_every_rule_here_is_broken() -> None:
    """A rule that nothing can break checks nothing."""
    assert {b[0] for b in BROKEN} | {"nothing_beside_the_regions_is_shown"} == OF_COMPARISONS


SIDES = st.sampled_from([("L",), ("R",), ("L", "R")])
NAMES = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\\"), min_size=1, max_size=16
).filter(lambda text: bool(text.strip()))
REASONS = st.sampled_from(["no facts", "42.0 % of the views are missing", "60.0 % known: 10 % needed", "x"]) | NAMES


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), sides=SIDES, language=st.sampled_from(Language))
def test_no_valid_object_is_refused(data: Any, sides: tuple[str, ...], language: Language) -> None:
    """Whatever a result says, what the room makes of it passes the gate."""
    draw = data.draw
    views = [
        builders.source_image(builders.mammogram(s, v), reduce_by=draw(st.sampled_from([1, 2])))
        for s in sides
        for v in draw(st.sampled_from([("MLO",), ("CC", "MLO")]))
    ]
    answers = [
        builders.estimate(side, draw(st.floats(0, 1, exclude_min=True, exclude_max=True)))
        if draw(st.booleans())
        else NoEstimate(Side(side), draw(REASONS))
        for side in sides
    ]
    found = [
        builders.influence(v, draw(st.floats(1, 199)), draw(st.floats(1, 249)), contribution=draw(st.floats(-3, 3)))
        for v in views
        if any(a.side == v.instance.laterality and not isinstance(a, NoEstimate) for a in answers)
    ]
    given = {
        "model": replace(builders.MODEL, name=draw(NAMES), training_summary=draw(NAMES), label=draw(NAMES)),
        "left_out": tuple(LeftOut(draw(st.sampled_from(["grade", "1.2.3"])), r, "MG") for r in draw(st.lists(REASONS))),
        "site_prevalence": draw(st.none() | st.floats(0.01, 0.99)),
    }
    result = builders.result(answers, views, found, **given)
    notes: list[object] = []
    made = Composer(DEVICE, language=language, kinds=COMPOSER._kinds)(result, views, lambda *said: notes.append(said))
    assert made
    assert notes == []
