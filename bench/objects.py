"""Encoded images as a modality sends them: one header a kind, with its own UIDs and patient put in for every object."""

from dataclasses import dataclass
from functools import cache
from typing import Final

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import ExplicitVRLittleEndian

ROOT: Final = "1.2.826.0.1.3680043.8.498"
_OBJECT, _STUDY, _SERIES, _PATIENT = (f"{ROOT}.{place}{'0' * 15}" for place in (71, 72, 73, 74))
ISSUER: Final = "PHANTOM"
_CLASSES: Final = {
    "MG": "1.2.840.10008.5.1.4.1.1.1.2",
    "US": "1.2.840.10008.5.1.4.1.1.6.1",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
}
_FREE_TEXT: Final = "Made for measuring. " * 40  # what modalities write beside what is read: a header of some 2.5 kB


@dataclass(frozen=True, slots=True)
class Image:
    """What tells one object from another. `side_px` is the edge of its square of 16-bit pixels."""

    modality: str
    patient: int
    number: int  # unlike that of any other object
    study: int
    series: int = 0
    side_px: int = 16


def patient_id(number: int) -> str:
    """Return the Patient ID of a patient by number."""
    return f"{ROOT}.74{number:015}"


def encoded(image: Image) -> bytes:
    """Return the dataset as it goes over the wire, Explicit VR Little Endian."""
    head, pixels = _template(image.modality, image.side_px)
    for place, value in (
        (_OBJECT, f"{ROOT}.71{image.number:015}"),
        (_STUDY, f"{ROOT}.72{image.study:015}"),
        (_SERIES, f"{ROOT}.73{image.series:015}"),
        (_PATIENT, patient_id(image.patient)),
    ):
        head = head.replace(place.encode(), value.encode())
    return head + image.number.to_bytes(8, "little") + pixels[8:]


def meta(image: Image, association_id: str) -> dict[str, str]:
    """Return what the receiver writes beside a dataset."""
    return {
        "association_id": association_id,
        "calling_ae_title": "BENCH",
        "called_ae_title": "SENTINODE",
        "peer": "127.0.0.1",
        "sop_class_uid": _CLASSES[image.modality],
        "sop_instance_uid": f"{ROOT}.71{image.number:015}",
        "transfer_syntax_uid": str(ExplicitVRLittleEndian),
    }


@cache
def _template(modality: str, side_px: int) -> tuple[bytes, bytes]:
    """Return a dataset up to its Pixel Data's value, and that value."""
    ds = _common(modality)
    {"MG": _mammogram, "US": _ultrasound, "MR": _slice}[modality](ds)
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.Rows = ds.Columns = side_px
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 12, 11
    ds.add_new("PixelData", "OW", bytes(2 * side_px * side_px))
    stream = DicomBytesIO()
    stream.is_little_endian, stream.is_implicit_VR = True, False
    write_dataset(stream, ds)
    whole, length = stream.getvalue(), 2 * side_px * side_px
    return whole[:-length], whole[-length:]


def _common(modality: str) -> Dataset:
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID, ds.SOPInstanceUID = _CLASSES[modality], _OBJECT
    ds.StudyInstanceUID, ds.SeriesInstanceUID = _STUDY, _SERIES
    ds.PatientID, ds.IssuerOfPatientID, ds.PatientName = _PATIENT, ISSUER, f"BENCH^{_PATIENT}"
    ds.PatientBirthDate, ds.PatientSex, ds.AccessionNumber = "19700101", "F", "A1"
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = "20260105"
    ds.StudyTime = ds.SeriesTime = ds.AcquisitionTime = ds.ContentTime = "103000"
    ds.Modality, ds.Manufacturer, ds.ManufacturerModelName = modality, "Bench", "Synthetic 1"
    ds.InstitutionName, ds.StationName, ds.SoftwareVersions = "Example Hospital", "BENCH1", "1.0"
    ds.ImageType, ds.StudyDescription, ds.SeriesNumber = ["ORIGINAL", "PRIMARY"], "Breast", 1
    ds.AdditionalPatientHistory, ds.BodyPartExamined = _FREE_TEXT, "BREAST"
    ds.AnatomicRegionSequence = [_code("76752008", "Breast")]
    ds.ProcedureCodeSequence = [_code(str(1000 + n), "Imaging of the breast") for n in range(4)]
    return ds


def _mammogram(ds: Dataset) -> None:
    ds.PresentationIntentType, ds.ImageLaterality, ds.ViewPosition = "FOR PRESENTATION", "L", "MLO"
    ds.ViewCodeSequence = [_code("399368009", "medio-lateral oblique")]


def _ultrasound(ds: Dataset) -> None:
    ds.ImageLaterality, ds.SeriesDescription = "L", "tumour"


def _slice(ds: Dataset) -> None:
    ds.SeriesDescription, ds.ContrastBolusAgent, ds.TemporalPositionIdentifier = "t1 fl3d dynamic", "Gd", "2"
    ds.ImagePositionPatient, ds.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
    ds.ScanningSequence, ds.RepetitionTime, ds.EchoTime, ds.MRAcquisitionType = "GR", "4.5", "1.8", "3D"


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", meaning
    return item
