"""What an earlier version left at an archive, rejected by Key Objects (IHE Imaging Object Change Management).

No document names an object that a destination of it does not have: dcm4chee then refuses the document as a whole, with
0xA772 (StoreServiceEJB.rejectInstance), and goes on showing everything else that it names.
"""

from collections.abc import Sequence
from typing import Final

from pydicom.uid import KeyObjectSelectionDocumentStorage

from agent.core.result import Kind, Reference
from agent.dicom import codes
from agent.report.catalogue import marked as _
from agent.report.draft import Draft
from agent.report.key_object import key_object_document, object_item
from agent.report.references import references
from agent.report.slot import REJECTION_SERIES, Finished, Slot

LABEL: Final = _("rejects earlier")
SUPERSEDED: Final = _("Results of an earlier version, superseded by version {version}: no longer to be used.")
ANOTHER: Final = _(
    "Results of an earlier version, superseded by version {version}: they named another patient or a retired Patient "
    "ID, or rested on another patient's image. Not to be used."
)
WITHDRAWN: Final = _(
    "Results of an earlier version, withdrawn by version {version}: the images on which they rested are not used any "
    "more. Nothing takes their place. Not to be used."
)
WITHDRAWN_OF_ANOTHER: Final = _(
    "Results of an earlier version, withdrawn by version {version}: they named another patient or a retired Patient "
    "ID, or rested on another patient's image. Nothing takes their place. Not to be used."
)
_SAYS: Final = {
    (False, False): SUPERSEDED,
    (False, True): ANOTHER,
    (True, False): WITHDRAWN,
    (True, True): WITHDRAWN_OF_ANOTHER,
}
"""By whether nothing takes their place, and whether another patient was concerned."""
_IMAGES: Final = ("1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.66.4")  # of ours, what TID 2010 calls IMAGE


def rejections(draft: Draft) -> list[Finished]:
    """Return what rejects earlier objects: in each study one document for those that the same destinations have.

    It lies in that study and is of today's patient. A study of which no image belongs to the patient any more is named
    from the index study: its own attributes are not ours to write. Where no image is left at all, what is rejected
    lends its own.
    """
    groups: dict[tuple[str, tuple[str, ...]], list[Reference]] = {}
    for one in draft.result.superseded:
        if draft.result.held_by.get(one.sop_instance_uid) != frozenset():  # else nobody who has it is told
            groups.setdefault((one.study_instance_uid, holders(draft, one.sop_instance_uid)), []).append(one)
    return [_rejection(draft, number, groups[which], which[1]) for number, which in enumerate(sorted(groups), start=1)]


def holders(draft: Draft, sop_instance_uid: str) -> tuple[str, ...]:
    """Return the destinations that have an earlier object, in order; none where that is not known."""
    return tuple(sorted(draft.result.held_by.get(sop_instance_uid, ())))


def description(draft: Draft) -> str:
    """Say what is rejected and why."""
    result = draft.result
    said = _SAYS[result.withdrawn, result.was_of_another]
    return f"{draft.words.gettext(said, version=result.version)} {draft.words.disclaimer}"


def _rejection(draft: Draft, number: int, rejected: Sequence[Reference], only_to: tuple[str, ...]) -> Finished:
    study = rejected[0].study_instance_uid
    source = next((s for s in draft.sources if s.instance.study_instance_uid == study), draft.index)
    title = codes.REJECTED_FOR_SAFETY if draft.result.was_of_another else codes.REJECTED_FOR_QUALITY
    slot = Slot(
        Kind.REJECTION,
        KeyObjectSelectionDocumentStorage,
        "KO",
        LABEL,
        REJECTION_SERIES,
        index=number,
        instance_number=number,
    )
    items = [object_item(r, "IMAGE" if r.sop_class_uid in _IMAGES else "COMPOSITE") for r in rejected]
    ds = key_object_document(draft, slot, source, title, description(draft), items)
    ds.CurrentRequestedProcedureEvidenceSequence = references(rejected)
    return Finished(slot, ds, only_to=only_to)
