"""A synthetic patient's mammograms as Digital Mammography X-Ray Images For Presentation (PS3.3 A.27)."""

from collections.abc import Sequence
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import DigitalMammographyXRayImageStorageForPresentation, ExplicitVRLittleEndian

from models.phantom.mammogram import COLUMNS, FIELD_HEIGHT_MM, FIELD_WIDTH_MM, ROWS, SIDES, VIEWS, render
from models.phantom.patient import Patient
from models.phantom.seeds import uid

IMPLEMENTATION_UID: Final = uid(0, "implementation")
# Patient Orientation (PS3.3 C.8.11.7): direction of rows, of columns
ORIENTATION: Final = {
    ("L", "CC"): ["A", "R"],
    ("R", "CC"): ["P", "L"],
    ("L", "MLO"): ["A", "FR"],
    ("R", "MLO"): ["P", "FL"],
}
VIEW_CODES: Final = {"CC": ("399162004", "cranio-caudal"), "MLO": ("399368009", "medio-lateral oblique")}  # CID 4014
TIME: Final = "103000"


def mammography(
    patient: Patient,
    day: date | None = None,
    *,
    views: Sequence[tuple[str, str]] = tuple((side, view) for view in VIEWS for side in SIDES),
    rows: int = ROWS,
    columns: int = COLUMNS,
    inverted: bool = False,
) -> list[Dataset]:
    """Return a patient's mammography: one study, one series a view, as valid Part 10 datasets.

    Parameters
    ----------
    day : date, optional
        Study Date; the day of the diagnosis if left out. Another day is another study.
    views : Sequence[tuple[str, str]]
        (side, view) pairs: four views if left out.
    rows, columns : int
        Size of each image.
    inverted : bool
        Whether pixels are stored as MONOCHROME1.
    """
    on = day or patient.diagnosed_on
    datasets = []
    for number, (side, view) in enumerate(views, start=1):
        ds = _header(patient, on, number, side, view)
        _describe_view(ds, side, view)
        _set_pixels(ds, render(patient, side, view, rows, columns), inverted)
        datasets.append(ds)
    return datasets


def _header(patient: Patient, on: date, number: int, side: str, view: str) -> Dataset:
    """Patient, study, series and equipment modules."""
    who = (patient.issuer, patient.patient_id, on.isoformat())
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = DigitalMammographyXRayImageStorageForPresentation
    ds.SOPInstanceUID = uid(patient.seed, *who, "instance", side, view)
    ds.StudyInstanceUID = uid(patient.seed, *who, "study")
    ds.SeriesInstanceUID = uid(patient.seed, *who, "series", side, view)
    for kind in ("Study", "Series", "Acquisition", "Content"):
        setattr(ds, f"{kind}Date", on.strftime("%Y%m%d"))
        setattr(ds, f"{kind}Time", TIME)
    ds.AccessionNumber, ds.StudyID, ds.ReferringPhysicianName = f"PH{on:%Y%m%d}", "1", ""
    ds.Modality, ds.Manufacturer, ds.ManufacturerModelName = "MG", "Sentinode", "Phantom"
    ds.DeviceSerialNumber, ds.SoftwareVersions = "0", "1"
    ds.StudyDescription, ds.SeriesDescription = "Mammography", f"{side} {view}"
    ds.SeriesNumber, ds.InstanceNumber = number, 1
    ds.PatientName, ds.PatientID, ds.IssuerOfPatientID = patient.name, patient.patient_id, patient.issuer
    ds.PatientBirthDate, ds.PatientSex = patient.birth_date.strftime("%Y%m%d"), "F"
    ds.PatientAge = f"{(on - patient.birth_date).days * 100 // 36525:03d}Y"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.ImplementationClassUID = IMPLEMENTATION_UID
    return ds


def _describe_view(ds: Dataset, side: str, view: str) -> None:
    """DX and mammography modules (PS3.3 C.8.11): anatomy, view, positioning, detector."""
    ds.PresentationIntentType, ds.BodyPartExamined = "FOR PRESENTATION", "BREAST"
    ds.ImageType = ["DERIVED", "PRIMARY"]
    ds.ImageLaterality, ds.ViewPosition, ds.PatientOrientation = side, view, ORIENTATION[side, view]
    ds.OrganExposed, ds.BreastImplantPresent, ds.PositionerType = "BREAST", "NO", "MAMMOGRAPHIC"
    ds.AnatomicRegionSequence = [_code("76752008", "Breast")]
    ds.ViewCodeSequence = [_code(*VIEW_CODES[view])]
    ds.ViewCodeSequence[0].ViewModifierCodeSequence = []
    ds.AcquisitionContextSequence = []
    ds.DetectorType = "DIRECT"
    ds.EstimatedRadiographicMagnificationFactor = "1.0"
    ds.PixelSpacingCalibrationType, ds.PixelSpacingCalibrationDescription = "GEOMETRY", "synthetic"
    ds.LossyImageCompression, ds.BurnedInAnnotation = "00", "NO"


def _set_pixels(ds: Dataset, pixels_hw: NDArray[np.uint16], inverted: bool) -> None:
    """Image pixel, DX image and VOI LUT modules."""
    rows, columns = pixels_hw.shape
    ds.Rows, ds.Columns, ds.SamplesPerPixel = rows, columns, 1
    ds.PhotometricInterpretation = "MONOCHROME1" if inverted else "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.ImagerPixelSpacing = [round(FIELD_HEIGHT_MM / rows, 6), round(FIELD_WIDTH_MM / columns, 6)]
    ds.PixelSpacing = ds.ImagerPixelSpacing
    ds.PixelIntensityRelationship, ds.PixelIntensityRelationshipSign = "LOG", 1 if inverted else -1
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "0", "1", "US"
    ds.PresentationLUTShape = "INVERSE" if inverted else "IDENTITY"
    ds.WindowCenter, ds.WindowWidth = ("2745" if inverted else "1350"), "2700"
    ds.PixelData = (np.uint16(4095) - pixels_hw if inverted else pixels_hw).astype("<u2").tobytes()
    ds["PixelData"].VR = "OW"


def _code(value: str, meaning: str) -> Dataset:
    ds = Dataset()
    ds.CodeValue, ds.CodingSchemeDesignator, ds.CodeMeaning = value, "SCT", meaning
    return ds
