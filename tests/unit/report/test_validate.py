"""Every rule of the gate: objects keep it, and something that breaks it is refused by its name."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from highdicom.sr import CodedConcept, TextContentItem
from pydicom import Dataset

from agent.core.errors import Permanent
from agent.core.prediction import Category, NoEstimate, Side
from agent.core.result import LeftOut, Result, SourceImage
from agent.dicom import codes
from agent.report import (
    rules_attributes,
    rules_context,
    rules_display,
    rules_group,
    rules_key_object,
    rules_picture,
    rules_presentation_state,
    rules_region,
    rules_segmentation,
    rules_set,
    rules_tree,
    tree,
)
from agent.report.capture import captures
from agent.report.comprehensive import in_reserve
from agent.report.draft import DeviceIdentity, Draft, Finished
from agent.report.drawing import drawing
from agent.report.sr import report
from agent.report.text_sr import text_report
from agent.report.validate import RULES, validate
from tests import builders
from tests.unit.report import scenes
from tests.unit.report.conftest import DEVICE

OF_COMPARISONS = {  # test_compared.py breaks them
    holds.__name__
    for holds in (
        *(*rules_attributes.RULES, *rules_context.FOR_DOCUMENTS, *rules_context.FOR_KEY_OBJECTS, *rules_group.RULES),
        *(*rules_display.RULES, *rules_picture.RULES, *rules_region.FOR_SR, *rules_region.FOR_STATES),
        *(*rules_tree.FOR_TREES, *rules_tree.FOR_DOCUMENTS),
    )
}
OF_OTHER_KINDS = (  # test_other_kinds.py breaks them
    *(*rules_segmentation.RULES, *rules_presentation_state.RULES),
    *(*rules_key_object.FOR_BOTH, *rules_key_object.FOR_KEY_OBJECTS, *rules_key_object.FOR_REJECTIONS),
)
CATEGORY = 3  # among the codes of the group, after finding, site and family
SR, TEXT, HEATMAP, SUMMARY = "sr:L", "text_sr", "secondary_capture:L:1", "secondary_capture::1"

EVERYTHING: dict[str, Any] = {
    "site_prevalence": 0.25,
    "left_out": (LeftOut("1.2.3", "a scout", "MR"), LeftOut("pr_percent", "a value that the model does not know")),
    "evidence": (
        "No image has arrived for 60 s, and no association is open.",
        "3 of 4 instances of the MG study are here, by the PACS's count at 2026-01-06 09:20 UTC.",
    ),
}


def finished(draft: Draft) -> list[Finished]:
    """Make the objects of a draft without the gate."""
    pictured = captures(draft)
    drawn = [(n, e, drawing(draft, e, pictured)) for n, e in enumerate(draft.ranked)]
    srs = [(n, report(draft, n, e, d), d.source) for n, e, d in drawn if d]
    reserve = [in_reserve(draft, n, made, source) for n, made, source in srs]
    return [*(made for _, made, _ in srs), *reserve, text_report(draft), *(c.finished for c in pictured)]


@pytest.fixture(scope="module")
def draft() -> Draft:
    """A left axilla with an estimate, a right one without: every kind of object occurs."""
    image = builders.source_image()
    answers = [builders.estimate(), NoEstimate(Side.R, "no facts")]
    return Draft.of(builders.result(answers, [image], **EVERYTHING), [image], DEVICE)


@pytest.fixture(scope="module")
def sound(draft: Draft) -> list[Finished]:
    """Its objects, which keep every rule."""
    return finished(draft)


def number(ds: Dataset, n: int = 0) -> Dataset:
    """Return the n-th NUM of the group."""
    return tree.children(group(ds), "NUM")[n]


def group(ds: Dataset) -> Dataset:
    """Return the measurement group."""
    return tree.named(ds, codes.MEASUREMENT_GROUP)[0]


def first(ds: Dataset, value_type: str) -> Dataset:
    """Return the first item of a value type."""
    return next(i for i in tree.items(ds) if i.ValueType == value_type)


def drop(ds: Dataset, concept: object) -> None:
    """Remove every item with a concept name, wherever it is."""
    for parent in [ds, *tree.items(ds)]:
        kept = [i for i in parent.get("ContentSequence", ()) if not tree.is_named(i, concept)]  # type: ignore[arg-type]
        if len(kept) != len(parent.get("ContentSequence", ())):
            parent.ContentSequence = kept


def double(ds: Dataset, concept: object) -> None:
    """Repeat the first item with a concept name."""
    for parent in [ds, *tree.items(ds)]:
        found = [i for i in parent.get("ContentSequence", ()) if tree.is_named(i, concept)]  # type: ignore[arg-type]
        if found:
            parent.ContentSequence = [*parent.ContentSequence, deepcopy(found[0])]
            return


def rename(item: Dataset, meaning: str) -> None:
    """Change the code meaning of an item's name."""
    item.ConceptNameCodeSequence[0].CodeMeaning = meaning


def say(ds: Dataset, text: str) -> None:
    """Change the first sentence that is an answer."""
    tree.children(tree.named(ds, codes.FINDINGS)[0], "TEXT")[0].TextValue = text


def forget(ds: Dataset, start: str) -> None:
    """Blank every sentence that starts so."""
    for item in tree.items(ds):
        if item.ValueType == "TEXT" and item.TextValue.startswith(start):
            item.TextValue = "-"


def renumber(ds: Dataset, concept: CodedConcept, number: float) -> None:
    """Change the first number with a concept name."""
    found = next(i for i in tree.named(ds, concept) if i.ValueType == "NUM")
    found.MeasuredValueSequence[0].NumericValue = number


def recode(ds: Dataset, concept: CodedConcept, code: str) -> None:
    """Change the first code with a concept name; items share their codes with the module of codes."""
    found = next(i for i in tree.named(ds, concept) if i.ValueType == "CODE")
    found.ConceptCodeSequence = [deepcopy(found.ConceptCodeSequence[0])]
    found.ConceptCodeSequence[0].CodeValue = code


def relabel(ds: Dataset, concept: CodedConcept, code: str) -> None:
    """Put another label before the first sentence with this one."""
    found = next(i for i in tree.named(ds, concept) if i.ValueType == "TEXT")
    found.ConceptNameCodeSequence = [deepcopy(found.ConceptNameCodeSequence[0])]
    found.ConceptNameCodeSequence[0].CodeValue = code


def drop_coded(ds: Dataset, concept: CodedConcept) -> None:
    """Remove the codes with a concept name, and leave the sentences."""
    for parent in [ds, *tree.items(ds)]:
        kept = [i for i in parent.get("ContentSequence", ()) if i.ValueType != "CODE" or not tree.is_named(i, concept)]
        if len(kept) != len(parent.get("ContentSequence", ())):
            parent.ContentSequence = kept


def drop_container(ds: Dataset, concept: CodedConcept) -> None:
    """Remove the first container with a concept name, and leave the sentences."""
    for parent in [ds, *tree.items(ds)]:
        found = [i for i in tree.children(parent, "CONTAINER") if tree.is_named(i, concept)]
        if found:
            parent.ContentSequence = [i for i in parent.ContentSequence if i is not found[0]]
            return


def container(ds: Dataset, concept: CodedConcept) -> Dataset:
    """Return the first container with a concept name."""
    return next(i for i in tree.named(ds, concept) if i.ValueType == "CONTAINER")


def point(ds: Dataset) -> Dataset:
    """Return the first operating point."""
    return container(ds, codes.OPERATING_POINT)


def blank(ds: Dataset, head: CodedConcept) -> None:
    """Blank the first sentence below a heading."""
    tree.children(container(ds, head), "TEXT")[0].TextValue = "-"


def finding(text: str) -> TextContentItem:
    """Return a sentence that is called a finding."""
    return TextContentItem(codes.FINDING, text, "CONTAINS")


def move(ds: Dataset, dx: float) -> None:
    """Shift every region to the right."""
    for item in tree.items(ds):
        if item.ValueType == "SCOORD":
            item.GraphicData = [v + dx * (n % 2 == 0) for n, v in enumerate(item.GraphicData)]


def value(ds: Dataset, n: int, to: float) -> None:
    """Change the n-th number."""
    number(ds, n).MeasuredValueSequence[0].NumericValue = to


def swap_bounds(ds: Dataset) -> None:
    """Exchange the names of the interval's bounds."""
    low, high = number(ds, 1), number(ds, 2)
    low.ConceptNameCodeSequence, high.ConceptNameCodeSequence = (
        high.ConceptNameCodeSequence,
        low.ConceptNameCodeSequence,
    )


def paint(ds: Dataset, at: int) -> None:
    """Blacken a run of pixel bytes."""
    data = bytearray(ds.PixelData)
    data[at : at + 3000 if at >= 0 else None] = bytes(3000)
    ds.PixelData = bytes(data)


def erase_end(ds: Dataset) -> None:
    """Blacken the last rows."""
    ds.PixelData = ds.PixelData[:-3000] + bytes(3000)


def name_another(ds: Dataset, sop_instance_uid: str) -> None:
    """Name one more object as evidence: one that nobody looked at."""
    instances = ds.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence
    another = deepcopy(instances[0])
    another.ReferencedSOPInstanceUID = sop_instance_uid
    instances.append(another)


BROKEN: list[tuple[str, str, Callable[[Dataset], object]]] = [
    ("subject_equals_source", SR, lambda ds: setattr(ds, "PatientName", "OTHER^NAME")),
    ("subject_equals_source", TEXT, lambda ds: setattr(ds, "PatientID", "P-0002")),
    ("subject_equals_source", HEATMAP, lambda ds: setattr(ds, "StudyInstanceUID", "1.2.3")),
    ("text_is_utf8", TEXT, lambda ds: setattr(ds, "SpecificCharacterSet", "ISO_IR 100")),
    ("private_scheme_is_identified", SR, lambda ds: delattr(ds, "CodingSchemeIdentificationSequence")),
    ("version_is_advertised", HEATMAP, lambda ds: setattr(ds, "SeriesDescription", "AI ALN risk L heatmap v1")),
    ("version_is_advertised", HEATMAP, lambda ds: setattr(ds, "SeriesDescription", "AI ALN risk v1 heatmap")),
    ("version_is_advertised", HEATMAP, lambda ds: setattr(ds, "SeriesDescription", "AI ALN risk v1 heatmap L")),
    ("version_is_advertised", SUMMARY, lambda ds: setattr(ds, "SeriesDescription", "AI ALN risk summary v1")),
    ("version_is_advertised", SR, lambda ds: setattr(ds, "SeriesDescription", "AI ALN risk v1 report - L")),
    ("document_is_complete_and_unverified", SR, lambda ds: setattr(ds, "VerificationFlag", "VERIFIED")),
    ("document_is_complete_and_unverified", TEXT, lambda ds: setattr(ds, "CompletionFlag", "PARTIAL")),
    ("evidence_equals_inputs", TEXT, lambda ds: delattr(ds, "CurrentRequestedProcedureEvidenceSequence")),
    (
        "evidence_equals_inputs",
        SR,
        lambda ds: setattr(ds.CurrentRequestedProcedureEvidenceSequence[0], "StudyInstanceUID", "1.2"),
    ),
    ("evidence_equals_inputs", SR, lambda ds: name_another(ds, "2.25.1")),
    ("evidence_equals_inputs", TEXT, lambda ds: name_another(ds, "2.25.1")),
    (
        "no_finding_of_disease",
        SR,
        lambda ds: (
            setattr(tree.named(ds, codes.FINDING)[0].ConceptCodeSequence[0], "CodeValue", "111330")
            or setattr(tree.named(ds, codes.FINDING)[0].ConceptCodeSequence[0], "CodingSchemeDesignator", "DCM")
        ),
    ),
    ("root_is_imaging_measurement_report", SR, lambda ds: delattr(ds, "ContentTemplateSequence")),
    (
        "root_is_imaging_measurement_report",
        SR,
        lambda ds: setattr(ds.ConceptNameCodeSequence[0], "CodeValue", "126001"),
    ),
    ("code_meanings_are_exact", SR, lambda ds: rename(group(ds), "Measurement group")),
    ("code_meanings_are_exact", SR, lambda ds: drop(ds, codes.TRACKING_IDENTIFIER)),
    ("one_procedure_reported", SR, lambda ds: double(ds, codes.PROCEDURE_REPORTED)),
    ("one_measurement_group", SR, lambda ds: double(ds, codes.MEASUREMENT_GROUP)),
    (
        "code_meanings_are_exact",
        SR,
        lambda ds: setattr(group(ds).ConceptNameCodeSequence[0], "CodeValue", "125008"),
    ),
    ("group_is_tracked", SR, lambda ds: drop(ds, codes.TRACKING_UNIQUE_IDENTIFIER)),
    (
        "group_is_tracked",
        SR,
        lambda ds: setattr(tree.named(ds, codes.TRACKING_IDENTIFIER)[0], "TextValue", "Cornerstone3DTools@^0.1.0:x"),
    ),
    ("every_number_has_a_region", SR, lambda ds: delattr(number(ds, 2), "ContentSequence")),
    ("every_number_has_a_region", SR, lambda ds: delattr(first(ds, "SCOORD"), "ContentSequence")),
    (
        "every_number_has_a_region",
        SR,
        lambda ds: [drop(ds, c) for c in (codes.PROBABILITY, codes.CI_LOWER, codes.CI_UPPER)],
    ),
    (
        "evidence_equals_inputs",
        SR,
        lambda ds: setattr(
            first(ds, "SCOORD").ContentSequence[0].ReferencedSOPSequence[0], "ReferencedSOPInstanceUID", "1.2.3"
        ),
    ),
    ("regions_lie_inside", SR, lambda ds: move(ds, 300)),
    ("regions_lie_inside", SR, lambda ds: move(ds, -40)),
    ("regions_lie_inside", SR, lambda ds: setattr(first(ds, "SCOORD"), "GraphicData", [5.0, 5.0] * 5)),
    ("lines_fit_beside_the_region", SR, lambda ds: rename(number(ds), "Probability of axillary metastasis")),
    ("lines_fit_beside_the_region", SR, lambda ds: setattr(tree.named(ds, codes.COMMENT)[0], "TextValue", "x" * 29)),
    ("lines_fit_beside_the_region", SR, lambda ds: double(ds, codes.COMMENT)),
    ("numbers_are_percentages", SR, lambda ds: value(ds, 1, 0)),
    (
        "numbers_are_percentages",
        SR,
        lambda ds: setattr(number(ds).MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0], "CodeValue", "1"),
    ),
    ("numbers_equal_the_result", SR, lambda ds: value(ds, 0, 73.13)),
    ("numbers_equal_the_result", SR, swap_bounds),
    ("numbers_equal_the_result", SR, lambda ds: drop(ds, codes.CI_UPPER)),
    (
        "category_equals_the_result",
        SR,
        lambda ds: setattr(tree.children(group(ds), "CODE")[CATEGORY].ConceptCodeSequence[0], "CodeValue", "75976002"),
    ),
    ("category_equals_the_result", SR, lambda ds: drop(ds, codes.RISK_CATEGORY)),
    (
        "side_equals_the_image",
        SR,
        lambda ds: setattr(tree.named(group(ds), codes.LATERALITY)[0].ConceptCodeSequence[0], "CodeValue", "24028007"),
    ),
    ("missing_inputs_are_stated", SR, lambda ds: drop(ds, codes.COMPLETENESS)),
    ("root_is_a_summary", TEXT, lambda ds: setattr(ds.ConceptNameCodeSequence[0], "CodeValue", "126000")),
    ("root_is_a_summary", TEXT, lambda ds: setattr(ds, "ContentTemplateSequence", [])),
    ("text_states_every_answer", TEXT, lambda ds: say(ds, "LEFT axilla: probability of nodal metastasis 71.3 %.")),
    ("text_states_every_answer", TEXT, lambda ds: drop(ds, codes.FINDINGS)),
    ("text_states_the_question", TEXT, lambda ds: blank(ds, codes.QUESTION)),
    ("text_states_the_question", TEXT, lambda ds: forget(ds, "Nodal metastasis here")),
    ("text_states_every_answer", TEXT, lambda ds: forget(ds, "LEFT axilla: the threshold of 60")),
    ("text_states_the_evidence", TEXT, lambda ds: forget(ds, "Not available")),
    ("text_states_the_evidence", TEXT, lambda ds: forget(ds, "No image has arrived")),
    ("text_states_its_limits", TEXT, lambda ds: forget(ds, "Trained on")),
    ("text_states_its_limits", TEXT, lambda ds: forget(ds, "Model for research")),
    ("text_states_contributions", TEXT, lambda ds: forget(ds, "LEFT axilla: raised")),
    ("text_states_contributions", TEXT, lambda ds: relabel(ds, codes.CONTRIBUTION_OF["MG"], "ALN142")),
    ("text_states_contributions", TEXT, lambda ds: drop(ds, codes.CONTRIBUTIONS)),
    ("text_concludes_and_disclaims", TEXT, lambda ds: forget(ds, "Research software")),
    ("text_concludes_and_disclaims", TEXT, lambda ds: forget(ds, "LEFT axilla: estimated")),
    ("no_line_is_too_long", TEXT, lambda ds: ds.ContentSequence.append(finding("a sentence"))),
    ("observer_is_the_device", SR, lambda ds: forget(ds, "Sentinode")),
    ("observer_is_the_device", TEXT, lambda ds: drop(ds, codes.DEVICE_OBSERVER_UID)),
    ("finding_is_the_questions", SR, lambda ds: recode(ds, codes.FINDING, "111330x")),
    (
        "finding_is_the_questions",
        SR,
        lambda ds: setattr(tree.named(ds, codes.TRACKING_IDENTIFIER)[0], "TextValue", "risk L"),
    ),
    ("sentences_are_the_pages", SR, lambda ds: forget(ds, "LEFT axilla: estimated")),
    ("sentences_are_the_pages", SR, lambda ds: forget(ds, "Research software")),
    ("sentences_are_the_pages", SR, lambda ds: forget(ds, "Nodal metastasis here")),
    ("sentences_are_the_pages", SR, lambda ds: forget(ds, "Clinical facts used")),
    ("sentences_are_the_pages", SR, lambda ds: forget(ds, "LEFT axilla: raised")),
    ("sentences_are_the_pages", SR, lambda ds: forget(ds, "Trained on")),
    ("sentences_are_the_pages", SR, lambda ds: forget(ds, "Model for research")),
    ("answer_comes_first", SR, lambda ds: setattr(ds, "ContentSequence", list(reversed(ds.ContentSequence)))),
    ("operating_points_equal_the_result", SR, lambda ds: renumber(ds, codes.THRESHOLD, 12.0)),
    ("operating_points_equal_the_result", SR, lambda ds: renumber(ds, codes.SENSITIVITY, 0.9501)),
    ("operating_points_equal_the_result", SR, lambda ds: renumber(ds, codes.SPECIFICITY, 0.4)),
    ("operating_points_equal_the_result", SR, lambda ds: renumber(ds, codes.NPV, 0.5)),
    ("operating_points_equal_the_result", SR, lambda ds: drop(ds, codes.PPV)),
    ("operating_points_equal_the_result", SR, lambda ds: drop_container(ds, codes.OPERATING_POINT)),
    ("operating_points_equal_the_result", SR, lambda ds: recode(ds, codes.CATEGORY_MEANING, "ALN071")),
    (
        "operating_points_equal_the_result",
        SR,
        lambda ds: recode(container(ds, codes.OPERATING_POINT), codes.INPUT, "MG"),
    ),
    ("prevalence_equals_the_result", SR, lambda ds: renumber(ds, codes.SITE_PREVALENCE, 42.0)),
    ("prevalence_equals_the_result", SR, lambda ds: drop_container(ds, codes.PREVALENCE)),
    ("left_out_equals_the_result", SR, lambda ds: drop_container(ds, codes.LEFT_OUT)),
    ("counts_equal_the_result", SR, lambda ds: drop_container(ds, codes.CASE_COMPLETENESS)),
    ("prevalence_equals_the_result", SR, lambda ds: renumber(ds, codes.LOG_ODDS_SHIFT, 0.7758)),
    ("contributions_equal_the_result", SR, lambda ds: renumber(ds, codes.STARTING_POINT, 0.0)),
    ("contributions_equal_the_result", SR, lambda ds: renumber(ds, codes.CONTRIBUTION_OF["MG"], 1.3)),
    ("contributions_equal_the_result", SR, lambda ds: drop_coded(ds, codes.CONTRIBUTION_OF["US"])),
    ("inputs_equal_the_result", SR, lambda ds: drop(ds, codes.INPUTS_USED)),
    ("inputs_equal_the_result", SR, lambda ds: recode(container(ds, codes.INPUTS_USED), codes.INPUT, "US")),
    ("inputs_equal_the_result", SR, lambda ds: forget(container(ds, codes.INPUTS_USED), "grade")),
    ("left_out_equals_the_result", SR, lambda ds: renumber(ds, codes.INSTANCES_LEFT_OUT, 2)),
    ("left_out_equals_the_result", SR, lambda ds: drop(ds, codes.REASON)),
    ("counts_equal_the_result", SR, lambda ds: renumber(ds, codes.INSTANCES_HERE, 4)),
    ("counts_equal_the_result", SR, lambda ds: drop(ds, codes.INSTANCES_LISTED)),
    ("model_equals_the_result", SR, lambda ds: recode(ds, codes.INTENDED_USE, "ALN130")),
    ("model_equals_the_result", SR, lambda ds: renumber(container(ds, codes.LIMITS), codes.TRAINING_PREVALENCE, 41.0)),
    ("attributes_are_those_of_a_capture", HEATMAP, lambda ds: setattr(ds, "Modality", "MG")),
    ("attributes_are_those_of_a_capture", HEATMAP, lambda ds: setattr(ds, "PixelSpacing", [0.1, 0.1])),
    ("attributes_are_those_of_a_capture", SUMMARY, lambda ds: delattr(ds, "RecognizableVisualFeatures")),
    ("body_part_equals_the_source", HEATMAP, lambda ds: setattr(ds, "BodyPartExamined", "AXILLA")),
    ("body_part_equals_the_source", SUMMARY, lambda ds: delattr(ds, "BodyPartExamined")),
    ("burned_in_names_are_admitted", SUMMARY, lambda ds: delattr(ds, "BurnedInAnnotation")),
    ("burned_in_names_are_admitted", HEATMAP, lambda ds: setattr(ds, "BurnedInAnnotation", "YES")),
    ("side_equals_the_source", HEATMAP, lambda ds: setattr(ds, "ImageLaterality", "R")),
    ("side_equals_the_source", HEATMAP, lambda ds: setattr(ds, "SourceImageSequence", [])),
    ("side_equals_the_source", SUMMARY, lambda ds: delattr(ds, "ImageLaterality")),
    (
        "locations_are_not_preserved",
        HEATMAP,
        lambda ds: setattr(ds.SourceImageSequence[0], "SpatialLocationsPreserved", "YES"),
    ),
    ("disclaimer_is_burned_in", HEATMAP, lambda ds: paint(ds, 20_000)),
    ("disclaimer_is_burned_in", SUMMARY, erase_end),
    ("capture_states_its_answer", HEATMAP, lambda ds: setattr(ds, "ImageComments", "73 %")),
]


@pytest.mark.parametrize(("rule", "role", "break_it"), BROKEN, ids=[f"{n}-{b[0]}" for n, b in enumerate(BROKEN)])
def test_broken_object_is_refused_by_name(
    draft: Draft, sound: Sequence[Finished], rule: str, role: str, break_it: Callable[[Dataset], object]
) -> None:
    """The gate names the rule and the object's role."""
    objects = [replace(o, ds=deepcopy(o.ds)) for o in sound]
    break_it(next(o.ds for o in objects if o.slot.role == role))
    with pytest.raises(Permanent, match=f"^{role} breaks the rule {rule}$"):
        validate(draft, objects)


def test_sound_objects_pass(draft: Draft, sound: Sequence[Finished]) -> None:
    """What the room makes keeps every rule."""
    validate(draft, sound)


@pytest.mark.parametrize("said", ["42.0 %", "below 10.0 %, LOW", "25.0 % of such patients"])
def test_number_in_a_page_without_estimate_is_refused(device: DeviceIdentity, mlo: SourceImage, said: str) -> None:
    """Where nothing is estimated, no threshold and no prevalence slips in."""
    draft = Draft.of(builders.result([NoEstimate(Side.L, "no facts")], [mlo], site_prevalence=0.25), [mlo], device)
    objects = finished(draft)
    page = next(o.ds for o in objects if o.slot.role == TEXT)
    tree.children(tree.named(page, codes.QUESTION)[0], "TEXT")[0].TextValue = f"Question: {said}."
    with pytest.raises(Permanent, match="no_number_without_estimate"):
        validate(draft, objects)
    page = tree.children(tree.named(page, codes.QUESTION)[0], "TEXT")[0]
    page.TextValue = "A share of 142.0 %, of 110.0 % and of 71.3 %."  # not the result's: another rule tells
    with pytest.raises(Permanent, match="text_states_the_question"):
        validate(draft, [replace(o) for o in objects])


BY_OTHERS: list[dict[str, Any]] = [
    {"answers": (NoEstimate(Side.L, "only 42.0 % of the facts are known"),)},
    {"model": replace(builders.MODEL, training_summary="1,204 patients of two hospitals, 35 % node-positive.")},
    {"model": replace(builders.MODEL, label="more than 10 % of the node")},
    {"left_out": (LeftOut(builders.uid("left out"), "magnified more than 150 % by the site's rule.", "MG"),)},
    {"left_out": (LeftOut("ki67", "not one share: > 20 %"),)},
    {"evidence": ("90 % of the images that the PACS counts",)},
]


@pytest.mark.parametrize("given", BY_OTHERS)
def test_a_share_that_others_wrote_is_no_estimate(
    device: DeviceIdentity, mlo: SourceImage, given: dict[str, Any]
) -> None:
    """A page without an estimate repeats the bundle's and the site's own words, whatever stands there."""
    result = replace(builders.result([NoEstimate(Side.L, "too little evidence")], [mlo]), **given)
    draft = Draft.of(result, [mlo], device)
    objects = finished(draft)
    assert any("%" in str(i.get("TextValue", "")) for one in objects for i in tree.items(one.ds))
    validate(draft, objects)


def test_the_prevalence_of_training_is_refused_beside_it(device: DeviceIdentity, mlo: SourceImage) -> None:
    """Only the bundle's own sentence passes, not ours with a number behind it."""
    model = replace(builders.MODEL, training_summary="35 % node-positive")
    draft = Draft.of(builders.result([NoEstimate(Side.L, "too little evidence")], [mlo], model=model), [mlo], device)
    objects = finished(draft)
    learnt = draft.words.training(model, with_figures=False)
    for one in objects:
        for item in tree.items(one.ds):
            if item.get("TextValue") == learnt:
                item.TextValue = draft.words.training(model, with_figures=True)
    with pytest.raises(Permanent, match="no_number_without_estimate"):
        validate(draft, objects)


def test_region_on_a_series_of_several_times_is_refused(device: DeviceIdentity) -> None:
    """Objects made for a still series are refused for one that viewers show as 4D."""
    series = builders.uid("4d")
    images = [
        builders.source_image(builders.mammogram(view=v, SeriesInstanceUID=series, TemporalPositionIdentifier=1))
        for v in ("MLO", "CC")
    ]
    draft = Draft.of(builders.result(None, images), images, device)
    objects = finished(draft)
    later = replace(draft.sources[1], temporal_position="2")
    with pytest.raises(Permanent, match="sr:L breaks the rule no_region_on_a_temporal_series"):
        validate(replace(draft, sources=(draft.sources[0], later)), objects)


def test_region_on_a_capture_waits_for_it(draft: Draft, sound: Sequence[Finished]) -> None:
    """An SR that needs what it does not name, or names what it does not need, is refused."""
    objects = [replace(o, needs=("1.2.3",)) if o.slot.role == SR else o for o in sound]
    with pytest.raises(Permanent, match="sr:L breaks the rule needed_captures_are_sent"):
        validate(draft, objects)


def test_region_on_an_image_of_another_study_is_refused() -> None:
    """It would be drawn on nothing that is open, though the image was given to the model."""
    result, images = scenes.everything()
    draft = Draft.of(result, images, DEVICE)
    objects = finished(draft)
    (sr,) = (o.ds for o in objects if o.slot.role == SR)
    image = first(sr, "SCOORD").ContentSequence[0].ReferencedSOPSequence[0]
    elsewhere = {
        s.instance.sop_instance_uid for s in draft.sources if s.instance.study_instance_uid != sr.StudyInstanceUID
    }
    image.ReferencedSOPInstanceUID = min(elsewhere)
    with pytest.raises(Permanent, match="sr:L breaks the rule regions_lie_on_evidence"):
        validate(draft, objects)


def test_evidence_that_leaves_an_image_of_another_study_out_is_refused() -> None:
    """All inputs are named, not those of the index study alone."""
    result, images = scenes.everything()
    draft = Draft.of(result, images, DEVICE)
    objects = finished(draft)
    text = next(o.ds for o in objects if o.slot.role == TEXT)
    del text.PertinentOtherEvidenceSequence[0]
    with pytest.raises(Permanent, match="text_sr breaks the rule evidence_equals_inputs"):
        validate(draft, objects)


def test_region_on_the_other_side_is_refused(device: DeviceIdentity, views: Sequence[SourceImage]) -> None:
    """The answer for one axilla never lies on the other breast."""
    wrong = builders.influence(views[3], side="L")
    draft = Draft.of(builders.result(None, views, [wrong]), views, device)
    objects = finished(draft)
    with pytest.raises(Permanent, match="side_equals_the_image"):
        validate(draft, objects)


def test_demonstration_that_is_not_said_is_refused(draft: Draft, sound: Sequence[Finished]) -> None:
    """A text of a demonstration model says that it is one."""
    result = replace(draft.result, model=builders.DEMONSTRATION_MODEL)
    with pytest.raises(Permanent, match="text_sr breaks the rule text_states_its_limits"):
        validate(replace(draft, result=result), [o for o in sound if o.slot.role == TEXT])


def test_category_that_the_result_does_not_have_is_refused(draft: Draft, sound: Sequence[Finished]) -> None:
    """Objects made from another result are refused."""
    answers = (replace(draft.result.estimates[0], category=Category.LOW), *draft.refused)
    other = replace(draft.result, answers=answers)
    with pytest.raises(Permanent, match="category_equals_the_result"):
        validate(Draft.of(other, [builders.source_image()], DEVICE), sound)


def twin(objects: Sequence[Finished], role: str, **changed: str) -> list[Finished]:
    """Repeat one object with other attributes."""
    one = next(o for o in objects if o.slot.role == role)
    ds = deepcopy(one.ds)
    for keyword, new in changed.items():
        setattr(ds, keyword, new)
    return [*objects, replace(one, ds=ds)]


@pytest.mark.parametrize(
    ("rule", "spoil"),
    [
        ("every_object_has_its_own_uid", lambda o: twin(o, HEATMAP)),
        ("one_document_a_series", lambda o: twin(o, SR, SOPInstanceUID="1.2.3")),
        ("tracking_uids_are_unique", lambda o: twin(o, SR, SOPInstanceUID="1.2.3", SeriesInstanceUID="1.2.4")),
        ("one_text", lambda o: twin(o, TEXT, SOPInstanceUID="1.2.3", SeriesInstanceUID="1.2.4")),
        ("one_text", lambda o: [x for x in o if x.slot.role != TEXT]),
        ("every_answer_is_in_a_picture", lambda o: [x for x in o if x.slot.role != SUMMARY]),
    ],
)
def test_objects_that_do_not_fit_together_are_refused(
    draft: Draft, sound: Sequence[Finished], rule: str, spoil: Callable[[Sequence[Finished]], list[Finished]]
) -> None:
    """Rules about all objects of a result."""
    with pytest.raises(Permanent, match=f"together break the rule {rule}$"):
        validate(draft, spoil(sound))


def test_every_rule_has_something_that_breaks_it() -> None:
    """A rule that nothing can break checks nothing."""
    elsewhere = {
        *("no_number_without_estimate", "no_region_on_a_temporal_series", "needed_captures_are_sent"),
        "regions_lie_on_evidence",
        *(holds.__name__ for holds in OF_OTHER_KINDS),
        *("regions_name_their_frame", "regions_lie_on_their_half", "text_states_what_it_supersedes"),
    }
    assert {r.name for r in RULES} == {b[0] for b in BROKEN} | elsewhere | OF_COMPARISONS
    assert len(rules_set.RULES) == 5


def test_refusal_holds_no_patient_data(draft: Draft, sound: Sequence[Finished], left: Result) -> None:
    """The message names rule and role only."""
    objects = [replace(o, ds=deepcopy(o.ds)) for o in sound]
    objects[0].ds.PatientName = "CANARY^NAME"
    with pytest.raises(Permanent) as refused:
        validate(draft, objects)
    assert "CANARY" not in str(refused.value)
    assert left.patient.patient_id not in str(refused.value)
