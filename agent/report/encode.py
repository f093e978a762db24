"""A finished Dataset as the bytes that are sent: Part 10, Explicit VR Little Endian, the same each time."""

from io import BytesIO
from typing import Final, TypeAlias

from pydicom import DataElement, Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element
from pydicom.tag import Tag
from pydicom.uid import UID, ExplicitVRLittleEndian

from agent.core.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from agent.core.result import ResultObject
from agent.report.draft import CHARACTER_SET
from agent.report.slot import Finished

CONTENT: Final = Tag("ContentSequence")

Trees: TypeAlias = dict[int, bytes]
"""Content trees as they are sent, by the identity of the element; whoever keeps this keeps the objects as well."""


def encode(finished: Finished, trees: Trees | None = None) -> ResultObject:
    """Return an object as a Part 10 file (PS3.10 section 7) with what sending it needs.

    A content tree that is in `trees`, as another object has the very same, is not encoded again; others are put there.
    """
    ds, slot = finished.ds, finished.slot
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = ds.SOPClassUID
    meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    ds.file_meta = meta
    ds.preamble = bytes(128)  # never a program, whatever it was copied from (PS3.10 7.5)
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
        encoded=_part10(ds, {} if trees is None else trees),
        needs=finished.needs,
        instead_of=finished.instead_of,
        only_to=finished.only_to,
    )


def _part10(ds: Dataset, trees: Trees) -> bytes:
    """Write a document's content tree, its last attribute and most of the work, behind all the others."""
    buffer, content = BytesIO(), ds.get_item(CONTENT)
    if not isinstance(content, DataElement) or content.tag != max(ds.keys()):
        dcmwrite(buffer, ds, enforce_file_format=True)
        return buffer.getvalue()
    head = Dataset()
    head.update(ds)
    head.file_meta, head.preamble = ds.file_meta, ds.preamble
    del head[CONTENT]
    dcmwrite(buffer, head, enforce_file_format=True)
    if id(content) not in trees:
        trees[id(content)] = _tree(content)
    return buffer.getvalue() + trees[id(content)]


def _tree(content: DataElement) -> bytes:
    written = DicomBytesIO()
    written.is_little_endian, written.is_implicit_VR = True, False
    write_data_element(written, content, CHARACTER_SET)
    return written.getvalue()
