"""What an SR states beside its measurement group: the page's sentences, and the same in numbers and codes.

None of it lies in the group: viewers draw that, and fail on a number there that has no region.
"""

from collections import Counter
from collections.abc import Sequence

from highdicom.sr import (
    CodeContentItem,
    CodedConcept,
    ContainerContentItem,
    ContentItem,
    ContentSequence,
    NumContentItem,
    TextContentItem,
)

from agent.core.prediction import Estimate, OperatingPoint
from agent.core.result import LeftOut, Result
from agent.dicom import codes
from agent.report.contributions import PRIOR, Part, parts, prevalence_shift
from agent.report.document import CONTAINS
from agent.report.draft import Draft
from agent.report.figures import percent, predictive_values
from agent.report.inputs import is_uid
from agent.report.statements import contribution_of, sections
from agent.report.text_sr import text_section
from agent.report.words import Words

DIGITS = 4  # after the point, of shares and log-odds
COUNT = codes.INSTANCES


def stated(draft: Draft, estimate: Estimate) -> list[ContainerContentItem]:
    """Return the sections of one axilla, the answer first, each with its sentences and what they say in codes."""
    english = draft.words.in_english
    coded = {
        codes.FINDINGS: [*_points(draft.result, estimate), *_prevalence(draft.result)],
        codes.CONTRIBUTIONS: _contributions(draft.result, estimate),
        codes.EVIDENCE: [*_inputs(draft.result), *_left_out(english, draft.result), *_counts(english, draft.result)],
        codes.LIMITS: _model(draft.result),
    }
    by_head = {section.head: text_section(section) for section in sections(draft, english, (estimate,))}
    for head, items in coded.items():
        if items:
            container = by_head.setdefault(head, _container(head))
            container.ContentSequence.extend(items)
    first = by_head.pop(codes.CONCLUSIONS)
    return [first, *by_head.values()]


def _points(result: Result, estimate: Estimate) -> list[ContentItem]:
    points = estimate.points or result.operating_points
    return [_container(codes.OPERATING_POINT, _point(point, result.site_prevalence)) for point in points]


def _point(point: OperatingPoint, prevalence: float | None) -> list[ContentItem]:
    """Threshold, what it decides, what it achieved with which inputs, and what it is worth at the site."""
    inputs = [codes.INPUTS.get(name, codes.INPUTS["OT"]) for name in point.inputs.split("+") if point.inputs]
    found: list[ContentItem] = [
        *([_code(codes.CATEGORY_MEANING, codes.POINTS[point.name])] if point.name in codes.POINTS else []),
        _share(codes.THRESHOLD, point.threshold),
        _number(codes.SENSITIVITY, point.sensitivity),
        _number(codes.SPECIFICITY, point.specificity),
        *(_code(codes.INPUT, one) for one in inputs or [codes.ALL_OF_THEM]),
    ]
    if prevalence is not None:
        npv, ppv = predictive_values(point, prevalence)
        found += [_number(codes.NPV, npv), _number(codes.PPV, ppv)]
    return found


def _prevalence(result: Result) -> list[ContentItem]:
    shift = prevalence_shift(result)
    if shift is None or result.site_prevalence is None:
        return []
    items = [
        _share(codes.TRAINING_PREVALENCE, result.model.training_prevalence),
        _share(codes.SITE_PREVALENCE, result.site_prevalence),
        _log_odds(codes.LOG_ODDS_SHIFT, shift),
    ]
    return [_container(codes.PREVALENCE, items)]


def _contributions(result: Result, estimate: Estimate) -> list[ContentItem]:
    """Log-odds: the starting point's and each input's, which add up; what was not there is said by its code."""
    prior = estimate.contributions.get(PRIOR)
    begin = [] if prior is None else [_log_odds(codes.STARTING_POINT, prior)]
    return [*begin, *(_contribution(part) for part in parts(result, estimate))]


def _contribution(part: Part) -> ContentItem:
    if part.log_odds is None:
        return _code(contribution_of(part.input), codes.NOT_AVAILABLE.get(part.input, codes.OTHER_NOT_AVAILABLE))
    return _log_odds(contribution_of(part.input), part.log_odds)


def _inputs(result: Result) -> list[ContentItem]:
    """Modalities, and the names of facts as the dictionary of facts has them: never their values."""
    used = [_code(codes.INPUT, codes.INPUTS.get(name, codes.INPUTS["OT"])) for name in result.modalities_used]
    facts = [TextContentItem(codes.CLINICAL_FACT, name, CONTAINS) for name in result.facts_used]
    return [_container(codes.INPUTS_USED, [*used, *facts])] if used or facts else []


def _left_out(words: Words, result: Result) -> list[ContentItem]:
    """Images counted by modality, facts by name, each with the reason."""
    counts = Counter((item.modality, item.reason) for item in result.left_out if is_uid(item.what))
    images = [
        _container(
            codes.LEFT_OUT,
            [
                _code(codes.INPUT, codes.INPUTS.get(modality, codes.INPUTS["OT"])),
                NumContentItem(codes.INSTANCES_LEFT_OUT, count, COUNT, relationship_type=CONTAINS),
                _reason(words, reason),
            ],
        )
        for (modality, reason), count in counts.items()
    ]
    return [*images, *(_fact(words, item) for item in result.left_out if not is_uid(item.what))]


def _fact(words: Words, item: LeftOut) -> ContainerContentItem:
    return _container(
        codes.LEFT_OUT, [TextContentItem(codes.CLINICAL_FACT, item.what, CONTAINS), _reason(words, item.reason)]
    )


def _reason(words: Words, reason: str) -> TextContentItem:
    return TextContentItem(codes.REASON, words.stored(reason), CONTAINS)


def _counts(words: Words, result: Result) -> list[ContentItem]:
    """How many instances of a study were here, of how many that the PACS lists."""
    counted = [found for found in map(words.counted, result.evidence) if found is not None]
    return [
        _container(
            codes.CASE_COMPLETENESS,
            [
                NumContentItem(codes.INSTANCES_HERE, here, COUNT, relationship_type=CONTAINS),
                NumContentItem(codes.INSTANCES_LISTED, listed, COUNT, relationship_type=CONTAINS),
            ],
        )
        for here, listed in counted
    ]


def _model(result: Result) -> list[ContentItem]:
    use = codes.USES.get(result.model.intended_use, codes.USES["research"])
    return [_code(codes.INTENDED_USE, use), _share(codes.TRAINING_PREVALENCE, result.model.training_prevalence)]


def _container(head: CodedConcept, items: Sequence[ContentItem] = ()) -> ContainerContentItem:
    container = ContainerContentItem(head, is_content_continuous=False, relationship_type=CONTAINS)
    container.ContentSequence = ContentSequence(items)
    return container


def _code(name: CodedConcept, value: CodedConcept) -> CodeContentItem:
    return CodeContentItem(name, value, CONTAINS)


def _share(name: CodedConcept, share: float) -> NumContentItem:
    return NumContentItem(name, percent(share), codes.PERCENT, relationship_type=CONTAINS)


def _number(name: CodedConcept, value: float) -> NumContentItem:
    return NumContentItem(name, round(value, DIGITS), codes.NO_UNIT, relationship_type=CONTAINS)


def _log_odds(name: CodedConcept, value: float) -> NumContentItem:
    return NumContentItem(name, round(value, DIGITS), codes.LOG_ODDS, relationship_type=CONTAINS)
