"""Objects of a result before the gate, and for each rule something that breaks it."""

from collections.abc import Callable
from typing import Any

from pydicom import Dataset

from agent.core.result import LeftOut
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
    rules_tree,
    tree,
)
from agent.report.capture import captures
from agent.report.comprehensive import in_reserve
from agent.report.draft import Draft
from agent.report.drawing import drawing
from agent.report.slot import Finished
from agent.report.sr import report
from agent.report.text_sr import text_report
from tests.unit.report.breaking import (
    blank,
    container,
    double,
    drop,
    drop_coded,
    drop_container,
    erase_end,
    finding,
    first,
    forget,
    group,
    move,
    name_another,
    number,
    paint,
    recode,
    relabel,
    rename,
    renumber,
    say,
    swap_bounds,
    value,
)

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
RESERVE = "sr:L:comprehensive"

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
    ("text_states_contributions", TEXT, lambda ds: forget(ds, "LEFT axilla: mammography raised")),
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
    ("sentences_are_the_pages", SR, lambda ds: forget(ds, "LEFT axilla: mammography raised")),
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
