"""The same answer as a page to read: an Enhanced SR whose private title makes viewers show it as text."""

from collections.abc import Sequence
from typing import Final

from highdicom.sr import (
    CodeContentItem,
    CodedConcept,
    ContainerContentItem,
    ContentSequence,
    RelationshipTypeValues,
    TextContentItem,
)
from pydicom.uid import EnhancedSRStorage

from agent.core.result import Kind
from agent.dicom import codes
from agent.report import inputs, words
from agent.report.contributions import parts, start
from agent.report.document import CONTAINS, document, observer
from agent.report.draft import Draft, Finished, Slot

SLOT: Final = Slot(Kind.TEXT_SR, EnhancedSRStorage, "SR", "text", 2)


def text_report(draft: Draft) -> Finished:
    """Return the report for all axillae: question, findings, conclusions, contributions, evidence, limits."""
    sections = (
        (codes.QUESTION, codes.QUESTION, _question(draft)),
        (codes.FINDINGS, codes.FINDING, _findings(draft)),
        (codes.CONCLUSIONS, codes.CONCLUSION, _conclusions(draft)),
        (codes.CONTRIBUTIONS, codes.CONTRIBUTIONS, _contributions(draft)),
        (codes.EVIDENCE, codes.EVIDENCE, _evidence(draft)),
        (codes.LIMITS, codes.LIMITS, _limits(draft)),
    )
    root = ContainerContentItem(codes.SUMMARY_TITLE, is_content_continuous=False)
    root.ContentSequence = ContentSequence(
        [
            CodeContentItem(codes.LANGUAGE, codes.ENGLISH, RelationshipTypeValues.HAS_CONCEPT_MOD),
            *observer(draft.device),
            *(_section(head, label, lines) for head, label, lines in sections if lines),
        ]
    )
    return Finished(SLOT, document(draft, SLOT, draft.index, root))


def _section(head: CodedConcept, label: CodedConcept, lines: Sequence[str]) -> ContainerContentItem:
    section = ContainerContentItem(head, is_content_continuous=False, relationship_type=CONTAINS)
    section.ContentSequence = ContentSequence([TextContentItem(label, line, CONTAINS) for line in lines])
    return section


def _question(draft: Draft) -> list[str]:
    event = words.capital(draft.words.event)
    return [draft.words.asked, f"{event} here means: {draft.result.model.label.rstrip('.')}."]


def _findings(draft: Draft) -> list[str]:
    result = draft.result
    lines: list[str] = []
    for estimate in draft.ranked:
        lines.append(words.answer(estimate, draft.words.event))
        points = estimate.points or result.operating_points
        lines.append(words.category(estimate, points))
        if result.site_prevalence is not None:
            lines += words.at_prevalence(estimate, points, result.site_prevalence)
    lines += [words.answer(a, draft.words.event) for a in draft.refused]
    return lines


def _conclusions(draft: Draft) -> list[str]:
    later = words.supersedes(draft.result)
    return [
        *(f"{words.axilla(e.side)}: estimated risk is {e.category}." for e in draft.ranked),
        *(f"{words.axilla(a.side)}: {words.NO_ESTIMATE}." for a in draft.refused),
        *([later] if later else []),
    ]


def _contributions(draft: Draft) -> list[str]:
    lines: list[str] = []
    for estimate in draft.ranked:
        lines += [words.contribution(estimate, part) for part in parts(draft.result, estimate)]
        begin = start(estimate)
        if begin is not None:
            lines.append(f"{words.axilla(estimate.side)}. {words.starting_point(begin)}.")
    return lines


def _evidence(draft: Draft) -> list[str]:
    result = draft.result
    return [
        inputs.images_used(result),
        *inputs.shown(result, sum(len(draft.places(e)) for e in draft.ranked)),
        inputs.facts_used(result),
        *filter(None, [inputs.missing(result)]),
        *inputs.left_out(result, draft.at_hand),
        *map(words.plain, result.evidence),
    ]


def _limits(draft: Draft) -> list[str]:
    result, device = draft.result, draft.device
    return [
        words.DISCLAIMER,
        *words.training(result.model, with_figures=bool(draft.ranked)),
        words.NOT_A_FINDING,
        *([words.INTERVAL, words.CONTRIBUTIONS] if draft.ranked else []),
        *([words.NOT_AN_OUTLINE] if result.influences and draft.ranked else []),
        f"{words.made_by(device.model, device.software_version, result)}.",
        f"SHA-256 of the model's manifest: {result.model.digest}.",
    ]
