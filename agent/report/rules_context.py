"""Rules for what a document says of itself: its language, who observed, and which version it replaces."""

from typing import Final

from highdicom.sr import CodedConcept
from pydicom import Dataset

from agent.core.result import Kind, Reference
from agent.dicom import codes
from agent.report import tree
from agent.report.draft import Draft
from agent.report.slot import Finished


def predecessor_is_the_version_before(draft: Draft, one: Finished) -> bool:
    """It names the document of the version before that had its role, and nothing where there was none."""
    before = draft.result.predecessors.get(one.slot.role)
    named = [
        Reference(
            str(item.ReferencedSOPClassUID),
            str(item.ReferencedSOPInstanceUID),
            str(study.StudyInstanceUID),
            str(series.SeriesInstanceUID),
        )
        for study in one.ds.get("PredecessorDocumentsSequence", ())
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    ]
    return named == ([] if before is None else [before])


def names_no_predecessor(draft: Draft, one: Finished) -> bool:
    """A Key Object Selection follows no other one."""
    return "PredecessorDocumentsSequence" not in one.ds


def language_is_stated(draft: Draft, one: Finished) -> bool:
    """First of all the language: of an SR with codes English, of what is read as a page the site's (TID 1204)."""
    wanted = codes.ENGLISH if one.slot.kind is Kind.SR else codes.LANGUAGES[draft.words.language]
    return _is(one, codes.LANGUAGE, wanted) and tree.is_named(one.tree.items[0], codes.LANGUAGE)


def observer_is_a_device(draft: Draft, one: Finished) -> bool:
    """No person: the device, by its UID and its name (TID 1002, 1004)."""
    return (
        _is(one, codes.OBSERVER_TYPE, codes.DEVICE)
        and _texts(one, codes.DEVICE_OBSERVER_UID) == [draft.device.uid]
        and _texts(one, codes.DEVICE_OBSERVER_NAME) == [draft.device.name]
    )


def selection_says_no_more(draft: Draft, one: Finished) -> bool:
    """A Key Object Selection has language, observer and description, and else only what it names."""
    said = [tree.name(item) for item in one.tree.items if tree.value_type(item) not in ("IMAGE", "COMPOSITE")]
    allowed = (
        codes.LANGUAGE,
        codes.OBSERVER_TYPE,
        codes.DEVICE_OBSERVER_UID,
        codes.DEVICE_OBSERVER_NAME,
        codes.KEY_OBJECT_DESCRIPTION,
    )
    return sorted(said) == sorted(tree.code(concept) for concept in allowed)


def _is(one: Finished, name: CodedConcept, value: CodedConcept) -> bool:
    """Whether one item has a name, right below the root, and a value."""
    found = [tree.code(item.ConceptCodeSequence[0]) for item in _at_root(one, name) if "ConceptCodeSequence" in item]
    return found == [tree.code(value)] and len(one.tree.named(name)) == 1


def _texts(one: Finished, name: CodedConcept) -> list[str]:
    return [str(item.get("UID") or item.get("TextValue")) for item in _at_root(one, name)]


def _at_root(one: Finished, name: CodedConcept) -> list[Dataset]:
    return [item for item in tree.below(one.ds) if tree.is_named(item, name)]


FOR_DOCUMENTS: Final = (predecessor_is_the_version_before, language_is_stated, observer_is_a_device)
FOR_KEY_OBJECTS: Final = (names_no_predecessor, language_is_stated, observer_is_a_device, selection_says_no_more)
