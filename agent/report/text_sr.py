"""The same answer as a page to read: an Enhanced SR whose private title makes viewers show it as text."""

from copy import deepcopy
from typing import Final

from highdicom.sr import (
    CodeContentItem,
    ContainerContentItem,
    ContentSequence,
    RelationshipTypeValues,
    TextContentItem,
)
from pydicom import Dataset
from pydicom.uid import EnhancedSRStorage

from agent.core.result import Kind
from agent.dicom import codes
from agent.report import tree
from agent.report.catalogue import marked as _
from agent.report.document import CONTAINS, document, whole_observer
from agent.report.draft import Draft
from agent.report.slot import Finished, Slot
from agent.report.statements import Section, sections
from agent.report.words import Words

SLOT: Final = Slot(Kind.TEXT_SR, EnhancedSRStorage, "SR", _("text"), 2)


def text_report(draft: Draft) -> Finished:
    """Return the report for all axillae: question, answer, findings, contributions, evidence, limits."""
    language = codes.LANGUAGES[draft.words.language]
    root = ContainerContentItem(codes.SUMMARY_TITLE, is_content_continuous=False)
    root.ContentSequence = ContentSequence(
        [
            CodeContentItem(codes.LANGUAGE, language, RelationshipTypeValues.HAS_CONCEPT_MOD),
            *map(text_section, sections(draft, draft.words, (*draft.ranked, *draft.refused))),
            *whole_observer(draft.device),  # last: a viewer prints it as lines of the page
        ]
    )
    _translate(root, draft.words)
    return Finished(SLOT, document(draft, SLOT, draft.index, root))


def text_section(section: Section) -> ContainerContentItem:
    """Return a section's sentences as text items below its heading."""
    container = ContainerContentItem(section.head, is_content_continuous=False, relationship_type=CONTAINS)
    container.ContentSequence = ContentSequence(
        [TextContentItem(said.label, said.text, CONTAINS) for said in section.statements]
    )
    return container


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
