"""Small result objects with real encodings, for what travels rather than for what it says."""

from io import BytesIO

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from agent.core.result import Kind, ResultObject

COMPREHENSIVE_3D_SR = "1.2.840.10008.5.1.4.1.1.88.34"
ENHANCED_SR = "1.2.840.10008.5.1.4.1.1.88.22"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
SOP_CLASSES = {Kind.SR: COMPREHENSIVE_3D_SR, Kind.TEXT_SR: ENHANCED_SR, Kind.SECONDARY_CAPTURE: SECONDARY_CAPTURE}
STUDY = "2.25.1000"


def part10(sop_class_uid: str, sop_instance_uid: str, *, study: str = STUDY, series: str = "2.25.2000") -> bytes:
    """Return a Part 10 file of a few attributes; its odd private element tells whether bytes were re-encoded."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class_uid, sop_instance_uid
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study, series
    ds.StudyDate, ds.StudyTime, ds.AccessionNumber, ds.StudyID = "20261101", "101500", "A1", "1"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = "Phantom^Φανή", "P1", "", "F"
    ds.ReferringPhysicianName = ""
    ds.Modality = "OT" if sop_class_uid == SECONDARY_CAPTURE else "SR"
    ds.SeriesNumber, ds.InstanceNumber = 9, 1
    if sop_class_uid == SECONDARY_CAPTURE:
        ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.Rows, ds.Columns = 1, "MONOCHROME2", 4, 4
        ds.BitsAllocated = ds.BitsStored = 8
        ds.HighBit, ds.PixelRepresentation = 7, 0
        ds.PixelData = bytes(range(16))
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def dataset_bytes(encoded: bytes) -> bytes:
    """Return a Part 10 file without preamble and file meta information."""
    return encoded[144 + int.from_bytes(encoded[140:144], "little") :]


def result_object(kind: Kind, number: int, *, study: str = STUDY) -> ResultObject:
    """Return a result object whose UID ends in `number`."""
    sop_class = {Kind.SR: COMPREHENSIVE_3D_SR, Kind.TEXT_SR: ENHANCED_SR, Kind.SECONDARY_CAPTURE: SECONDARY_CAPTURE}[
        kind
    ]
    uid, series = f"2.25.3{number:05}", f"2.25.2{number:05}"
    return ResultObject(
        kind=kind,
        role=f"{kind}:{number}",
        axilla="L",
        index=number,
        sop_class_uid=sop_class,
        sop_instance_uid=uid,
        study_instance_uid=study,
        series_instance_uid=series,
        transfer_syntax_uid=str(ExplicitVRLittleEndian),
        encoded=part10(sop_class, uid, study=study, series=series),
    )


def one_result(first: int = 1, captures: int = 2, *, study: str = STUDY) -> tuple[ResultObject, ...]:
    """Return an SR, a text SR and captures, numbered from `first`."""
    kinds = [Kind.SR, Kind.TEXT_SR] + [Kind.SECONDARY_CAPTURE] * captures
    return tuple(result_object(kind, number, study=study) for number, kind in enumerate(kinds, first))
