"""Rules for an SR of template 1500: what a viewer needs to draw it, and what it must not differ in."""

from typing import Final

from highdicom.sr import CodedConcept
from pydicom import Dataset

from agent.core.prediction import Estimate
from agent.dicom import codes
from agent.report import tree
from agent.report.contributions import missing
from agent.report.draft import Draft
from agent.report.figures import percent
from agent.report.header import Source
from agent.report.slot import Finished
from agent.report.temporal import is_temporal

MAX_LINE: Final = 28  # characters that fit beside a region; longer lines lose the number
MIDLINE: Final = 0.1  # share of the columns by which the sternum may be off the middle of an image
HYDRATING_PREFIX: Final = "Cornerstone"  # a viewer would take the group for an editable measurement of its own


def root_is_imaging_measurement_report(draft: Draft, one: Finished) -> bool:
    """Viewers look for exactly this title and template."""
    template = one.ds.get("ContentTemplateSequence")
    return tree.is_named(one.ds, codes.IMAGING_MEASUREMENT_REPORT) and bool(
        template and template[0].TemplateIdentifier == "1500"
    )


def code_meanings_are_exact(draft: Draft, one: Finished) -> bool:
    """A viewer compares these three by their meaning."""
    wanted = (codes.IMAGING_MEASUREMENTS, codes.MEASUREMENT_GROUP, codes.TRACKING_IDENTIFIER)
    return all(
        found and all(f.ConceptNameCodeSequence[0].CodeMeaning == concept.meaning for f in found)
        for concept in wanted
        for found in [one.tree.named(concept)]
    )


def one_procedure_reported(draft: Draft, one: Finished) -> bool:
    """The template takes one."""
    return len(one.tree.named(codes.PROCEDURE_REPORTED)) == 1


def one_measurement_group(draft: Draft, one: Finished) -> bool:
    """Of several groups only the first is ever seen."""
    return len(one.tree.named(codes.MEASUREMENT_GROUP)) == 1


def group_is_tracked(draft: Draft, one: Finished) -> bool:
    """The group has both tracking items, the UID first of its UIDREFs, and no identifier that a viewer claims."""
    group = _group(one)
    identifiers = tree.named(group, codes.TRACKING_IDENTIFIER)
    references = tree.children(group, "UIDREF")
    return (
        bool(identifiers and references)
        and tree.is_named(references[0], codes.TRACKING_UNIQUE_IDENTIFIER)
        and not any(i.TextValue.startswith(HYDRATING_PREFIX) for i in identifiers)
    )


def every_number_has_a_region(draft: Draft, one: Finished) -> bool:
    """A number without coordinates on an image breaks the whole document in a viewer."""
    numbers = tree.children(_group(one), "NUM")
    regions = [tree.children(n, "SCOORD") for n in numbers]
    return bool(numbers) and all(r and all(tree.children(s, "IMAGE") for s in r) for r in regions)


def regions_lie_on_evidence(draft: Draft, one: Finished) -> bool:
    """A region is drawn only on what is open: an image of the same study, named as evidence."""
    current = tree.evidence(one.ds, "CurrentRequestedProcedureEvidenceSequence")
    return all((str(one.ds.StudyInstanceUID), _on(s)) in current for s in _regions(one))


def regions_lie_inside(draft: Draft, one: Finished) -> bool:
    """Coordinates are within the image and enclose something; a capture's are checked by its own size."""
    sizes = {s.instance.sop_instance_uid: (s.instance.columns, s.instance.rows) for s in draft.sources}
    for region in _regions(one):
        x, y = region.GraphicData[0::2], region.GraphicData[1::2]
        columns, rows = sizes.get(_on(region), (max(x), max(y)))
        if not (0 <= min(x) < max(x) <= columns and 0 <= min(y) < max(y) <= rows):
            return False
    return True


def no_region_on_a_temporal_series(draft: Draft, one: Finished) -> bool:
    """A region on a series with several time points freezes the page."""
    return not any(is_temporal(draft, source) for _, source in _on_sources(draft, one))


def regions_name_their_frame(draft: Draft, one: Finished) -> bool:
    """On an image of many frames a region says on which of them it lies."""
    many = [region for region, source in _on_sources(draft, one) if source.instance.frames > 1]
    images = [tree.children(region, "IMAGE")[0].ReferencedSOPSequence[0] for region in many]
    return all("ReferencedFrameNumber" in image for image in images)


def regions_lie_on_their_half(draft: Draft, one: Finished) -> bool:
    """On an image of both breasts the middle of a region is in the half of its side, or next to the midline."""
    for region, source in _on_sources(draft, one):
        if source.shows_both_breasts and source.columns_to_left is not None:
            x = region.GraphicData[0::2]
            across = (min(x) + max(x)) / 2 / source.instance.columns
            towards_side = across if (one.slot.axilla == "L") == source.columns_to_left else 1 - across
            if towards_side < 0.5 - MIDLINE:
                return False
    return True


def lines_fit_beside_the_region(draft: Draft, one: Finished) -> bool:
    """Comments and numbers are printed unbroken and cut off at the edge."""
    lines = [str(item.TextValue) for item in one.tree.named(codes.COMMENT)]
    for item in tree.children(_group(one), "NUM"):
        lines.append(f"{item.ConceptNameCodeSequence[0].CodeMeaning}: {tree.number(item):.2f} {tree.unit(item)}")
    return len(lines) <= 5 and all(len(line) <= MAX_LINE for line in lines)


def numbers_are_percentages(draft: Draft, one: Finished) -> bool:
    """The unit is "%"; a number of exactly 0 would not be printed."""
    numbers = tree.children(_group(one), "NUM")
    return all(tree.unit(n) == "%" and 0 < tree.number(n) <= 100 for n in numbers)


def numbers_equal_the_result(draft: Draft, one: Finished) -> bool:
    """Probability and interval are those of the one result, in order."""
    estimate = estimate_of(draft, one)
    wanted = {
        probability_of(draft).value: percent(estimate.probability),
        codes.CI_LOWER.value: percent(estimate.low),
        codes.CI_UPPER.value: percent(estimate.high),
    }
    numbers = tree.children(_group(one), "NUM")
    found = {tree.code(n.ConceptNameCodeSequence[0])[0]: tree.number(n) for n in numbers}
    low, probability, high = (found.get(c.value, -1.0) for c in (codes.CI_LOWER, probability_of(draft), codes.CI_UPPER))
    return found == wanted and low <= probability <= high


def category_equals_the_result(draft: Draft, one: Finished) -> bool:
    """The risk category is that of the one result."""
    wanted = codes.CATEGORIES[estimate_of(draft, one).category]
    found = one.tree.named(codes.QUESTIONS[draft.result.question].category)
    return [tree.code(f.ConceptCodeSequence[0]) for f in found] == [(wanted.value, wanted.scheme_designator)]


def side_equals_the_image(draft: Draft, one: Finished) -> bool:
    """The laterality of the finding site is the axilla's, and no image of the other side carries the region."""
    wanted = codes.SIDES[one.slot.axilla]
    found = [tree.code(i.ConceptCodeSequence[0]) for i in tree.named(_group(one), codes.LATERALITY)]
    sides = {s.instance.sop_instance_uid: s.instance.laterality for s in draft.sources}
    return found == [(wanted.value, wanted.scheme_designator)] and all(
        sides.get(_on(r), "") in ("", "B", one.slot.axilla) for r in _regions(one)
    )


def missing_inputs_are_stated(draft: Draft, one: Finished) -> bool:
    """Every input that was not there is named; only a complete set is called complete."""
    absent = missing(draft.result, estimate_of(draft, one))
    wanted = {codes.NOT_AVAILABLE.get(m, codes.OTHER_NOT_AVAILABLE).value for m in absent} or {codes.ALL_INPUTS.value}
    found = one.tree.named(codes.COMPLETENESS)
    return {tree.code(f.ConceptCodeSequence[0])[0] for f in found} == wanted


def needed_captures_are_sent(draft: Draft, one: Finished) -> bool:
    """A region that lies on one of our captures waits for it."""
    images = {s.instance.sop_instance_uid for s in draft.sources}
    return {_on(r) for r in _regions(one)} - images == set(one.needs)


def finding_is_the_questions(draft: Draft, one: Finished) -> bool:
    """What is estimated is what was asked: a code of the question, which is no finding of disease."""
    wanted = codes.QUESTIONS[draft.result.question].finding
    found = [tree.code(item.ConceptCodeSequence[0]) for item in one.tree.named(codes.FINDING)]
    identifiers = [str(item.TextValue) for item in one.tree.named(codes.TRACKING_IDENTIFIER)]
    said = [f"{draft.words.short} risk {one.slot.axilla}"]
    return found == [(wanted.value, wanted.scheme_designator)] and identifiers == said


def probability_of(draft: Draft) -> CodedConcept:
    """Return the concept of what is estimated."""
    return codes.QUESTIONS[draft.result.question].probability


def _group(one: Finished) -> Dataset:
    groups = one.tree.named(codes.MEASUREMENT_GROUP)
    return groups[0] if groups else Dataset()


def _regions(one: Finished) -> list[Dataset]:
    return one.tree.typed("SCOORD")


def _on(region: Dataset) -> str:
    images = tree.children(region, "IMAGE")
    return str(images[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID) if images else ""


def _on_sources(draft: Draft, one: Finished) -> list[tuple[Dataset, Source]]:
    """Return each region that lies on a source image, with that image."""
    by_uid = {s.instance.sop_instance_uid: s for s in draft.sources}
    return [(region, by_uid[_on(region)]) for region in _regions(one) if _on(region) in by_uid]


def estimate_of(draft: Draft, one: Finished) -> Estimate:
    """Return the answer that a document of one axilla is about."""
    return next(e for e in draft.ranked if e.side == one.slot.axilla)


RULES: Final = (
    root_is_imaging_measurement_report,
    code_meanings_are_exact,
    one_procedure_reported,
    one_measurement_group,
    group_is_tracked,
    every_number_has_a_region,
    regions_lie_on_evidence,
    regions_lie_inside,
    no_region_on_a_temporal_series,
    regions_name_their_frame,
    regions_lie_on_their_half,
    lines_fit_beside_the_region,
    numbers_are_percentages,
    numbers_equal_the_result,
    category_equals_the_result,
    side_equals_the_image,
    finding_is_the_questions,
    missing_inputs_are_stated,
    needed_captures_are_sent,
)
