"""What both kinds of SR document have: the SR Document modules and the items that say who observed."""

from typing import Final

from highdicom.sr import (
    CodeContentItem,
    ContentItem,
    RelationshipTypeValues,
    TextContentItem,
    UIDRefContentItem,
)
from pydicom import Dataset

from agent.core.result import Reference
from agent.dicom import codes
from agent.report.draft import DeviceIdentity, Draft
from agent.report.header import Source
from agent.report.references import reference, references
from agent.report.slot import Slot

CONTAINS: Final = RelationshipTypeValues.CONTAINS
OBSERVATION: Final = RelationshipTypeValues.HAS_OBS_CONTEXT


def document(draft: Draft, slot: Slot, source: Source, root: Dataset, extra: tuple[Reference, ...] = ()) -> Dataset:
    """Join the content tree with the SR Document General module (PS3.3 C.17.2), within the source's study.

    `extra` are objects beside the source images on which the content rests.
    """
    ds = draft.base(slot, source)
    ds.CompletionFlag = "COMPLETE"
    ds.VerificationFlag = "UNVERIFIED"
    ds.PreliminaryFlag = "PRELIMINARY"
    ds.PerformedProcedureCodeSequence = []
    ds.ReferencedPerformedProcedureStepSequence = []
    study = source.instance.study_instance_uid
    evidence = [*map(reference, draft.evidence), *extra]
    other = references(r for r in evidence if r.study_instance_uid != study)
    ds.CurrentRequestedProcedureEvidenceSequence = references(r for r in evidence if r.study_instance_uid == study)
    if other:
        ds.PertinentOtherEvidenceSequence = other
    supersede(draft, slot, ds)
    ds.update(root)
    return ds


def supersede(draft: Draft, slot: Slot, ds: Dataset) -> None:
    """Name the document of the version before that had the same role, and no other one."""
    ds.pop("PredecessorDocumentsSequence", None)
    predecessor = draft.result.predecessors.get(slot.role)
    if predecessor is not None:
        ds.PredecessorDocumentsSequence = references([predecessor])


def observer(device: DeviceIdentity) -> list[ContentItem]:
    """Say that a device observed, and which (TID 1002, 1004); its maker stands in the equipment module."""
    return [
        CodeContentItem(codes.OBSERVER_TYPE, codes.DEVICE, OBSERVATION),
        UIDRefContentItem(codes.DEVICE_OBSERVER_UID, device.uid, OBSERVATION),
        TextContentItem(codes.DEVICE_OBSERVER_NAME, device.name, OBSERVATION),
    ]


def whole_observer(device: DeviceIdentity) -> list[ContentItem]:
    """Say of the device also who made it, its model and its serial number (TID 1004)."""
    known = (
        (codes.DEVICE_OBSERVER_MANUFACTURER, device.manufacturer),
        (codes.DEVICE_OBSERVER_MODEL, device.model),
        (codes.DEVICE_OBSERVER_SERIAL, device.serial),
    )
    return [*observer(device), *(TextContentItem(name, value, OBSERVATION) for name, value in known)]
