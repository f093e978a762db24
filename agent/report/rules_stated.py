"""Rules for what an SR states beside its measurement group: the page's sentences, and the result's numbers."""

from collections.abc import Mapping
from typing import Final

from highdicom.sr import CodedConcept
from pydicom import Dataset

from agent.core.prediction import OperatingPoint
from agent.dicom import codes
from agent.report import tree
from agent.report.contributions import PRIOR, missing, parts, prevalence_shift
from agent.report.draft import Draft
from agent.report.figures import percent, predictive_values
from agent.report.inputs import is_uid
from agent.report.rules_sr import estimate_of
from agent.report.rules_text import coded, said_below
from agent.report.slot import Finished
from agent.report.statements import contribution_of

EQUAL: Final = 6e-5  # numbers are written with four digits after the point
HEADS: Final = (
    codes.CONCLUSIONS,
    codes.QUESTION,
    codes.FINDINGS,
    codes.CONTRIBUTIONS,
    codes.EVIDENCE,
    codes.LIMITS,
)


def sentences_are_the_pages(draft: Draft, one: Finished) -> bool:
    """Every sentence of the page that speaks of this axilla stands there, in English, below the same heading."""
    told = coded(draft, estimate_of(draft, one))
    return all(said_below(one, head) == told.get(tree.code(head), []) for head in HEADS)


def answer_comes_first(draft: Draft, one: Finished) -> bool:
    """A print of the document begins with it, and ends with the measurements."""
    heads = [tree.code(item.ConceptNameCodeSequence[0]) for item in tree.children(one.ds, "CONTAINER")]
    return [heads[0], heads[-1]] == [_code(codes.CONCLUSIONS), _code(codes.IMAGING_MEASUREMENTS)]


def operating_points_equal_the_result(draft: Draft, one: Finished) -> bool:
    """What each threshold achieved with this axilla's inputs; NPV and PPV only where the site's prevalence is known."""
    estimate, prevalence = estimate_of(draft, one), draft.result.site_prevalence
    points = estimate.points or draft.result.operating_points
    found = [item for item in one.tree.named(codes.OPERATING_POINT) if item.ValueType == "CONTAINER"]
    return len(found) == len(points) and all(
        _numbers_are(item, _of_point(point, prevalence))
        and _values(item, codes.INPUT) == _inputs(point)
        and _values(item, codes.CATEGORY_MEANING) == [codes.POINTS[n].value for n in [point.name] if n in codes.POINTS]
        for item, point in zip(found, points, strict=True)
    )


def prevalence_equals_the_result(draft: Draft, one: Finished) -> bool:
    """Both prevalences and the shift that they make, where the site's is known, and only there."""
    found = [item for item in one.tree.named(codes.PREVALENCE) if item.ValueType == "CONTAINER"]
    shift, site = prevalence_shift(draft.result), draft.result.site_prevalence
    if shift is None or site is None:
        return not found
    training = draft.result.model.training_prevalence
    wanted = {
        codes.TRAINING_PREVALENCE.value: percent(training),
        codes.SITE_PREVALENCE.value: percent(site),
        codes.LOG_ODDS_SHIFT.value: shift,
    }
    return len(found) == 1 and _numbers_are(found[0], wanted)


def contributions_equal_the_result(draft: Draft, one: Finished) -> bool:
    """The log-odds that each input added to the starting point, in order; those that were not there have no number."""
    estimate = estimate_of(draft, one)
    of_inputs = [(contribution_of(part.input).value, part.log_odds) for part in parts(draft.result, estimate)]
    wanted = [(name, value) for name, value in of_inputs if value is not None]
    if PRIOR in estimate.contributions:
        wanted.insert(0, (codes.STARTING_POINT.value, estimate.contributions[PRIOR]))
    below = one.tree.named(codes.CONTRIBUTIONS)
    found = [_name_and_number(item) for head in below for item in tree.children(head, "NUM")]
    absent = [tree.code(i.ConceptCodeSequence[0])[0] for head in below for i in tree.children(head, "CODE")]
    lacking = [codes.NOT_AVAILABLE.get(m, codes.OTHER_NOT_AVAILABLE).value for m in missing(draft.result, estimate)]
    same = [name for name, _ in found] == [name for name, _ in wanted]
    return absent == lacking and same and all(_equal(f, w) for (_, f), (_, w) in zip(found, wanted, strict=True))


def inputs_equal_the_result(draft: Draft, one: Finished) -> bool:
    """Modalities and facts that were used, by code and by name."""
    result, found = draft.result, one.tree.named(codes.INPUTS_USED)
    used = [codes.INPUTS.get(m, codes.INPUTS["OT"]).value for m in result.modalities_used]
    if not used and not result.facts_used:
        return not found
    return len(found) == 1 and _values(found[0], codes.INPUT) == used and _facts(found[0]) == list(result.facts_used)


def left_out_equals_the_result(draft: Draft, one: Finished) -> bool:
    """Every image and fact that was there and not used is counted or named, with its reason."""
    found = [item for item in one.tree.named(codes.LEFT_OUT) if item.ValueType == "CONTAINER"]
    result, words = draft.result, draft.words.in_english
    reasons = {words.stored(item.reason) for item in result.left_out}
    images = sum(is_uid(item.what) for item in result.left_out)
    counted = sum(tree.number(n) for item in found for n in tree.children(item, "NUM"))
    named = [fact for item in found for fact in _facts(item)]
    said = [str(i.TextValue) for item in found for i in tree.children(item, "TEXT") if tree.is_named(i, codes.REASON)]
    facts = [item.what for item in result.left_out if not is_uid(item.what)]
    return (counted, named, set(said), len(said)) == (images, facts, reasons, len(found))


def counts_equal_the_result(draft: Draft, one: Finished) -> bool:
    """How many instances were here of how many that the archive lists, where it was asked."""
    counted = [found for found in map(draft.words.counted, draft.result.evidence) if found is not None]
    found = [item for item in one.tree.named(codes.CASE_COMPLETENESS) if item.ValueType == "CONTAINER"]
    wanted = [{codes.INSTANCES_HERE.value: n, codes.INSTANCES_LISTED.value: m} for n, m in counted]
    return len(found) == len(wanted) and all(_numbers_are(f, w) for f, w in zip(found, wanted, strict=True))


def model_equals_the_result(draft: Draft, one: Finished) -> bool:
    """What the model is for, and how many patients of its training had the event."""
    model = draft.result.model
    use = codes.USES.get(model.intended_use, codes.USES["research"])
    wanted = {codes.TRAINING_PREVALENCE.value: percent(model.training_prevalence)}
    return all(
        _values(head, codes.INTENDED_USE) == [use.value] and _numbers_are(head, wanted)
        for head in one.tree.named(codes.LIMITS)
    )


def observer_is_the_device(draft: Draft, one: Finished) -> bool:
    """The device that made it, by UID, name, manufacturer, model and serial number."""
    device = draft.device
    wanted = {
        codes.DEVICE_OBSERVER_UID: device.uid,
        codes.DEVICE_OBSERVER_NAME: device.name,
        codes.DEVICE_OBSERVER_MANUFACTURER: device.manufacturer,
        codes.DEVICE_OBSERVER_MODEL: device.model,
        codes.DEVICE_OBSERVER_SERIAL: device.serial,
    }
    return all(
        [str(item.get("UID") or item.get("TextValue")) for item in one.tree.named(concept)] == [value]
        for concept, value in wanted.items()
    )


def _of_point(point: OperatingPoint, prevalence: float | None) -> dict[str, float]:
    found = {
        codes.THRESHOLD.value: percent(point.threshold),
        codes.SENSITIVITY.value: point.sensitivity,
        codes.SPECIFICITY.value: point.specificity,
    }
    if prevalence is not None:
        found[codes.NPV.value], found[codes.PPV.value] = predictive_values(point, prevalence)
    return found


def _inputs(point: OperatingPoint) -> list[str]:
    names = point.inputs.split("+") if point.inputs else []
    return [codes.INPUTS.get(name, codes.INPUTS["OT"]).value for name in names] or [codes.ALL_OF_THEM.value]


def _numbers_are(parent: Dataset, wanted: Mapping[str, float]) -> bool:
    found = [_name_and_number(item) for item in tree.children(parent, "NUM")]
    return [name for name, _ in found] == list(wanted) and all(_equal(value, wanted[name]) for name, value in found)


def _name_and_number(item: Dataset) -> tuple[str, float]:
    return tree.code(item.ConceptNameCodeSequence[0])[0], tree.number(item)


def _values(parent: Dataset, concept: CodedConcept) -> list[str]:
    coded = [item for item in tree.children(parent, "CODE") if tree.is_named(item, concept)]
    return [tree.code(item.ConceptCodeSequence[0])[0] for item in coded]


def _facts(parent: Dataset) -> list[str]:
    named = [item for item in tree.children(parent, "TEXT") if tree.is_named(item, codes.CLINICAL_FACT)]
    return [str(item.TextValue) for item in named]


def _equal(found: float, wanted: float) -> bool:
    return abs(found - wanted) <= EQUAL


def _code(concept: CodedConcept) -> tuple[str, str]:
    return str(concept.value), str(concept.scheme_designator)


RULES: Final = (
    sentences_are_the_pages,
    answer_comes_first,
    operating_points_equal_the_result,
    prevalence_equals_the_result,
    contributions_equal_the_result,
    inputs_equal_the_result,
    left_out_equals_the_result,
    counts_equal_the_result,
    model_equals_the_result,
)
FOR_BOTH: Final = (observer_is_the_device,)
"""Rules that the text SR keeps as well."""
