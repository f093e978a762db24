"""The same answer as a page to read: an Enhanced SR whose private title makes viewers show it as text."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Final

from highdicom.sr import (
    CodeContentItem,
    CodedConcept,
    ContainerContentItem,
    ContentSequence,
    RelationshipTypeValues,
    TextContentItem,
)
from pydicom import Dataset
from pydicom.uid import EnhancedSRStorage

from agent.core.result import Kind
from agent.dicom import codes
from agent.report import inputs, tree
from agent.report.catalogue import marked as _
from agent.report.contributions import parts, start
from agent.report.document import CONTAINS, document, observer
from agent.report.draft import Draft, Finished, Slot
from agent.report.words import CONTRIBUTIONS, INTERVAL, NOT_A_FINDING, NOT_AN_OUTLINE, Words

SLOT: Final = Slot(Kind.TEXT_SR, EnhancedSRStorage, "SR", _("text"), 2)


def text_report(draft: Draft) -> Finished:
    """Return the report for all axillae: question, answer, findings, contributions, evidence, limits."""
    sections = (
        (codes.QUESTION, codes.QUESTION, _question(draft)),
        (codes.CONCLUSIONS, codes.CONCLUSION, _conclusions(draft)),
        (codes.FINDINGS, codes.FINDING, _findings(draft)),
        (codes.CONTRIBUTIONS, codes.CONTRIBUTIONS, _contributions(draft)),
        (codes.EVIDENCE, codes.EVIDENCE, _evidence(draft)),
        (codes.LIMITS, codes.LIMITS, _limits(draft)),
    )
    language = codes.LANGUAGES[draft.words.language]
    root = ContainerContentItem(codes.SUMMARY_TITLE, is_content_continuous=False)
    root.ContentSequence = ContentSequence(
        [
            CodeContentItem(codes.LANGUAGE, language, RelationshipTypeValues.HAS_CONCEPT_MOD),
            *observer(draft.device),
            *(_section(head, label, lines) for head, label, lines in sections if lines),
        ]
    )
    _translate(root, draft.words)
    return Finished(SLOT, document(draft, SLOT, draft.index, root))


def _translate(root: Dataset, words: Words) -> None:
    """Give every code the meaning that it has in the page's language (PS3.3 section 8.3); the code itself stays."""
    for item in (root, *tree.items(root)):
        for keyword in ("ConceptNameCodeSequence", "ConceptCodeSequence"):
            if keyword in item:
                setattr(item, keyword, [_translated(entry, words) for entry in item[keyword].value])


def _translated(entry: Dataset, words: Words) -> Dataset:
    said = deepcopy(entry)  # items share their codes with `agent.dicom.codes`: those are not to change
    said.CodeMeaning = words.meaning(str(entry.CodeMeaning))
    return said


def _section(head: CodedConcept, label: CodedConcept, lines: Sequence[str]) -> ContainerContentItem:
    section = ContainerContentItem(head, is_content_continuous=False, relationship_type=CONTAINS)
    section.ContentSequence = ContentSequence([TextContentItem(label, line, CONTAINS) for line in lines])
    return section


def _question(draft: Draft) -> list[str]:
    return [draft.words.asked, draft.words.event_means(draft.result.model.label)]


def _conclusions(draft: Draft) -> list[str]:
    later = draft.words.supersedes(draft.result)
    return [
        *map(draft.words.conclusion, draft.ranked),
        *map(draft.words.conclusion, draft.refused),
        *([later] if later else []),
        draft.words.disclaimer,
    ]


def _findings(draft: Draft) -> list[str]:
    result, words = draft.result, draft.words
    lines: list[str] = []
    for estimate in draft.ranked:
        points = estimate.points or result.operating_points
        lines += [words.answer(estimate), words.explained(estimate, points)]
        if result.site_prevalence is not None:
            lines += words.at_prevalence(estimate, points, result.site_prevalence)
    if draft.ranked and (shifted := words.shifted(result)):
        lines.append(shifted)
    return [*lines, *map(words.answer, draft.refused)]


def _contributions(draft: Draft) -> list[str]:
    words = draft.words
    lines: list[str] = []
    for estimate in draft.ranked:
        begin = start(estimate)
        if begin is not None:
            lines.append(f"{words.axilla(estimate.side)}. {words.starting_point(begin)}.")
        lines += [words.contribution(estimate, part) for part in parts(draft.result, estimate)]
    return lines


def _evidence(draft: Draft) -> list[str]:
    result, words = draft.result, draft.words
    return [
        inputs.images_used(words, result),
        *inputs.shown(words, result, sum(len(draft.places(e)) for e in draft.ranked)),
        inputs.facts_used(words, result),
        *filter(None, [inputs.missing(words, result)]),
        *inputs.left_out(words, result, draft.at_hand),
        *map(words.stored, result.evidence),
    ]


def _limits(draft: Draft) -> list[str]:
    result, device, words = draft.result, draft.device, draft.words
    limits = [
        NOT_A_FINDING,
        *([INTERVAL, CONTRIBUTIONS] if draft.ranked else []),
        *([NOT_AN_OUTLINE] if result.influences and draft.ranked else []),
    ]
    return [
        *words.training(result.model, with_figures=bool(draft.ranked)),
        *map(words.gettext, limits),
        f"{words.made_by(device.model, device.software_version, result)}.",
        words.gettext("SHA-256 of the model's manifest: {digest}.", digest=result.model.digest),
    ]
