"""A finished Dataset as the bytes that are sent: Part 10, Explicit VR Little Endian, the same each time."""

from io import BytesIO

from pydicom import dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from agent.core.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from agent.core.result import ResultObject
from agent.report.slot import Finished


def encode(finished: Finished) -> ResultObject:
    """Return an object as a Part 10 file (PS3.10 section 7) with what sending it needs."""
    ds, slot = finished.ds, finished.slot
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = ds.SOPClassUID
    meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    ds.file_meta = meta
    ds.preamble = bytes(128)  # never a program, whatever it was copied from (PS3.10 7.5)
    buffer = BytesIO()
    dcmwrite(buffer, ds, enforce_file_format=True)
    return ResultObject(
        kind=slot.kind,
        role=slot.role,
        axilla=slot.axilla,
        index=slot.index,
        sop_class_uid=str(ds.SOPClassUID),
        sop_instance_uid=str(ds.SOPInstanceUID),
        study_instance_uid=str(ds.StudyInstanceUID),
        series_instance_uid=str(ds.SeriesInstanceUID),
        transfer_syntax_uid=str(ExplicitVRLittleEndian),
        encoded=buffer.getvalue(),
        needs=finished.needs,
        instead_of=finished.instead_of,
        only_to=finished.only_to,
    )
