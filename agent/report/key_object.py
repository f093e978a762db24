"""Which images are worth a look: a Key Object Selection of the key images and our pictures of them, one a study."""

from collections.abc import Iterable, Sequence
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
from pydicom.uid import KeyObjectSelectionDocumentStorage

from agent.core.result import Kind, Reference
from agent.dicom import codes
from agent.report.capture import Captured
from agent.report.catalogue import marked as _
from agent.report.document import CONTAINS, observer
from agent.report.draft import Draft
from agent.report.header import Source
from agent.report.references import reference, references
from agent.report.slot import KEY_OBJECT_SERIES, Finished, Slot

TEMPLATE: Final = "2010"
LABEL: Final = _("key images")
DESCRIPTION: Final = _("Images with the most influence on this AI estimate of risk, each with its heatmap.")


def key_objects(draft: Draft, pictured: Sequence[Captured]) -> list[Finished]:
    """Return one selection for each study that has a key image."""
    studies: dict[str, list[Source]] = {}
    for source in _key_images(draft):
        studies.setdefault(source.instance.study_instance_uid, []).append(source)
    return [_selection(draft, n, sources, pictured) for n, sources in enumerate(studies.values(), start=1)]


def key_object_document(
    draft: Draft, slot: Slot, source: Source, title: CodedConcept, description: str, named: Sequence[Dataset]
) -> Dataset:
    """Return a Key Object Selection Document (PS3.3 A.35.4, PS3.16 TID 2010) but for its evidence.

    Parameters
    ----------
    draft, slot
        The result, and the document's place in it.
    source
        An image of the document's study.
    title
        Of CID 7010.
    description
        In words.
    named
        Content items of the objects.
    """
    language = codes.LANGUAGES[draft.words.language]
    root = ContainerContentItem(title, is_content_continuous=False, template_id=TEMPLATE)
    root.ContentSequence = ContentSequence(
        [
            CodeContentItem(codes.LANGUAGE, language, RelationshipTypeValues.HAS_CONCEPT_MOD),
            *observer(draft.device),
            TextContentItem(codes.KEY_OBJECT_DESCRIPTION, description, CONTAINS),
        ]
    )
    ds = draft.base(slot, source)
    ds.ReferencedPerformedProcedureStepSequence = []
    ds.update(root)
    ds.ContentSequence = [*root.ContentSequence, *named]  # these have no concept name, which highdicom asks for
    return ds


def object_item(named: Reference, value_type: str, frame: int = 0) -> Dataset:
    """Return the content item that names an object, without a concept name as TID 2010 has it."""
    one = Dataset()
    if frame:
        one.ReferencedFrameNumber = frame
    one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID = named.sop_class_uid, named.sop_instance_uid
    item = Dataset()
    item.RelationshipType = CONTAINS.value
    item.ValueType = value_type
    item.ReferencedSOPSequence = [one]
    return item


def _key_images(draft: Draft) -> Iterable[Source]:
    found = (
        place.source
        for estimate in draft.ranked
        for place in draft.places(estimate)
        if draft.has_region(place.influence)
    )
    return {(s.instance.sop_instance_uid, s.frame): s for s in found}.values()


def _selection(draft: Draft, number: int, sources: Sequence[Source], pictured: Sequence[Captured]) -> Finished:
    slot = Slot(Kind.KEY_OBJECT, KeyObjectSelectionDocumentStorage, "KO", LABEL, KEY_OBJECT_SERIES, index=number)
    items: list[Dataset] = []
    named: list[Reference] = []
    for source in sources:
        of_source = [
            draft.reference(c.finished.slot, source) for c in pictured if c.uid == source.instance.sop_instance_uid
        ]
        for one in (reference(source.instance), *of_source):
            frame = source.frame if source.instance.frames > 1 and one not in of_source else 0
            items.append(object_item(one, "IMAGE", frame))
            named.append(one)
    ds = key_object_document(
        draft,
        slot,
        sources[0],
        codes.OF_INTEREST,
        f"{draft.words.gettext(DESCRIPTION)} {draft.words.disclaimer}",
        items,
    )
    ds.CurrentRequestedProcedureEvidenceSequence = references(dict.fromkeys(named))
    return Finished(slot, ds)
