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
from agent.report import words
from agent.report.document import CONTAINS, document, observer
from agent.report.draft import Draft, Finished, Slot

SLOT: Final = Slot(Kind.TEXT_SR, EnhancedSRStorage, "SR", "text", 2)


def text_report(draft: Draft) -> Finished:
    """Return the report for all axillae: question, findings, conclusions, evidence, limits."""
    root = ContainerContentItem(codes.SUMMARY_TITLE, is_content_continuous=False)
    root.ContentSequence = ContentSequence(
        [
            CodeContentItem(codes.LANGUAGE, codes.ENGLISH, RelationshipTypeValues.HAS_CONCEPT_MOD),
            *observer(draft.device),
            _section(codes.QUESTION, codes.QUESTION, _question(draft)),
            _section(codes.FINDINGS, codes.FINDING, _findings(draft)),
            _section(codes.CONCLUSIONS, codes.CONCLUSION, _conclusions(draft)),
            _section(codes.EVIDENCE, codes.EVIDENCE, _evidence(draft)),
            _section(codes.LIMITS, codes.LIMITS, _limits(draft)),
        ]
    )
    return Finished(SLOT, document(draft, SLOT, draft.index, root))


def _section(head: CodedConcept, label: CodedConcept, lines: Sequence[str]) -> ContainerContentItem:
    section = ContainerContentItem(head, is_content_continuous=False, relationship_type=CONTAINS)
    section.ContentSequence = ContentSequence([TextContentItem(label, line, CONTAINS) for line in lines])
    return section


def _question(draft: Draft) -> list[str]:
    return [draft.words.asked, f"Counted as positive: {draft.result.model.label.rstrip('.')}."]


def _findings(draft: Draft) -> list[str]:
    result = draft.result
    lines: list[str] = []
    for estimate in draft.ranked:
        lines.append(words.answer(estimate, draft.words.event))
        lines += [words.category(estimate, result.operating_points), words.contributions(estimate)]
    lines += [words.answer(a, draft.words.event) for a in draft.refused]
    if draft.ranked and result.site_prevalence is not None:
        lines += words.at_prevalence(result.operating_points, result.site_prevalence)
    return lines


def _evidence(draft: Draft) -> list[str]:
    result = draft.result
    return [
        words.images_used(result),
        f"Clinical facts used: {words.listed([words.fact(f) for f in result.facts_used])}.",
        words.missing(result),
        *result.evidence,
        *words.left_out(result.left_out),
    ]


def _conclusions(draft: Draft) -> list[str]:
    version, has_predecessor = draft.result.version, SLOT.role in draft.result.predecessors
    return [
        *([f"This result, version {version}, supersedes version {version - 1}."] if has_predecessor else []),
        *(f"{words.axilla(e.side)}: estimated risk is {e.category}." for e in draft.ranked),
        *(f"{words.axilla(a.side)}: no estimate." for a in draft.refused),
    ]


def _limits(draft: Draft) -> list[str]:
    result, device = draft.result, draft.device
    return [
        words.DISCLAIMER,
        *words.training(result.model, with_figures=bool(draft.ranked)),
        words.NOT_A_FINDING,
        *([words.INTERVAL] if draft.ranked else []),
        *([words.NOT_AN_OUTLINE] if result.influences and draft.ranked else []),
        f"{words.made_by(device.model, device.software_version, result)}.",
        f"SHA-256 of the model's manifest: {result.model.digest}.",
    ]
